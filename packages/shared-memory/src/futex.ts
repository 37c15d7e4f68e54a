import { constants } from 'node:os';
import { PolyvisorError } from '@polyvisor/contracts';
import { addressOf, hostError, lastErrno, openLibc } from './libc.ts';

/*
 * V8's Atomics.wait and Atomics.notify keep their lists of waiters within one process. These are the kernel's, keyed
 * by the memory itself: they reach every process that has it mapped. A thread blocked here is not woken by
 * Atomics.notify, nor the other way round. Source: futex(2).
 */

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;

const { EAGAIN, EINTR, ETIMEDOUT } = constants.errno;
const SYS_FUTEX: Readonly<Record<string, number>> = { x64: 202, arm64: 98 };

/** Why {@link futexWait} returned; `changed`: the word was another from the start. All but `timeout` may be spurious. */
export type FutexResult = 'woken' | 'changed' | 'timeout' | 'interrupted';

// Not on the garbage-collected heap: its address stays.
const timespec = new Int32Array(new ArrayBuffer(16));
const timespecAddress = addressOf(timespec.buffer);
const sysFutex = SYS_FUTEX[process.arch];

/**
 * Blocks this thread while `words[index]` is `expected`, until somebody wakes it ({@link futexWake}), at most
 * `timeoutMs` (Infinity: for ever). A thread that is blocked here can't be terminated: wake it, or give a timeout.
 * From wake to return 3-6 us where a core is free; 0.7 us when the word has changed already. Allocates nothing.
 * @param words Over shared memory: a wasm memory's buffer, for other processes.
 * @throws PolyvisorError `unsupported`, `invalid-argument`.
 */
export function futexWait(
  words: Int32Array,
  index: number,
  expected: number,
  timeoutMs: number,
): FutexResult {
  let timeout = 0;
  if (timeoutMs < Number.MAX_SAFE_INTEGER) {
    const seconds = Math.floor(Math.max(timeoutMs, 0) / 1000);
    timespec[0] = seconds;
    timespec[1] = Math.floor(seconds / 0x1_0000_0000);
    timespec[2] = Math.floor((Math.max(timeoutMs, 0) - seconds * 1000) * 1e6);
    timespec[3] = 0;
    timeout = timespecAddress;
  }
  const address = addressOfWord(words, index);
  if (openLibc().futex(number(), address, FUTEX_WAIT, expected | 0, timeout, 0, 0) === 0) return 'woken';
  const errno = lastErrno();
  if (errno === EAGAIN) return 'changed';
  if (errno === ETIMEDOUT) return 'timeout';
  if (errno === EINTR) return 'interrupted';
  throw hostError("can't wait for shared memory", `word ${index}`);
}

/**
 * Wakes up to `count` threads, of any process, that wait for `words[index]`. Returns how many. Change the word before.
 * 0.5 us when nobody waits, 1-2 us when somebody does. Allocates nothing.
 * @throws PolyvisorError `unsupported`, `invalid-argument`.
 */
export function futexWake(words: Int32Array, index: number, count: number): number {
  const woken = openLibc().futex(number(), addressOfWord(words, index), FUTEX_WAKE, count, 0, 0, 0);
  if (woken < 0) throw hostError("can't wake who waits for shared memory", `word ${index}`);
  return woken;
}

function addressOfWord(words: Int32Array, index: number): number {
  if (index < 0 || index >= words.length) {
    throw new PolyvisorError('invalid-argument', {
      what: 'no such futex',
      limit: `word ${index} of ${words.length}`,
    });
  }
  return addressOf(words.buffer) + words.byteOffset + index * 4;
}

function number(): number {
  if (sysFutex !== undefined) return sysFutex;
  throw new PolyvisorError('unsupported', { what: 'no futexes', which: `processor ${process.arch}` });
}
