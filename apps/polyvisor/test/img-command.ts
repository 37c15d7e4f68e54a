import { spawnSync } from 'node:child_process';
import { PolyvisorError } from '@polyvisor/contracts';
import { COMMANDS } from '../src/cli/commands.ts';
import { exitStatusOfError } from '../src/cli/exit-status.ts';
import { parseCommandLine } from '../src/cli/parse-command-line.ts';

/** What a program printed, and how it ended. */
export interface Outcome {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a command of ours in this process. */
export async function runOurs(args: readonly string[]): Promise<Outcome> {
  let output = '';
  let errors = '';
  const stdout = process.stdout.write.bind(process.stdout);
  const stderr = process.stderr.write.bind(process.stderr);
  process.stdout.write = (text: string | Uint8Array): boolean => {
    output += String(text);
    return true;
  };
  process.stderr.write = (text: string | Uint8Array): boolean => {
    errors += String(text);
    return true;
  };
  try {
    const parsed = parseCommandLine(args, COMMANDS);
    if (parsed.kind !== 'run') throw new Error('no command');
    const handler = await parsed.command.load();
    return { status: await handler(parsed.context), output, errors };
  } catch (error) {
    if (!(error instanceof PolyvisorError)) throw error;
    errors += `polyvisor: ${error.message}\n`;
    const { errorStatus } = COMMANDS.find(({ name }) => name.split(' ')[0] === args[0]) ?? {};
    return { status: errorStatus ?? exitStatusOfError(error.code), output, errors };
  } finally {
    process.stdout.write = stdout;
    process.stderr.write = stderr;
  }
}

/** Runs `qemu-img` or `qemu-io`. */
export function runTheirs(program: string, args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input: '' });
  return { status: status ?? -1, output: stdout, errors: stderr };
}
