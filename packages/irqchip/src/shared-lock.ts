/** A lock in one word of shared memory, for critical sections of well under a microsecond. Not reentrant. */
export interface SharedLock {
  acquire(): void;
  release(): void;
}

const FREE = 0;
const HELD = 1;
/** Held, and somebody may sleep on it. */
const CONTENDED = 2;

/** Long enough for a holder on another core to finish, short beside a sleep. */
const SPINS = 50;

/**
 * Opens the lock at `words[index]` (0 is free). 20 ns uncontended; a waiter spins a little, then sleeps, since the
 * holder may have lost its core.
 */
export function openSharedLock(words: Int32Array, index: number): SharedLock {
  return {
    acquire() {
      for (let spin = 0; spin < SPINS; spin++) {
        if (Atomics.compareExchange(words, index, FREE, HELD) === FREE) return;
      }
      while (Atomics.exchange(words, index, CONTENDED) !== FREE) Atomics.wait(words, index, CONTENDED);
    },
    release() {
      if (Atomics.exchange(words, index, FREE) === CONTENDED) Atomics.notify(words, index, 1);
    },
  };
}
