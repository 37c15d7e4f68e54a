import { fstatSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { SplitMode } from '@polyvisor/node/vm';
import type { CommandHandler, OptionValues } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { INIT_GREETING } from '../image/init-greeting.ts';
import { defaultSources, resolveBootFiles } from '../run/boot-files.ts';
import { checkFiles } from '../run/check-files.ts';
import { createLineLogger, LOG_LEVELS } from '../run/stderr-logger.ts';
import type { LogLevel } from '../run/stderr-logger.ts';
import { runMachine } from '../run/run-machine.ts';
import type { RunEnvironment } from '../run/run-machine.ts';
import { selfCommand } from '../run/self-command.ts';
import { choiceOf } from '../settings/key-values.ts';
import { readSettings } from '../settings/read-settings.ts';
import type { RunSettings } from '../settings/run-settings.ts';

/** Device number of /dev/null on Linux. */
const NULL_DEVICE = 0x103;

/** `polyvisor run`. */
export const run: CommandHandler = async ({ options }) => {
  const settings = await readSettings(options);
  const level = choiceOf('--log-level', optionText(options, 'log-level') ?? 'warn', LOG_LEVELS);
  const format = choiceOf('--format', optionText(options, 'format') ?? 'yaml', ['yaml', 'json'] as const);
  if (options['print-config'] === true) {
    const { formatSettings } = await import('../settings/format-settings.ts');
    process.stdout.write(formatSettings(settings, format));
    return 0;
  }
  if (options['format'] !== undefined)
    throw new PolyvisorError('invalid-argument', { what: '--format: only goes with --print-config' });
  checkFiles(settings);
  if (settings.icount && settings.console !== 'none') requireNoInput();
  // The machine's code and the boot files are found at the same time.
  const split = splitOf(options);
  const machineModule =
    split === undefined
      ? import('@polyvisor/machine').then((module) => module.createMachine)
      : splitMachine(split.mode, level, options['confine'] !== false);
  machineModule.catch(() => {});
  const boot = await resolveBootFiles(settings, terminalWords(settings), defaultSources());
  // In raw mode a line feed does not return the carriage.
  const lineEnd = () => (process.stdin.isTTY && process.stdin.isRaw ? '\r\n' : '\n');
  const createMachine = await machineModule;
  return runMachine(settings, boot, {
    createMachine,
    logger: createLineLogger(level, (line) => process.stderr.write(line + lineEnd())),
    stdin: process.stdin,
    stdout: process.stdout,
    say: (line) => process.stderr.write(`polyvisor: ${line}${lineEnd()}`),
    stats: options['stats'] === true,
    // Only the image's own init says when it listens. With the line's end: what comes sooner is echoed into the line.
    ...(settings.image !== undefined && settings.initrd === undefined
      ? { listening: `${INIT_GREETING}\r\n` }
      : {}),
  });
};

/** Processes of its own for CPU, devices and disks; undefined: none. */
function splitOf(options: OptionValues): { mode: SplitMode | undefined } | undefined {
  const how = optionText(options, 'split');
  if (how === undefined) return undefined;
  return { mode: how === '' ? undefined : choiceOf('--split', how, ['shared', 'stream'] as const) };
}

async function splitMachine(
  mode: SplitMode | undefined,
  logLevel: LogLevel,
  confine: boolean,
): Promise<RunEnvironment['createMachine']> {
  const { createSplitMachine } = await import('@polyvisor/node/vm');
  const command = selfCommand();
  return (config) =>
    createSplitMachine(config, { command, logLevel, confine, ...(mode === undefined ? {} : { mode }) });
}

/** What the default guest's init takes from its environment: a serial line can't tell the terminal's kind and size. */
function terminalWords({ console, icount }: RunSettings): string[] {
  if (console === 'none' || icount || !process.stdin.isTTY || !process.stdout.isTTY) return [];
  const kind = process.env['TERM'] ?? '';
  const words = /^[A-Za-z0-9._+-]{1,32}$/.test(kind) ? [`TERM=${kind}`] : [];
  const { columns, rows } = process.stdout;
  return columns > 0 && rows > 0 ? [...words, `COLUMNS=${columns}`, `LINES=${rows}`] : words;
}

function requireNoInput(): void {
  let input;
  try {
    input = fstatSync(0);
  } catch {
    // Closed: nothing can come.
    return;
  }
  if (input.isCharacterDevice() && input.rdev === NULL_DEVICE) return;
  throw new PolyvisorError('invalid-argument', {
    what: "--icount: can't be combined with input from standard input",
    limit: 'two runs would differ',
    hint: 'add </dev/null',
  });
}
