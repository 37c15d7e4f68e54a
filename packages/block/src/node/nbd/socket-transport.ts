import type { Socket } from 'node:net';
import { PolyvisorError } from '@polyvisor/contracts';
import type { NbdTransport, NbdTransportHandler } from '../../nbd/nbd-transport.ts';

/** Puts TLS over a socket; resolves once the handshake is done and the other side accepted. */
export type TlsUpgrade = (socket: Socket) => Promise<Socket>;

const NOBODY: NbdTransportHandler = { data() {}, drained() {}, closed() {} };

/** NBD over a stream socket, with TLS over it from some moment on. */
export class SocketTransport implements NbdTransport {
  handler: NbdTransportHandler = NOBODY;
  /** Absent: no TLS is configured. */
  readonly startTls?: () => Promise<void>;
  #socket: Socket;
  #secure = false;
  #closed = false;
  #error: Error | undefined;
  readonly #onData = (chunk: Uint8Array): void => this.handler.data(chunk);
  readonly #onDrain = (): void => this.handler.drained();
  readonly #onError = (error: Error): void => void (this.#error ??= error);
  readonly #onEnd = (): void => this.#socket.destroySoon();
  readonly #onClose = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.handler.closed(this.#error);
  };

  constructor(socket: Socket, upgrade?: TlsUpgrade) {
    this.#socket = socket;
    this.#listen(socket);
    if (upgrade !== undefined) this.startTls = () => this.#startTls(upgrade);
  }

  get secure(): boolean {
    return this.#secure;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  send(bytes: Uint8Array, sent?: () => void): void {
    if (this.#closed || this.#socket.destroyed) sent?.();
    else if (sent === undefined) this.#socket.write(bytes);
    else this.#socket.write(bytes, sent);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  end(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('error', this.#onError);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
  }

  async #startTls(upgrade: TlsUpgrade): Promise<void> {
    const plain = this.#socket;
    plain.off('data', this.#onData);
    plain.off('drain', this.#onDrain);
    plain.off('end', this.#onEnd);
    plain.off('close', this.#onClose);
    try {
      const socket = await upgrade(plain);
      this.#socket = socket;
      this.#secure = true;
      this.#listen(socket);
      if (socket.destroyed) this.#onClose();
    } catch (cause) {
      plain.destroy();
      this.#onClose();
      if (cause instanceof PolyvisorError) throw cause;
      const { message } = cause as Error;
      throw new PolyvisorError('permission', { what: 'TLS handshake failed', limit: message, cause });
    }
  }
}
