/** Room for a reply's header before the data, in bytes. */
export const HEADER_ROOM = 32;
const SMALL_BYTES = 4096;
const MAX_POOLED_BYTES = 2 * 1024 * 1024;
/** Bytes that are kept, of all sizes together. */
const KEPT_BYTES = 32 * 1024 * 1024;

/** Buffers of a few sizes that are used again: a fresh one of megabytes costs more than filling it. */
export class SizeClasses {
  readonly #free = new Map<number, Uint8Array[]>();
  #kept = 0;

  /** At least {@link HEADER_ROOM} + `length` bytes, holding anything. */
  take(length: number): Uint8Array {
    if (length > MAX_POOLED_BYTES) return new Uint8Array(HEADER_ROOM + length);
    const bytes = classOf(length);
    const buffer = this.#free.get(bytes)?.pop();
    if (buffer === undefined) return new Uint8Array(HEADER_ROOM + bytes);
    this.#kept -= bytes;
    return buffer;
  }

  give(buffer: Uint8Array): void {
    const bytes = buffer.length - HEADER_ROOM;
    if (bytes > MAX_POOLED_BYTES || this.#kept + bytes > KEPT_BYTES) return;
    this.#kept += bytes;
    let free = this.#free.get(bytes);
    if (free === undefined) this.#free.set(bytes, (free = []));
    free.push(buffer);
  }
}

function classOf(length: number): number {
  return length <= SMALL_BYTES ? SMALL_BYTES : 2 ** (32 - Math.clz32(length - 1));
}
