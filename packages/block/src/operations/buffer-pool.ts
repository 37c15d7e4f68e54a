/** Buffers of one size that are used again; as many as were ever out at once. */
export class BufferPool {
  readonly #bytes: number;
  readonly #free: Uint8Array[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** What it holds is left over from its last user. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.#bytes);
  }

  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
  }
}
