// Stands for qemu-img, qemu-io or qemu-nbd in qemu-iotests: `tool.ts img|io|nbd ARGUMENTS`.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { nbdArguments } from './nbd-arguments.ts';

const [kind = '', ...given] = process.argv.slice(2);
const NAMES: Readonly<Record<string, string>> = {
  img: 'qemu-img',
  io: 'qemu-io',
  nbd: 'qemu-nbd',
  serve: 'qemu-nbd',
};
const name = NAMES[kind] ?? 'qemu';

/** The program's own name and prompt; words are left as they are. */
function rename(text: string): string {
  return text.replaceAll('polyvisor io> ', 'qemu-io> ').replace(/^polyvisor: /gm, `${name}: `);
}

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
  stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) =>
    write(typeof chunk === 'string' ? rename(chunk) : chunk, ...rest)) as typeof stream.write;
}

if (kind === 'nbd') {
  const { args, fork, pidFile } = nbdArguments(given);
  if (fork) {
    // The caller goes on once clients can come.
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'serve', ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const status = await new Promise<number>((resolve) => {
      child.stdout!.once('data', () => resolve(0));
      child.once('exit', (code) => resolve(code ?? 1));
    });
    if (status === 0 && pidFile !== undefined) writeFileSync(pidFile, `${child.pid}\n`);
    process.exit(status);
  }
  if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
  process.argv.splice(2, Infinity, 'nbd', 'serve', ...args);
} else if (kind === 'serve') process.argv.splice(2, Infinity, 'nbd', 'serve', ...given);
else process.argv.splice(2, Infinity, kind, ...given);

// What the program's own main does, but hints and limits are left out: QEMU prints none in its line of error.
const { parseCommandLine } = await import('../../src/cli/parse-command-line.ts');
const { COMMANDS } = await import('../../src/cli/commands.ts');
const { PolyvisorError } = await import('@polyvisor/contracts');
const args = process.argv.slice(2);
try {
  const parsed = parseCommandLine(args, COMMANDS);
  process.exitCode = parsed.kind === 'run' ? await (await parsed.command.load())(parsed.context) : 1;
} catch (error) {
  if (error instanceof PolyvisorError) {
    const { what, which } = error.parts;
    process.stderr.write(`${name}: ${what}${which === undefined ? '' : `: ${which}`}\n`);
  } else process.stderr.write(`${name}: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
process.stdout.write('', () => process.exit());
