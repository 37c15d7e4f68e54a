import { PolyvisorError } from '@polyvisor/contracts';
import type { Machine, MachineConfig, MachineEnd } from '../config.ts';
import type { Board } from './board.ts';

/** The life of a machine around its board, and the entrance for what the guest asks. */
export interface MachineLife {
  readonly machine: Machine;
  /** The guest powered off, a part failed, or somebody pulled the plug. The first one counts. */
  end(end: MachineEnd): void;
  /** The guest asked for a reset. */
  reboot(): void;
}

/** How long vCPUs may take to stand still when they aren't asked whether they like it. */
const UNPLUG_TIMEOUT_MS = 2000;

/**
 * Makes the machine of a board. What is asked of it is done one after another; vCPUs are told to park at once,
 * so a guest that powered off runs no further than to its next safe point.
 * @param board made before the first call of anything here; `events` may come as soon as vCPUs run.
 */
export function createMachineLife(
  config: Pick<MachineConfig, 'noReboot' | 'logger' | 'name'>,
  board: Board,
): MachineLife {
  const { pool, clock } = board;
  const { promise: ended, resolve: resolveEnded } = Promise.withResolvers<MachineEnd>();
  let ending: MachineEnd | undefined;
  let paused = false;
  let held = false;
  let started = false;
  let startedMs = 0;
  let resets = 0;
  let closing: Promise<void> | undefined;
  let queue: Promise<void> = Promise.resolve();

  /** After everything asked before. A failure of the host ends the machine. */
  function enqueue(work: () => Promise<void>): Promise<void> {
    queue = queue.then(work).catch((error: unknown) => {
      end({ kind: 'failure', error: error instanceof Error ? error : new Error(String(error)) });
    });
    return queue;
  }

  /** Likewise, for what the caller must know of and the machine survives. */
  function enqueueFor<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work);
    queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  function refuseWhileRunning(what: string, standing: boolean): void {
    if (standing && ending === undefined) return;
    throw new PolyvisorError('busy', {
      what,
      ...(ending === undefined ? { hint: 'pause it first' } : { limit: 'it has ended' }),
    });
  }

  async function standStill(): Promise<void> {
    await pool.park();
    clock.pause();
  }

  function goOn(): void {
    if (ending !== undefined || paused || held || !started) return;
    clock.resume();
    pool.unpark();
  }

  function end(how: MachineEnd): void {
    if (ending !== undefined) return;
    ending = how;
    void pool.park();
    const clean = how.kind === 'power-off' || how.kind === 'reboot';
    const done = enqueue(async () => {
      await standStill();
      // A clean end leaves files complete; a pulled plug doesn't wait for them.
      if (clean) await quiesceDevices();
    });
    void done.then(() => resolveEnded(how));
    // Whatever hangs can't keep a plug from being pulled; closing ends its thread.
    if (!clean) setTimeout(() => resolveEnded(how), UNPLUG_TIMEOUT_MS).unref();
  }

  async function quiesceDevices(): Promise<void> {
    await Promise.all(board.devices().map((device) => device.quiesce()));
  }

  function resumeDevices(): void {
    for (const device of board.devices()) device.resume();
  }

  function reset(): void {
    if (ending !== undefined || !started) return;
    void pool.park();
    void enqueue(async () => {
      if (ending !== undefined) return;
      await standStill();
      await quiesceDevices();
      await board.reset();
      resets++;
      if (paused) return;
      resumeDevices();
      goOn();
    });
  }

  const machine: Machine = {
    start() {
      if (started || ending !== undefined) return;
      started = true;
      startedMs = performance.now();
      goOn();
    },
    ended,
    stop: () => end({ kind: 'stopped' }),
    reset,
    pause() {
      return enqueue(async () => {
        if (paused || ending !== undefined) return;
        paused = true;
        await standStill();
        await quiesceDevices();
      });
    },
    resume() {
      void enqueue(async () => {
        if (!paused || ending !== undefined) return;
        paused = false;
        resumeDevices();
        goOn();
      });
    },
    hold() {
      held = true;
      return enqueue(async () => {
        if (!held || ending !== undefined) return;
        await pool.hold();
        clock.pause();
      });
    },
    release() {
      held = false;
      void enqueue(() => Promise.resolve(goOn()));
    },
    ram: board.ram,
    save: () =>
      enqueueFor(async () => {
        refuseWhileRunning("can't save the machine", paused);
        // A reset since then has told devices elsewhere another state.
        await quiesceDevices();
        return board.save();
      }),
    load: (parts) =>
      enqueueFor(async () => {
        refuseWhileRunning("can't load a state", paused || !started);
        if (!paused) await quiesceDevices();
        try {
          await board.load(parts);
          // Devices elsewhere say only now whether they can be in that state.
          await quiesceDevices();
        } catch (error) {
          await board.reset();
          throw error;
        } finally {
          if (!paused) resumeDevices();
        }
      }),
    balloon(targetBytes) {
      board.balloon(targetBytes);
    },
    resizeConsole(columns, rows) {
      board.resizeConsole(columns, rows);
    },
    stats: () => ({ instructions: 0, ...board.stats(), startedMs, firstRunMs: pool.firstRunMs(), resets }),
    close() {
      closing ??= (async () => {
        end({ kind: 'stopped' });
        await ended;
        await board.close();
      })();
      return closing;
    },
  };

  return {
    machine,
    end,
    reboot() {
      if (config.noReboot) end({ kind: 'reboot' });
      else reset();
    },
  };
}
