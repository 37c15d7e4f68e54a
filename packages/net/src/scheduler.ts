import type { Clock, Timer } from '@polyvisor/contracts';

/** The network's view of time: milliseconds, and work put off to the end of the current batch. */
export interface Scheduler {
  nowMs(): number;
  /** Calls back once, at or after `deadlineMs`. */
  at(deadlineMs: number, callback: () => void): Timer;
  /** Calls back after whatever calls the network now has returned. */
  defer(callback: () => void): void;
}

/** A scheduler on a guest's clock, so that connections don't time out while the machine is paused. */
export function createScheduler(
  clock: Clock,
  defer: (callback: () => void) => void = queueMicrotask,
): Scheduler {
  return {
    nowMs: () => clock.nowNs() / 1e6,
    // A microsecond later, so that rounding can't make a timer fire before its own deadline.
    at: (deadlineMs, callback) => clock.at(Math.ceil(deadlineMs * 1e6) + 1_000, callback),
    defer,
  };
}

/** Time of the host, for networks made without a guest's clock. Timers don't keep a process alive. */
export function createHostClock(): Clock {
  return {
    nowNs: () => performance.now() * 1e6,
    realtimeNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n,
    at(deadlineNs, callback) {
      const timer: unknown = setTimeout(callback, Math.max(0, deadlineNs / 1e6 - performance.now()));
      // Node's timers are objects, a browser's are numbers.
      if (hasUnref(timer)) timer.unref();
      return { cancel: () => clearTimeout(timer as ReturnType<typeof setTimeout>) };
    },
  };
}

function hasUnref(timer: unknown): timer is { unref(): void } {
  return typeof timer === 'object' && timer !== null && 'unref' in timer;
}
