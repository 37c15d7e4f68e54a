import { CODE_LOG_ENTRIES } from './vm-layout.ts';

/**
 * What happened to a page: somebody overwrote its code, or some vCPU began to execute it (stores must be seen from
 * now on). `lost`: a vCPU missed such news, so that it can't tell any more what it overwrote; the page means nothing.
 */
export type CodeEvent = 'overwritten' | 'translated' | 'lost';

const KINDS: readonly CodeEvent[] = ['overwritten', 'translated', 'lost'];
const KIND_BITS = 2;
/** A writer that took its number is about to store: nanoseconds, unless its thread has just lost its core. */
const SPINS = 100_000;

/**
 * A ring in shared memory that tells every vCPU about code pages. Any thread appends; each vCPU reads with a
 * tail of its own at safe points. A reader more than half a ring behind is told so and drops everything.
 */
export interface CodeLog {
  /** Returns the position behind the entry. */
  append(page: number, event: CodeEvent): number;
  /** Entries so far, modulo 2^32; compare with a tail to see whether there is news. */
  head(): number;
  /** Calls back for each entry since `tail`; not `complete` when entries were lost. Gives the new tail. */
  read(tail: number, visit: (page: number, event: CodeEvent) => void): { tail: number; complete: boolean };
}

/** Opens the log at a byte address: one head word, then pairs of (sequence, page and kind). */
export function openCodeLog(words: Int32Array, address: number): CodeLog {
  const head = address >>> 2;
  const ring = (address + 8) >>> 2;

  /** Waits for the entry of that number to be whole; false when it will not be. */
  function isWhole(at: number, sequence: number): boolean {
    for (let spin = 0; spin < SPINS; spin++) {
      const stored = Atomics.load(words, at);
      if (stored === ((sequence + 1) | 0)) return true;
      // Overtaken by a whole ring.
      if (stored !== 0 && ((stored - sequence - 1) | 0) > 0) return false;
    }
    return false;
  }

  return {
    append(page, event) {
      const sequence = Atomics.add(words, head, 1);
      const at = ring + (sequence & (CODE_LOG_ENTRIES - 1)) * 2;
      Atomics.store(words, at + 1, (page << KIND_BITS) | KINDS.indexOf(event));
      // The sequence number tells readers that the entry is whole.
      Atomics.store(words, at, (sequence + 1) | 0);
      return (sequence + 1) | 0;
    },
    head: () => Atomics.load(words, head),
    read(tail, visit) {
      const end = Atomics.load(words, head);
      if (((end - tail) | 0) > CODE_LOG_ENTRIES / 2) return { tail: end, complete: false };
      for (let sequence = tail; sequence !== end; sequence = (sequence + 1) | 0) {
        const at = ring + (sequence & (CODE_LOG_ENTRIES - 1)) * 2;
        if (!isWhole(at, sequence)) return { tail: end, complete: false };
        const entry = Atomics.load(words, at + 1);
        visit(entry >>> KIND_BITS, KINDS[entry & ((1 << KIND_BITS) - 1)] ?? 'lost');
      }
      return { tail: end, complete: true };
    },
  };
}
