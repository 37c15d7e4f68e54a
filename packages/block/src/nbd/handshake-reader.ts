import { PolyvisorError } from '@polyvisor/contracts';
import type { NbdTransport, NbdTransportHandler } from './nbd-transport.ts';

/** More than this waits in the connection while nobody asks for it. */
const MAX_WAITING_BYTES = 256 * 1024;
const MAX_UNSENT_BYTES = 256 * 1024;

/** The bytes of a handshake, asked for piece by piece; sends with backpressure. */
export class HandshakeReader implements NbdTransportHandler {
  readonly #transport: NbdTransport;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #wanted = 0;
  #wake: (() => void) | undefined;
  #drain: (() => void) | undefined;
  #closed = false;
  #error: Error | undefined;
  #paused = false;

  /** Takes over the transport's handler. */
  constructor(transport: NbdTransport) {
    this.#transport = transport;
    transport.handler = this;
  }

  data(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= this.#wanted) this.#wake?.();
    if (this.#bytes > this.#wanted + MAX_WAITING_BYTES && !this.#paused) {
      this.#paused = true;
      this.#transport.pause();
    }
  }

  drained(): void {
    this.#drain?.();
  }

  closed(error?: Error): void {
    this.#closed = true;
    this.#error = error;
    this.#wake?.();
    this.#drain?.();
  }

  /** Exactly so many bytes. @throws PolyvisorError `unavailable`: the connection ended before. */
  async take(length: number): Promise<Uint8Array> {
    while (this.#bytes < length) {
      this.#checkOpen();
      this.#wanted = length;
      if (this.#paused) {
        this.#paused = false;
        this.#transport.resume();
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
      this.#wanted = 0;
    }
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= length) {
      this.#bytes -= length;
      if (first.length === length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const taken = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const chunk = this.#chunks[0]!;
      const part = Math.min(chunk.length, length - done);
      taken.set(chunk.subarray(0, part), done);
      if (part === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part);
      done += part;
    }
    this.#bytes -= length;
    return taken;
  }

  /** Throws so many bytes away. */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) {
      const part = Math.min(left, MAX_WAITING_BYTES);
      await this.take(part);
      left -= part;
    }
  }

  /** Resolves when there is room for more. */
  async send(bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    this.#transport.send(bytes);
    while (this.#transport.unsentBytes > MAX_UNSENT_BYTES && !this.#closed) {
      await new Promise<void>((resolve) => (this.#drain = resolve));
      this.#drain = undefined;
    }
  }

  /** Bytes that came and were not taken. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /** Hands the connection to the next phase, with the bytes that came early. */
  handOver(handler: NbdTransportHandler): void {
    this.#transport.handler = handler;
    for (const chunk of this.#chunks.splice(0)) handler.data(chunk);
    this.#bytes = 0;
    if (this.#paused) this.#transport.resume();
    if (this.#closed) handler.closed(this.#error);
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new PolyvisorError('unavailable', {
      what: 'NBD connection ended during the handshake',
      ...(this.#error === undefined ? {} : { limit: this.#error.message, cause: this.#error }),
    });
  }
}
