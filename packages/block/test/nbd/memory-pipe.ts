import type { NbdTransport, NbdTransportHandler } from '../../src/nbd/nbd-transport.ts';

/** Cuts what is sent into the pieces that arrive; gives the length of the next one. */
export type Cutter = (available: number) => number;

const NOBODY: NbdTransportHandler = { data() {}, drained() {}, closed() {} };

/** One end of a connection in memory. Buffers may be used again as soon as `sent` was called, as with a socket. */
export class PipeEnd implements NbdTransport {
  handler: NbdTransportHandler = NOBODY;
  readonly secure = false;
  peer: PipeEnd | undefined;
  /** Most bytes that ever waited here. */
  mostUnsent = 0;
  readonly #cutter: Cutter;
  #queue: { readonly bytes: Uint8Array; at: number; readonly sent: (() => void) | undefined }[] = [];
  #unsent = 0;
  #paused = false;
  #scheduled = false;
  #ending = false;
  #closed = false;

  constructor(cutter: Cutter = (available) => available) {
    this.#cutter = cutter;
  }

  get unsentBytes(): number {
    return this.#unsent;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  send(bytes: Uint8Array, sent?: () => void): void {
    if (this.#closed || this.#ending) {
      sent?.();
      return;
    }
    this.#queue.push({ bytes, at: 0, sent });
    this.#unsent += bytes.length;
    this.mostUnsent = Math.max(this.mostUnsent, this.#unsent);
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.peer?.wake();
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  end(): void {
    this.#ending = true;
    this.#schedule();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#close();
    const { peer } = this;
    setImmediate(() => peer?.end());
  }

  /** The other side takes data again. */
  wake(): void {
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const { peer } = this;
    while (this.#queue.length > 0 && !this.#closed && peer !== undefined && !peer.#paused && !peer.#closed) {
      const first = this.#queue[0]!;
      const available = first.bytes.length - first.at;
      const part = available === 0 ? 0 : Math.max(1, Math.min(available, this.#cutter(available)));
      const chunk = first.bytes.slice(first.at, first.at + part);
      first.at += part;
      this.#unsent -= part;
      if (first.at === first.bytes.length) {
        this.#queue.shift();
        first.sent?.();
      }
      if (part > 0) peer.handler.data(chunk);
      if (this.#queue.length === 0 && !this.#closed) this.handler.drained();
    }
    const stuck = peer === undefined || peer.#closed;
    if (this.#ending && (this.#queue.length === 0 || stuck)) {
      this.#close();
      peer?.end();
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { sent } of this.#queue.splice(0)) sent?.();
    this.#unsent = 0;
    const { handler } = this;
    setImmediate(() => handler.closed());
  }
}

/** A connection in memory. */
export function memoryPipe(cutter?: Cutter): readonly [client: PipeEnd, server: PipeEnd] {
  const client = new PipeEnd(cutter);
  const server = new PipeEnd(cutter);
  client.peer = server;
  server.peer = client;
  return [client, server];
}
