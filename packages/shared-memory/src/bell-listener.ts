import { Worker } from 'node:worker_threads';
import { CONTROL_PENDING, CONTROL_STOP, CONTROL_WORDS, type BellWorkerData } from './bell-control.ts';
import { BELL_ASLEEP, BELL_RINGS, BELL_WAKES } from './bell.ts';
import { futexWake } from './futex.ts';

/** A bell that calls this thread's event loop. */
export interface BellListener {
  /** Ends the waiting thread. No callback comes after the call. Idempotent. */
  close(): Promise<void>;
  /** The event loop may end although this listens. */
  unref(): void;
}

/** What {@link listenToBell} takes besides the bell. */
export interface BellListenerOptions {
  /** The waiting thread died: nothing will be heard any more. Default: an uncaught exception. */
  readonly onError?: (error: unknown) => void;
}

/** Calls in a row before other work of the event loop gets its turn. */
const TURNS = 4;
/** The waiting thread's memory, MiB; it does next to nothing. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16, stackSizeMb: 1 };

const listening = new Set<() => void>();

/**
 * Lets this thread's event loop be the sleeper of a bell: `callback` runs once at the start, and after each ring (one
 * call may stand for many rings). It looks for all the work there may be, with a bound of its own; if it leaves some
 * it must see to going on itself. Rings that come while it runs make it run again.
 *
 * A small thread of its own waits in the kernel and posts a message: measured from ring to callback 10-13 us, where a
 * blocked thread takes 4. One for each thread of rings that can be trusted alike, not one for each device: the thread
 * takes 30 ms to start and some 4 MiB.
 */
export function listenToBell(
  words: Int32Array,
  at: number,
  callback: () => void,
  options: BellListenerOptions = {},
): BellListener {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  let closed = false;
  // Read before the first announcement of sleep: a wake-up while the thread starts is not lost.
  const wakes = Atomics.load(words, at + BELL_WAKES);
  const workerData: BellWorkerData = { words, at, wakes, control };
  const worker = new Worker(new URL('./bell-worker.ts', import.meta.url), {
    workerData,
    resourceLimits: WORKER_LIMITS,
  });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.on('message', turn);
  if (options.onError !== undefined) worker.on('error', options.onError);
  const stop = (): void => {
    Atomics.store(control, CONTROL_STOP, 1);
    Atomics.add(words, at + BELL_WAKES, 1);
    futexWake(words, at + BELL_WAKES, 1);
  };
  if (listening.size === 0) process.on('exit', stopAll);
  listening.add(stop);
  setImmediate(turn);

  function turn(): void {
    Atomics.store(control, CONTROL_PENDING, 0);
    for (let turns = 0; turns < TURNS; turns++) {
      if (closed) return;
      const seen = Atomics.load(words, at + BELL_RINGS);
      callback();
      Atomics.store(words, at + BELL_ASLEEP, 1);
      if (Atomics.load(words, at + BELL_RINGS) === seen) return;
      // Who rang in between and saw ASLEEP has woken the thread: its message will come.
      if (Atomics.exchange(words, at + BELL_ASLEEP, 0) === 0) return;
    }
    setImmediate(turn);
  }

  return {
    async close() {
      if (!closed) {
        closed = true;
        Atomics.store(words, at + BELL_ASLEEP, 0);
        stop();
      }
      await ended;
      listening.delete(stop);
      if (listening.size === 0) process.off('exit', stopAll);
    },
    unref: () => worker.unref(),
  };
}

/** A thread that is blocked in the kernel would hold up the end of the process. */
function stopAll(): void {
  for (const stop of listening) stop();
}
