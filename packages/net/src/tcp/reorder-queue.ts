/** Segments kept for later; more are dropped and will be sent again. */
const SEGMENTS = 256;

interface Held {
  /** Signed 32-bit sequence number. */
  sequence: number;
  bytes: Uint8Array;
}

/** Received data that lies beyond a gap, in order. Its range is limited by the window, its number by 256 segments. */
export class ReorderQueue {
  readonly #held: Held[] = [];

  get size(): number {
    return this.#held.length;
  }

  /** Keeps a copy of the data. What is already there in one piece is not kept twice. */
  add(sequence: number, source: Uint8Array, start: number, length: number): void {
    let index = this.#held.length;
    while (index > 0 && ((this.#held[index - 1]!.sequence - sequence) | 0) > 0) index--;
    const before = this.#held[index - 1];
    if (before !== undefined && ((before.sequence + before.bytes.length - (sequence + length)) | 0) >= 0)
      return;
    if (this.#held.length >= SEGMENTS) return;
    this.#held.splice(index, 0, { sequence, bytes: source.slice(start, start + length) });
  }

  /** Takes out the data that goes on at `next`, cut to start there; undefined while there is still a gap. */
  take(next: number): Uint8Array | undefined {
    for (;;) {
      const first = this.#held[0];
      if (first === undefined) return undefined;
      const skip = (next - first.sequence) | 0;
      if (skip < 0) return undefined;
      this.#held.shift();
      if (skip < first.bytes.length) return first.bytes.subarray(skip);
    }
  }

  clear(): void {
    this.#held.length = 0;
  }
}
