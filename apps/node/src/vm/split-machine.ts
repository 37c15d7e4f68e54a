import { PolyvisorError } from '@polyvisor/contracts';
import type { Logger } from '@polyvisor/contracts';
import type { Machine, MachineConfig } from '@polyvisor/machine';
import { vmName } from '@polyvisor/rpc/channel';
import type { LogLevel } from '../process/process-setup.ts';
import { createSplitVm } from './split-vm.ts';
import type { SplitMode } from './vm-plan.ts';
import { planOf } from './vm-plan.ts';

export interface SplitMachineOptions {
  readonly command: readonly string[];
  readonly mode?: SplitMode;
  readonly confine: boolean;
  readonly logLevel: LogLevel;
}

/** A machine of several processes, for who thinks that it is one of this process. */
export interface SplitMachine extends Machine {
  /** Brings what `stats` gives up to date. */
  refresh(): Promise<void>;
}

/**
 * Starts a machine as processes of its own.
 * @throws PolyvisorError (rejects) as `createSplitVm`.
 */
export async function createSplitMachine(
  config: MachineConfig,
  options: SplitMachineOptions,
): Promise<SplitMachine> {
  const { logger, serial, consolePorts } = config;
  const vm = await createSplitVm({
    vm: vmName.test(config.name) ? config.name : 'polyvisor',
    plan: planOf(config),
    ...options,
    consoles: [
      ...consolePorts.map(({ backend }, port) => ({ device: 'console0', port, backend })),
      { device: 'serial0', port: 0, backend: serial },
    ],
    logger,
    onLog: (_role, line) => forwardLog(line, logger),
  });
  const startedMs = performance.now();
  const say = (what: string) => (error: unknown) =>
    logger.error({ err: error }, `the machine could not be ${what}`);
  return {
    start: () => void vm.run().catch(say('started')),
    ended: vm.ended,
    stop: () => void vm.stop(),
    reset: () => void vm.reset().catch(say('reset')),
    pause: () => vm.pause(),
    resume: () => void vm.run().catch(say('resumed')),
    hold: () => vm.pause(),
    release: () => void vm.run().catch(say('resumed')),
    get ram(): Uint8Array {
      throw elsewhere('memory');
    },
    save: () => Promise.reject(elsewhere('saved state')),
    load: () => Promise.reject(elsewhere('saved state')),
    balloon() {
      throw elsewhere('balloon');
    },
    resizeConsole: (columns, rows) => vm.resizeConsole(columns, rows),
    stats: () => ({ instructions: 0, startedMs, ...vm.figures }),
    refresh: async () => {
      await vm.inspect().catch(() => {});
    },
    close: () => vm.close(),
  };
}

function elsewhere(what: string): PolyvisorError {
  return new PolyvisorError('unsupported', { what: `${what}: in another process` });
}

/** Gives a line of a process's log to this one's. */
function forwardLog(line: string, logger: Logger): void {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    // Not of our logger: Node's own words.
  }
  if (typeof fields !== 'object' || fields === null) {
    logger.error({}, line);
    return;
  }
  const { level, msg, time: _time, pid: _pid, ...rest } = fields as Record<string, unknown>;
  const at = level === 'debug' || level === 'info' || level === 'warn' ? level : 'error';
  logger[at](rest, String(msg));
}
