import { writeByte } from './bell-pipe.ts';
import { futexWait, futexWake, type FutexResult } from './futex.ts';

/*
 * A bell: three words in shared memory on which one sleeper waits for any number of ringers, in any process.
 *
 *   ringer:  RINGS + 1; if ASLEEP is not 0 (exchanged for 0): wake the sleeper, in the way that ASLEEP said:
 *            BY_FUTEX: WAKES + 1, wake who waits for WAKES; BY_PIPE: write a byte into the sleeper's pipe
 *   sleeper: serve; ASLEEP = how to wake it; if RINGS is another than before serving: serve again, else sleep
 *
 * Either the ringer sees ASLEEP or the sleeper sees RINGS: both are sequentially consistent operations, so no ring is
 * lost. A futex waits for WAKES, not RINGS, so that rings to somebody who is awake cost no system call on either side.
 * A hostile peer can make its sleeper's rings late or too many, so peers that do not trust each other have a bell each,
 * and a sleeper bounds what it serves at a time.
 */

/** Rings so far. */
export const BELL_RINGS = 0;
/** Not 0: the sleeper must be woken, {@link BY_FUTEX} or {@link BY_PIPE}. */
export const BELL_ASLEEP = 1;
/** Wake-ups so far: the futex. */
export const BELL_WAKES = 2;
/** Values of ASLEEP. */
export const BY_FUTEX = 1;
export const BY_PIPE = 2;
/** Words of a bell: a cache line, so that two bells share none. */
export const BELL_WORDS = 16;

/** Where a bell lies, and how to ring it. */
export interface BellPlace {
  /** Over shared memory. */
  readonly words: Int32Array;
  /** First of {@link BELL_WORDS} words, zeroed at first. */
  readonly at: number;
  /** Descriptor of the pipe's writing end, if the sleeper is an event loop that has the reading end. */
  readonly pipe?: number;
}

/**
 * Tells the bell's sleeper that there is something to do. 15 ns while it is awake, else 1.5-2.5 us. Allocates nothing.
 * What it is about must be written before.
 * @param pipe Writing end of the sleeper's pipe, if it has one.
 */
export function ringBell(words: Int32Array, at: number, pipe?: number): void {
  Atomics.add(words, at + BELL_RINGS, 1);
  if (Atomics.load(words, at + BELL_ASLEEP) === 0) return;
  const asleep = Atomics.exchange(words, at + BELL_ASLEEP, 0);
  if (asleep === 0) return;
  if (pipe !== undefined && asleep === BY_PIPE) {
    writeByte(pipe);
    return;
  }
  Atomics.add(words, at + BELL_WAKES, 1);
  futexWake(words, at + BELL_WAKES, 1);
}

/** Rings so far, for {@link waitForBell}: read it before looking for work. */
export function bellRings(words: Int32Array, at: number): number {
  return Atomics.load(words, at + BELL_RINGS);
}

/**
 * Blocks this thread until somebody rings, at most `timeoutMs`. For the one sleeper of a bell:
 * `for (;;) { const seen = bellRings(words, at); serveAll(); waitForBell(words, at, seen, 1000); }`.
 * `changed`: it rang since `seen`. From ring to return 3-6 us where a core is free.
 */
export function waitForBell(words: Int32Array, at: number, seen: number, timeoutMs: number): FutexResult {
  const wakes = Atomics.load(words, at + BELL_WAKES);
  Atomics.store(words, at + BELL_ASLEEP, BY_FUTEX);
  let result: FutexResult = 'changed';
  if (Atomics.load(words, at + BELL_RINGS) === seen) {
    result = futexWait(words, at + BELL_WAKES, wakes, timeoutMs);
  }
  Atomics.store(words, at + BELL_ASLEEP, 0);
  return result;
}
