/** How this program is started once more, with another command: Node, its options, the script. */
export function selfCommand(): readonly string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
}
