/** `QFI\xfb` and a version of at least 2. */
export function probeQcow2(head: Uint8Array): number {
  const magic = head[0] === 0x51 && head[1] === 0x46 && head[2] === 0x49 && head[3] === 0xfb;
  return magic && head.length >= 8 && head[7]! >= 2 ? 100 : 0;
}
