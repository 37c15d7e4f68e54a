const SMALLEST_BYTES = 4096;
/** Free buffers kept of each size. */
const KEPT = 16;

/** Buffers between guest memory and a backend, in powers of two from 4 KiB up. */
export class BufferPool {
  readonly #free = new Map<number, Uint8Array[]>();

  /** A buffer of at least `length` bytes, with anything in it. */
  take(length: number): Uint8Array {
    const size = length <= SMALLEST_BYTES ? SMALLEST_BYTES : 2 ** Math.ceil(Math.log2(length));
    return this.#free.get(size)?.pop() ?? new Uint8Array(size);
  }

  give(buffer: Uint8Array): void {
    let free = this.#free.get(buffer.length);
    if (free === undefined) {
      free = [];
      this.#free.set(buffer.length, free);
    }
    if (free.length < KEPT) free.push(buffer);
  }
}
