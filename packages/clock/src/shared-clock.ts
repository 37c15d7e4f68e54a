import type { Clock, Timer } from '@polyvisor/contracts';
import type { ClockHandle } from './handle.ts';
import {
  CELL_EPOCH_NANOSECONDS,
  CELL_EPOCH_SECONDS,
  CELL_FROZEN,
  CELL_NEXT_DEADLINE,
  CELL_PUBLISHED,
  CELL_SKEW,
  openCells,
  WORD_RUNNING,
} from './handle.ts';
import { calibrate } from './host-time.ts';

/** The machine's clock, seen from one thread. */
export interface SharedClock extends Clock {
  readonly kind: ClockHandle['kind'];
  /** Whether guest time runs. */
  running(): boolean;
  /** Guest time stands still, and timers with it. Call while no vCPU runs, on the thread that has the timers. */
  pause(): void;
  /** Guest time goes on where it stood. Same thread as {@link pause}. */
  resume(): void;
  /** Guest time is this from now on, forward or back. While paused, on the thread that has the timers. */
  set(nowNs: number): void;
  /** icount: guest time at which the earliest timer of any device is due, or Infinity. Any thread. */
  nextDeadlineNs(): number;
  /** icount: the vCPU tells the time; never goes back. */
  publish(nowNs: number): void;
  /** icount: runs timers that are due, in order of deadline, on the thread that has them. */
  runDue(): void;
  /** Cancels this thread's timers. */
  close(): void;
}

/** Wall-clock time of guest time 0 in icount mode, where two runs must see the same: 2026-01-01T00:00:00Z. */
export const ICOUNT_REALTIME_BASE_NS = 1_767_225_600_000_000_000n;

/**
 * Opens a clock on this thread. All threads, of all processes of this host, agree to some 50 ns, less than a message between them takes, so
 * time never runs backwards from one thread to another. `nowNs` costs 30-40 ns and allocates nothing.
 */
export function createSharedClock(handle: ClockHandle, role: ClockRole = 'owner'): SharedClock {
  if (handle.kind === 'icount') return createIcountClock(handle);
  return role === 'owner' ? createWallClock(handle) : createFollower(handle);
}

/**
 * `follower`: a wall clock whose owner is elsewhere, in another process: it never writes the cells. `pause` and `resume`
 * tell it that the owner has done so, for this side's timers' sake; `set` does nothing. Without being told, a timer
 * that comes due while guest time stands still looks again every {@link FOLLOW_MS}.
 */
export type ClockRole = 'owner' | 'follower';

/** How late a timer of a follower may be after the owner resumed. */
const FOLLOW_MS = 20;

/** Longest delay that `setTimeout` takes. */
const MAX_DELAY_MS = 0x7fff_ffff;

interface PendingTimer extends Timer {
  readonly deadlineNs: number;
  readonly callback: () => void;
  timeout: ReturnType<typeof setTimeout> | undefined;
}

/** Timers and time of a wall clock, from either side. */
interface WallClock extends SharedClock {
  armAll(): void;
  disarmAll(): void;
}

function createFollower(handle: ClockHandle): SharedClock {
  const clock = createWallClock(handle, true);
  return { ...clock, pause: clock.disarmAll, resume: clock.armAll, set() {} };
}

function createWallClock(handle: ClockHandle, follows = false): WallClock {
  const { values, words } = openCells(handle);
  const offset = calibrate(values[CELL_EPOCH_SECONDS] as number, values[CELL_EPOCH_NANOSECONDS] as number);
  const pending = new Set<PendingTimer>();

  const hostNs = (): number => performance.now() * 1e6 + offset;
  function nowNs(): number {
    if (words[WORD_RUNNING] === 0) return values[CELL_FROZEN] as number;
    return hostNs() - (values[CELL_SKEW] as number);
  }

  function arm(timer: PendingTimer): void {
    disarm(timer);
    const remainingMs = Math.ceil((timer.deadlineNs - nowNs()) / 1e6);
    const least = words[WORD_RUNNING] === 0 ? FOLLOW_MS : 0;
    timer.timeout = setTimeout(() => expire(timer), Math.min(Math.max(remainingMs, least), MAX_DELAY_MS));
  }

  function expire(timer: PendingTimer): void {
    timer.timeout = undefined;
    if (words[WORD_RUNNING] === 0) {
      if (follows) arm(timer);
      return;
    }
    // setTimeout counts whole milliseconds of its own loop time and may come early.
    if (nowNs() < timer.deadlineNs) {
      arm(timer);
      return;
    }
    pending.delete(timer);
    timer.callback();
  }

  function disarm(timer: PendingTimer): void {
    if (timer.timeout !== undefined) clearTimeout(timer.timeout);
    timer.timeout = undefined;
  }

  const armAll = (): void => pending.forEach(arm);
  const disarmAll = (): void => pending.forEach(disarm);

  return {
    kind: 'wall',
    nowNs,
    realtimeNs: () => BigInt(Date.now()) * 1_000_000n,
    at(deadlineNs, callback) {
      const timer: PendingTimer = {
        deadlineNs,
        callback,
        timeout: undefined,
        cancel() {
          pending.delete(timer);
          disarm(timer);
        },
      };
      pending.add(timer);
      if (follows || words[WORD_RUNNING] !== 0) arm(timer);
      return timer;
    },
    armAll,
    disarmAll,
    running: () => words[WORD_RUNNING] !== 0,
    pause() {
      if (words[WORD_RUNNING] === 0) return;
      values[CELL_FROZEN] = nowNs();
      Atomics.store(words, WORD_RUNNING, 0);
      disarmAll();
    },
    resume() {
      if (words[WORD_RUNNING] !== 0) return;
      values[CELL_SKEW] = hostNs() - (values[CELL_FROZEN] as number);
      Atomics.store(words, WORD_RUNNING, 1);
      armAll();
    },
    set: (now) => void (values[CELL_FROZEN] = now),
    nextDeadlineNs: () => Infinity,
    publish() {},
    runDue() {},
    close() {
      disarmAll();
      pending.clear();
    },
  };
}

function createIcountClock(handle: ClockHandle): SharedClock {
  const { values, words } = openCells(handle);
  // Sorted by deadline, earliest first; equal deadlines in the order of their making.
  const pending: PendingTimer[] = [];

  const nowNs = (): number => values[CELL_PUBLISHED] as number;
  function announce(): void {
    values[CELL_NEXT_DEADLINE] = pending[0]?.deadlineNs ?? Infinity;
  }

  return {
    kind: 'icount',
    nowNs,
    realtimeNs: () => ICOUNT_REALTIME_BASE_NS + BigInt(Math.floor(nowNs())),
    at(deadlineNs, callback) {
      const timer: PendingTimer = {
        deadlineNs,
        callback,
        timeout: undefined,
        cancel() {
          const index = pending.indexOf(timer);
          if (index < 0) return;
          pending.splice(index, 1);
          announce();
        },
      };
      const after = pending.findIndex((other) => other.deadlineNs > deadlineNs);
      pending.splice(after < 0 ? pending.length : after, 0, timer);
      announce();
      return timer;
    },
    running: () => words[WORD_RUNNING] !== 0,
    pause: () => void Atomics.store(words, WORD_RUNNING, 0),
    resume: () => void Atomics.store(words, WORD_RUNNING, 1),
    set: (now) => void (values[CELL_PUBLISHED] = now),
    nextDeadlineNs: () => values[CELL_NEXT_DEADLINE] as number,
    publish(now) {
      if (now > nowNs()) values[CELL_PUBLISHED] = now;
    },
    runDue() {
      for (;;) {
        const timer = pending[0];
        if (timer === undefined || timer.deadlineNs > nowNs()) return;
        pending.shift();
        announce();
        timer.callback();
      }
    },
    close() {
      pending.length = 0;
      announce();
    },
  };
}
