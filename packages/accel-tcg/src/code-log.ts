import { CODE_LOG_ENTRIES } from './vm-layout.ts';

/** What happened to a page: somebody overwrote its code, or some vCPU began to execute it (stores must be seen from now on). */
export type CodeEvent = 'overwritten' | 'translated';

const KIND_BIT: Readonly<Record<CodeEvent, number>> = { overwritten: 0, translated: 1 };

/**
 * A ring in shared memory that tells every vCPU about code pages. Any thread appends; each vCPU reads with a
 * tail of its own at safe points. A reader more than a ring behind is told so and drops everything.
 */
export interface CodeLog {
  append(page: number, event: CodeEvent): void;
  /** Entries so far, modulo 2^32; compare with a tail to see whether there is news. */
  head(): number;
  /** Calls back for each entry since `tail`; false when entries were lost. Returns the new tail through `head()` read before. */
  read(tail: number, visit: (page: number, event: CodeEvent) => void): { tail: number; complete: boolean };
}

/** Opens the log at a byte address: one head word, then pairs of (sequence, page and kind). */
export function openCodeLog(words: Int32Array, address: number): CodeLog {
  const head = address >>> 2;
  const ring = (address + 8) >>> 2;
  return {
    append(page, event) {
      const sequence = Atomics.add(words, head, 1);
      const at = ring + (sequence & (CODE_LOG_ENTRIES - 1)) * 2;
      Atomics.store(words, at + 1, (page << 1) | KIND_BIT[event]);
      // The sequence number tells readers that the entry is whole.
      Atomics.store(words, at, sequence + 1);
    },
    head: () => Atomics.load(words, head),
    read(tail, visit) {
      const end = Atomics.load(words, head);
      if (((end - tail) | 0) > CODE_LOG_ENTRIES / 2) return { tail: end, complete: false };
      for (let sequence = tail; sequence !== end; sequence = (sequence + 1) | 0) {
        const at = ring + (sequence & (CODE_LOG_ENTRIES - 1)) * 2;
        // The writer has taken its number and is about to store: a few nanoseconds.
        while (Atomics.load(words, at) !== ((sequence + 1) | 0)) {
          if (((Atomics.load(words, head) - tail) | 0) > CODE_LOG_ENTRIES / 2) return { tail: end, complete: false };
        }
        const entry = Atomics.load(words, at + 1);
        visit(entry >>> 1, (entry & 1) === 0 ? 'overwritten' : 'translated');
      }
      return { tail: end, complete: true };
    },
  };
}
