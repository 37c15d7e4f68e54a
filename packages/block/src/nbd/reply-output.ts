import type { NbdTransport } from './nbd-transport.ts';

/** Replies up to this long are copied together; longer ones leave from where they are. */
const COPY_BYTES = 64 * 1024;
const BATCH_BYTES = 256 * 1024;
/** Batches kept for the next turn. */
const MAX_SPARE = 4;

/**
 * Gathers messages and sends them together, once a turn of the event loop: one system call for all replies that
 * were ready, however short they are.
 */
export class ReplyOutput {
  readonly #transport: NbdTransport;
  readonly #soon: (callback: () => void) => void;
  readonly #spare: Uint8Array[] = [];
  #batch: Uint8Array | undefined;
  #fill = 0;
  #scheduled = false;
  readonly #flushSoon = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** @param soon when a batch leaves. */
  constructor(transport: NbdTransport, soon: (callback: () => void) => void) {
    this.#transport = transport;
    this.#soon = soon;
  }

  /** Bytes gathered or on their way. */
  get unsentBytes(): number {
    return this.#transport.unsentBytes + this.#fill;
  }

  /** Where to write the next `length` bytes (at most 64 KiB) of {@link buffer}: they will be sent. */
  reserve(length: number): number {
    if (this.#batch !== undefined && this.#fill + length > BATCH_BYTES) this.flush();
    this.#batch ??= this.#spare.pop() ?? new Uint8Array(BATCH_BYTES);
    const at = this.#fill;
    this.#fill += length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#soon(this.#flushSoon);
    }
    return at;
  }

  /** What {@link reserve} gave a place in last. */
  get buffer(): Uint8Array {
    return this.#batch!;
  }

  /** Copies a short message, or sends a long one; `sent`: it may be used again. */
  append(bytes: Uint8Array, sent?: () => void): void {
    if (bytes.length <= COPY_BYTES) {
      const at = this.reserve(bytes.length);
      this.#batch!.set(bytes, at);
      sent?.();
      return;
    }
    this.flush();
    this.#transport.send(bytes, sent);
  }

  flush(): void {
    const batch = this.#batch;
    if (batch === undefined || this.#fill === 0) return;
    const bytes = batch.subarray(0, this.#fill);
    this.#batch = undefined;
    this.#fill = 0;
    this.#transport.send(bytes, () => {
      if (this.#spare.length < MAX_SPARE) this.#spare.push(batch);
    });
  }
}
