import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { CONTROL_PENDING, CONTROL_STOP, CONTROL_WORDS, type BellWorkerData } from './bell-control.ts';
import { BELL_ASLEEP, BELL_RINGS, BELL_WAKES, BY_FUTEX, BY_PIPE } from './bell.ts';
import { futexWake } from './futex.ts';

/** A bell that calls this thread's event loop. */
export interface BellListener {
  /** No callback comes after the call. Idempotent. */
  close(): Promise<void>;
  /** The event loop may end although this listens. */
  unref(): void;
}

/** What {@link listenToBell} takes besides the bell. */
export interface BellListenerOptions {
  /** Reading end of a `createBellPipe`, which the listener takes over. All who ring must have the writing end. */
  readonly pipe?: number;
  /** With a pipe: all processes that had the writing end are gone. */
  readonly onEnd?: () => void;
  /** Nothing will be heard any more. Default: an uncaught exception. */
  readonly onError?: (error: unknown) => void;
}

/** Calls in a row before other work of the event loop gets its turn. */
const TURNS = 4;
/** A peer that spoils a bell's words delays its own rings by this at most. */
const PATIENCE_MS = 1000;

/**
 * Lets this thread's event loop be the sleeper of a bell: `callback` runs once at the start, and after each ring (one
 * call may stand for many rings). It looks for all the work there may be, with a bound of its own; if it leaves some
 * it must see to going on itself. Rings that come while it runs make it run again.
 *
 * With a pipe, the event loop sleeps in the kernel itself: a round trip to it takes 8 us. Without one, a thread waits
 * for the futex and posts a message: 16 us, 30 ms to start, up to 20 MiB; `close` and the end of the process end it.
 */
export function listenToBell(
  words: Int32Array,
  at: number,
  callback: () => void,
  options: BellListenerOptions = {},
): BellListener {
  const asleep = options.pipe === undefined ? BY_FUTEX : BY_PIPE;
  let closed = false;

  function turn(): void {
    for (let turns = 0; turns < TURNS; turns++) {
      if (closed) return;
      const seen = Atomics.load(words, at + BELL_RINGS);
      callback();
      if (closed) return;
      Atomics.store(words, at + BELL_ASLEEP, asleep);
      if (Atomics.load(words, at + BELL_RINGS) === seen) return;
      // Who rang in between and saw ASLEEP has woken this thread: it will hear.
      if (Atomics.exchange(words, at + BELL_ASLEEP, 0) === 0) return;
    }
    setImmediate(turn);
  }

  const source =
    options.pipe === undefined
      ? openThread(words, at, turn, options)
      : openPipe(options.pipe, words, at, turn, options);
  setImmediate(turn);
  return {
    close() {
      if (!closed) Atomics.store(words, at + BELL_ASLEEP, 0);
      closed = true;
      return source.close();
    },
    unref: () => source.unref(),
  };
}

/** More than what a peer that keeps to the rules has under way: one byte. */
const PIPE_READ_BYTES = 4096;

function openPipe(
  fd: number,
  words: Int32Array,
  at: number,
  wake: () => void,
  { onEnd, onError }: BellListenerOptions,
): BellListener {
  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: new Uint8Array(PIPE_READ_BYTES),
      callback() {
        wake();
        return true;
      },
    },
  });
  if (onEnd !== undefined) socket.once('end', onEnd);
  if (onError !== undefined) socket.once('error', onError);
  socket.resume();
  let seen = Atomics.load(words, at + BELL_RINGS);
  const patience = setInterval(() => {
    const now = Atomics.load(words, at + BELL_RINGS);
    if (now !== seen) wake();
    seen = now;
  }, PATIENCE_MS);
  patience.unref();
  return {
    close() {
      clearInterval(patience);
      return new Promise((resolve) => {
        if (socket.closed) resolve();
        else socket.once('close', () => resolve()).destroy();
      });
    },
    unref: () => void socket.unref(),
  };
}

/** The waiting thread's memory, MiB; it does next to nothing. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16, stackSizeMb: 1 };

const listening = new Set<() => void>();

function openThread(
  words: Int32Array,
  at: number,
  wake: () => void,
  { onError }: BellListenerOptions,
): BellListener {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  // Read before the first announcement of sleep: a wake-up while the thread starts is not lost.
  const wakes = Atomics.load(words, at + BELL_WAKES);
  const workerData: BellWorkerData = { words, at, wakes, control };
  const worker = new Worker(new URL('./bell-worker.ts', import.meta.url), {
    workerData,
    resourceLimits: WORKER_LIMITS,
  });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.on('message', () => {
    Atomics.store(control, CONTROL_PENDING, 0);
    wake();
  });
  if (onError !== undefined) worker.on('error', onError);
  const stop = (): void => {
    Atomics.store(control, CONTROL_STOP, 1);
    Atomics.add(words, at + BELL_WAKES, 1);
    futexWake(words, at + BELL_WAKES, 1);
  };
  if (listening.size === 0) process.on('exit', stopAll);
  listening.add(stop);
  return {
    async close() {
      stop();
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
