import { constants } from 'node:os';
import type { CharBackend, Logger } from '@polyvisor/contracts';
import type { ConsoleSize, Machine, MachineConfig, MachineEnd } from '@polyvisor/machine';
import { exitStatusOfEnd, type StopReason } from '../cli/exit-status.ts';
import type { RunSettings } from '../settings/run-settings.ts';
import type { BootFiles } from './boot-files.ts';
import { createEscapeKeys, ESCAPE_HELP, type EscapeAction } from './escape-keys.ts';
import { openLogConsole } from './log-console.ts';
import { openRawTerminal, type RawTerminal } from './raw-terminal.ts';
import { createNullConsole, createStreamConsole, type StreamConsole } from './stream-console.ts';

const SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const;
/** A machine that does not stop in this time is left behind. */
const STOP_TIMEOUT_MS = 5000;
/** A second signal this much later ends the process at once. */
const AGAIN_MS = 500;
const SIGPIPE = 13;

/** A machine, perhaps one whose figures have to be fetched. */
export type RunnableMachine = Machine & { refresh?(): Promise<void> };

/** What a run needs from outside; tests pass a fake machine and streams of their own. */
export interface RunEnvironment {
  readonly createMachine: (config: MachineConfig) => Promise<RunnableMachine>;
  readonly logger: Logger;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** A line for the user, on standard error. */
  readonly say: (line: string) => void;
  readonly stats: boolean;
  /** Without a terminal, input waits until the guest has printed this: what comes before, Linux throws away. */
  readonly listening?: string;
}

/** Builds the machine, connects the console, runs to the end, and gives the process's exit status. */
export async function runMachine(
  settings: RunSettings,
  boot: BootFiles,
  environment: RunEnvironment,
): Promise<number> {
  const { stdin, stdout, say } = environment;
  let machine: RunnableMachine | undefined;
  let reason: StopReason | undefined;
  let paused = false;
  let askedAt: number | undefined;
  let terminal: RawTerminal | undefined;

  const stop = (why: StopReason): void => {
    reason ??= why;
    machine?.stop();
  };
  const showStats = async (): Promise<void> => {
    await machine?.refresh?.();
    sayStats(machine, say);
  };
  const actions: Readonly<Record<EscapeAction, () => void>> = {
    quit: () => stop({ kind: 'user' }),
    reset: () => machine?.reset(),
    pause: () => {
      paused = !paused;
      say(paused ? 'paused; Ctrl-A p goes on' : 'going on');
      if (paused) void machine?.pause();
      else machine?.resume();
    },
    stats: () => void showStats(),
    help: () => ESCAPE_HELP.forEach(say),
    unknown: () => say('unknown key; Ctrl-A h lists them'),
  };

  const console = createConsole(settings, environment, (action) => actions[action]());
  const onSignal = (signal: NodeJS.Signals): void => {
    const number = constants.signals[signal];
    if (askedAt !== undefined) {
      // Asked again: the machine does not react. timeout(1) sends two at once.
      if (performance.now() - askedAt > AGAIN_MS) process.exit(128 + number);
      return;
    }
    askedAt = performance.now();
    stop({ kind: 'signal', number });
    setTimeout(() => {
      say('the machine did not stop in time; leaving it');
      process.exit(128 + number);
    }, STOP_TIMEOUT_MS).unref();
  };
  const consoleSize = settings.console === 'virtio' && !settings.icount ? sizeOfTerminal(stdout) : undefined;
  const onResize = (): void => {
    const size = consoleSize && sizeOfTerminal(stdout);
    if (size !== undefined) machine?.resizeConsole(size.columns, size.rows);
  };
  const onOutputError = (): void => stop({ kind: 'signal', number: SIGPIPE });
  for (const signal of SIGNALS) process.on(signal, onSignal);
  stdout.on('error', onOutputError);
  stdout.on('resize', onResize);

  const serialLog = settings.console === 'serial' ? undefined : openLogConsole(settings.consoleLog);
  try {
    machine = await environment.createMachine(
      machineConfig(settings, boot, { console, serialLog, consoleSize }, environment.logger),
    );
    // It may have changed while the machine was being built.
    onResize();
    if (reason === undefined) {
      if (settings.console !== 'none' && stdin.isTTY && !settings.icount) terminal = openRawTerminal(stdin);
      machine.start();
    } else {
      machine.stop();
    }
    const end = await machine.ended;
    console.flush();
    terminal?.restore();
    sayEnd(end, say);
    if (environment.stats) sayStats(machine, say);
    return exitStatusOfEnd(end, reason);
  } finally {
    console.close();
    serialLog?.close();
    terminal?.restore();
    await machine?.close();
    for (const signal of SIGNALS) process.off(signal, onSignal);
    stdout.off('error', onOutputError);
    stdout.off('resize', onResize);
  }
}

function createConsole(
  settings: RunSettings,
  { stdin, stdout, listening }: RunEnvironment,
  act: (action: EscapeAction) => void,
): StreamConsole {
  if (settings.console === 'none') return createNullConsole();
  if (settings.icount) return createStreamConsole({ output: stdout });
  return createStreamConsole({
    output: stdout,
    input: stdin,
    ...(stdin.isTTY ? { filter: createEscapeKeys(act) } : {}),
    ...(listening === undefined || stdin.isTTY ? {} : { listening }),
  });
}

interface Consoles {
  readonly console: CharBackend;
  /** Takes the serial port's output where the console is another device. */
  readonly serialLog: CharBackend | undefined;
  readonly consoleSize: ConsoleSize | undefined;
}

/** Absent where there is no terminal, or one that doesn't know (a serial line). */
function sizeOfTerminal({ isTTY, columns, rows }: NodeJS.WriteStream): ConsoleSize | undefined {
  return isTTY && columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

function machineConfig(
  settings: RunSettings,
  boot: BootFiles,
  { console, serialLog, consoleSize }: Consoles,
  logger: Logger,
): MachineConfig {
  const { name, memory, cpus, disks, nets, shares, rng, balloon } = settings;
  return {
    board: 'riscv-virt',
    name,
    memory,
    cpus,
    accel: { kind: 'tcg', tier: settings.tier, icount: settings.icount },
    ...boot,
    serial: serialLog ?? console,
    consolePorts: settings.console === 'virtio' ? [{ name: 'org.polyvisor.console', backend: console }] : [],
    ...(consoleSize === undefined ? {} : { consoleSize }),
    disks,
    nets,
    shares,
    rng,
    balloon,
    noReboot: !settings.reboot,
    logger,
  };
}

function sayEnd(end: MachineEnd, say: (line: string) => void): void {
  if (end.kind === 'failure') say(end.error.message);
  if (end.kind === 'reboot') say('the guest rebooted, and --no-reboot was given');
  if (end.kind === 'power-off' && end.status !== 0) say(`the guest reported failure ${end.status}`);
}

function sayStats(machine: Machine | undefined, say: (line: string) => void): void {
  for (const [name, value] of Object.entries(machine?.stats() ?? {}))
    say(`${name} ${Number.isInteger(value) ? value : value.toFixed(3)}`);
}
