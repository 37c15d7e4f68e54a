import { PolyvisorError } from '@polyvisor/contracts';
import { COMMANDS } from './cli/commands.ts';
import { exitStatusOfError } from './cli/exit-status.ts';
import { formatHelp } from './cli/format-help.ts';
import { parseCommandLine } from './cli/parse-command-line.ts';

// A reader that went away (`polyvisor --help | head -1`) is no failure of ours.
process.stdout.on('error', () => process.exit(141));

// Commands leave through here, not by running out of work: a worker or an open pipe must not keep a finished machine.
process.exitCode = await main(process.argv.slice(2));
process.stdout.write('', () => process.exit());

async function main(args: readonly string[]): Promise<number> {
  try {
    const parsed = parseCommandLine(args, COMMANDS);
    if (parsed.kind === 'version') {
      const { VERSION } = await import('./cli/version.ts');
      process.stdout.write(`polyvisor ${VERSION}\n`);
      return 0;
    }
    if (parsed.kind === 'help') return showHelp(parsed.topic);
    const handler = await parsed.command.load();
    return await handler(parsed.context);
  } catch (error) {
    const group = COMMANDS.find(({ name }) => name.split(' ')[0] === args[0]);
    return report(error, group?.errorStatus);
  }
}

function showHelp(topic: string): number {
  const help = formatHelp(topic, COMMANDS);
  if (help === undefined)
    throw new PolyvisorError('invalid-argument', {
      what: 'no help about',
      which: topic,
      hint: 'see: polyvisor --help',
    });
  process.stdout.write(help);
  return 0;
}

/** Prints an error, a line for each mistake; gives the exit status. */
function report(error: unknown, fixedStatus: number | undefined): number {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  let status = 0;
  for (const each of errors) {
    const known = each instanceof PolyvisorError;
    // A fault of ours is of use only with the place where it happened.
    process.stderr.write(
      `polyvisor: ${known ? each.message : each instanceof Error ? (each.stack ?? each.message) : String(each)}\n`,
    );
    status = Math.max(status, fixedStatus ?? (known ? exitStatusOfError(each.code) : 1));
  }
  return status;
}
