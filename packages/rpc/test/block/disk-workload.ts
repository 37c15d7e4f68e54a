import type { BlockBackend } from '@polyvisor/virtio';

const CELL_BYTES = 4096;

/**
 * Random operations on a disk, never two at once on the same place, checked against a flat model. Every write has a
 * stamp of its own in all of its words, so that a write that is lost, torn, or done a second time later is seen.
 */
export class DiskWorkload {
  readonly cells: number;
  operations = 0;
  /** The longest that an operation took. */
  longestMs = 0;
  readonly #model: Uint32Array;
  readonly #busy = new Set<number>();
  readonly #random: () => number;
  #stamp: number;
  #stopped = false;

  /** @param random 0 to 1, the same for the same seed; @param firstStamp above those of an earlier workload. */
  constructor(bytes: number, random: () => number, firstStamp = 1, model?: Uint32Array) {
    this.cells = bytes / CELL_BYTES;
    this.#model = model ?? new Uint32Array(this.cells);
    this.#random = random;
    this.#stamp = firstStamp;
  }

  /** What was acknowledged: a stamp for each cell. */
  get model(): Uint32Array {
    return this.#model;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Runs until {@link stop}, or for so many operations. @throws what an operation rejected with, or what is wrong. */
  async run(disk: BlockBackend, depth: number, limit = Infinity): Promise<void> {
    const loop = async (): Promise<void> => {
      while (!this.#stopped && this.operations < limit) {
        this.operations++;
        const begun = performance.now();
        await this.#step(disk);
        this.longestMs = Math.max(this.longestMs, performance.now() - begun);
      }
    };
    await Promise.all(Array.from({ length: depth }, loop));
  }

  async #step(disk: BlockBackend): Promise<void> {
    const kind = this.#random();
    if (kind < 0.05) {
      await disk.flush();
      return;
    }
    const count = 1 + Math.floor(this.#random() ** 4 * 40);
    const first = Math.floor(this.#random() * (this.cells - count + 1));
    for (let cell = first; cell < first + count; cell++) {
      if (this.#busy.has(cell)) return new Promise((resolve) => setImmediate(resolve));
    }
    for (let cell = first; cell < first + count; cell++) this.#busy.add(cell);
    const offset = first * CELL_BYTES;
    const length = count * CELL_BYTES;
    if (kind < 0.45) {
      const target = new Uint32Array(length / 4).fill(0xdead);
      await disk.read(offset, new Uint8Array(target.buffer));
      this.#compare(first, target);
    } else {
      const stamp = kind < 0.92 ? this.#stamp++ : 0;
      if (stamp > 0) await disk.write(offset, new Uint8Array(new Uint32Array(length / 4).fill(stamp).buffer));
      else await disk.writeZeroes?.(offset, length, kind > 0.96);
      this.#model.fill(stamp, first, first + count);
    }
    for (let cell = first; cell < first + count; cell++) this.#busy.delete(cell);
  }

  /** Compares what was read from cell `first` on. @throws Error */
  #compare(first: number, words: Uint32Array): void {
    for (const [index, word] of words.entries()) {
      const cell = first + Math.floor((index * 4) / CELL_BYTES);
      const expected = this.#model[cell];
      if (word === expected) continue;
      const at = (index * 4) % CELL_BYTES;
      throw new Error(`cell ${cell}, byte ${at}: write ${word}, where ${expected} was acknowledged`);
    }
  }

  /** Compares a whole disk, when nothing is under way. @throws Error */
  check(bytes: Uint8Array): void {
    this.#compare(0, new Uint32Array(bytes.slice().buffer));
  }
}

/** Random numbers that are the same for the same seed (a linear congruential generator). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
