/** Bytes of one chunk: what one write to a host socket carries in bulk. */
export const CHUNK_BYTES = 65_536;
const KEPT = 64;

/** Chunks that are used again: the collector is slow to free external memory. */
export class ChunkPool {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(CHUNK_BYTES);
  }

  give(chunk: Uint8Array): void {
    if (this.#free.length < KEPT) this.#free.push(chunk);
  }
}
