import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { cancelledError, checkCancelled } from '../graph/check-range.ts';
import { ClientConnection } from './client-connection.ts';
import type { NbdExportInfo } from './client-handshake.ts';
import type { ClientRequest } from './client-request.ts';
import type { HandshakeReader } from './handshake-reader.ts';
import { errorOfReply } from './nbd-error.ts';
import { COMMAND, EXPORT_FLAG } from './nbd-protocol.ts';
import type { NbdTransport } from './nbd-transport.ts';

/** Requests on the wire at once; more wait here. */
const MAX_IN_FLIGHT = 128;
/** Between attempts to connect. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;

/** A connection whose handshake is done. */
export interface NbdOpening {
  readonly transport: NbdTransport;
  /** Holds the bytes that came after the handshake. */
  readonly reader: HandshakeReader;
  readonly info: NbdExportInfo;
}

/** Makes a connection and shakes hands. @throws PolyvisorError */
export type NbdConnector = (signal: AbortSignal) => Promise<NbdOpening>;

const WHAT: Readonly<Record<number, string>> = {
  [COMMAND.read]: "can't read from NBD server",
  [COMMAND.write]: "can't write to NBD server",
  [COMMAND.flush]: "can't flush disk of NBD server",
  [COMMAND.trim]: "can't discard on NBD server",
  [COMMAND.writeZeroes]: "can't zero a range on NBD server",
  [COMMAND.blockStatus]: "can't ask NBD server for block status",
  [COMMAND.resize]: "can't resize disk of NBD server",
};

/** A connection that is made again when it is lost; requests outlive it. */
export class NbdLink {
  /** What a server must still have after a reconnect. */
  expectedSize = 0;
  readonly #connector: NbdConnector;
  readonly #name: string;
  readonly #logger: Logger;
  readonly #delayMs: number;
  readonly #abort = new AbortController();
  #connection: ClientConnection | undefined;
  #info: NbdExportInfo | undefined;
  #waiting: ClientRequest[] = [];
  #connecting: Promise<void> | undefined;
  /** Why the last attempt failed; requests fail so too until the next one is due. */
  #failure: PolyvisorError | undefined;
  #retryAt = 0;
  /** Connections lost since a server answered anything, and when the first of them was. */
  #losses = 0;
  #lostAt = 0;
  #closed = false;

  constructor(
    connector: NbdConnector,
    options: { readonly name: string; readonly logger: Logger; readonly reconnectDelayMs: number },
  ) {
    this.#connector = connector;
    this.#name = options.name;
    this.#logger = options.logger;
    this.#delayMs = options.reconnectDelayMs;
  }

  get info(): NbdExportInfo {
    return this.#info!;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** The first connection. */
  async open(timeoutMs: number, signal: AbortSignal | undefined): Promise<NbdExportInfo> {
    const abort = (): void => this.#abort.abort(signal?.reason);
    checkCancelled(signal);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.#connect(timeoutMs);
    } catch (error) {
      throw signal?.aborted === true ? cancelledError(signal) : error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    this.expectedSize = this.info.size;
    return this.info;
  }

  /** Resolves with the answer. @throws PolyvisorError as the server says; `unavailable`, `cancelled`, `corrupt` */
  submit(request: ClientRequest, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) {
      return Promise.reject(
        new PolyvisorError('precondition', { what: 'disk is closed', which: this.#name }),
      );
    }
    if (signal !== undefined) {
      const abort = (): void => this.#cancel(request, signal);
      signal.addEventListener('abort', abort, { once: true });
      const forget = (): void => signal.removeEventListener('abort', abort);
      request.promise.then(forget, forget);
    }
    const connection = this.#connection;
    if (connection !== undefined && connection.inFlight < MAX_IN_FLIGHT && this.#waiting.length === 0) {
      connection.send(request);
      return request.promise;
    }
    this.#waiting.push(request);
    if (connection === undefined) this.#recover();
    return request.promise;
  }

  /** Ends the connection; whoever still waits is told. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#abort.abort();
    const closing = new PolyvisorError('cancelled', { what: 'disk was closed', which: this.#name });
    for (const request of this.#waiting.splice(0)) request.reject(closing);
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.disconnect();
    await this.#connecting?.catch(() => {});
  }

  #cancel(request: ClientRequest, signal: AbortSignal): void {
    const index = this.#waiting.indexOf(request);
    if (index >= 0) this.#waiting.splice(index, 1);
    // A payload that still leaves from the caller's memory keeps its request.
    else if (request.pins > 0) return;
    request.abandoned = true;
    request.reject(cancelledError(signal));
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    let sent = 0;
    while (sent < this.#waiting.length && connection.inFlight < MAX_IN_FLIGHT)
      connection.send(this.#waiting[sent++]!);
    if (sent > 0) this.#waiting.splice(0, sent);
  }

  readonly #answered = (request: ClientRequest): void => {
    this.#losses = 0;
    if (this.#waiting.length > 0) this.#pump();
    if (request.error === 0) return request.resolve();
    const what = WHAT[request.type] ?? 'NBD server refuses';
    request.reject(errorOfReply(request.error, what, this.#name, request.message));
  };

  /** A connection broke: its requests wait for the next one, or fail. */
  #lost(requests: readonly ClientRequest[], error: Error | undefined, broken: boolean): void {
    this.#connection = undefined;
    const left = requests.filter((request) => !request.abandoned);
    const failure =
      error instanceof PolyvisorError
        ? error
        : new PolyvisorError('unavailable', {
            what: 'NBD connection is lost',
            which: this.#name,
            ...(error === undefined ? {} : { limit: error.message, cause: error }),
          });
    if (this.#closed) {
      for (const request of left) request.reject(failure);
      return;
    }
    this.#logger.warn({ disk: this.#name, pending: left.length }, failure.parts.what);
    if (broken) {
      // A server that talks nonsense is not asked the same again and again.
      this.#giveUp(failure);
      for (const request of left) request.reject(failure);
      return;
    }
    if (this.#losses++ === 0) this.#lostAt = performance.now();
    if (this.#delayMs === 0) for (const request of left) request.reject(failure);
    else {
      for (const request of left) request.restart();
      this.#waiting.unshift(...left);
    }
    if (this.#waiting.length > 0 || this.#delayMs > 0) this.#recover();
  }

  /** Connects again, if it isn't being done; those that wait fail when it doesn't work in time. */
  #recover(): void {
    if (this.#connecting !== undefined || this.#closed) return;
    if (this.#failure !== undefined && performance.now() < this.#retryAt)
      return this.#failWaiting(this.#failure);
    this.#connecting = this.#reconnect()
      .catch((error: unknown) => {
        this.#giveUp(
          error instanceof PolyvisorError
            ? error
            : new PolyvisorError('internal', {
                what: "can't connect again",
                which: this.#name,
                cause: error,
              }),
        );
      })
      .then(() => {
        this.#connecting = undefined;
        // It may have been lost again before this ran.
        if (this.#connection === undefined && this.#waiting.length > 0) this.#recover();
      });
  }

  /** A server that takes connections and loses them has no more time than one that takes none. */
  async #reconnect(): Promise<void> {
    const left = this.#failure === undefined ? this.#lostAt + this.#delayMs - performance.now() : 0;
    if (this.#losses > 1) {
      if (left <= 0) {
        throw new PolyvisorError('unavailable', {
          what: 'NBD connection is lost again and again',
          which: this.#name,
        });
      }
      await this.#sleep(Math.min(left, MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#losses - 2)));
    }
    await this.#connect(left);
  }

  #giveUp(failure: PolyvisorError): void {
    this.#failure = failure;
    this.#retryAt = performance.now() + MAX_PAUSE_MS;
    this.#losses = 0;
    this.#failWaiting(failure);
  }

  #failWaiting(error: PolyvisorError): void {
    for (const request of this.#waiting.splice(0)) request.reject(error);
  }

  async #connect(timeoutMs: number): Promise<void> {
    const until = performance.now() + timeoutMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
      try {
        this.#install(await this.#connector(this.#abort.signal));
        return;
      } catch (error) {
        const transient = error instanceof PolyvisorError && error.code === 'unavailable';
        if (!transient || this.#abort.signal.aborted || performance.now() + pauseMs > until) throw error;
      }
      await this.#sleep(pauseMs);
    }
  }

  #install({ transport, reader, info }: NbdOpening): void {
    const before = this.#info;
    if (this.#closed) {
      transport.destroy();
      throw cancelledError();
    }
    const needed = (before?.flags ?? 0) & ~(EXPORT_FLAG.rotational | EXPORT_FLAG.readOnly);
    const changed =
      before !== undefined &&
      (info.size !== this.expectedSize ||
        (needed & ~info.flags) !== 0 ||
        (info.flags & ~before.flags & EXPORT_FLAG.readOnly) !== 0 ||
        info.minimumBlock !== before.minimumBlock ||
        info.maximumPayload < before.maximumPayload);
    if (changed) {
      transport.destroy();
      throw new PolyvisorError('io', {
        what: 'NBD export is another one after the connection was lost',
        which: this.#name,
        limit: `${info.size} bytes instead of ${this.expectedSize}, or it can do less`,
      });
    }
    if (before !== undefined) this.#logger.info({ disk: this.#name }, 'NBD connection is back');
    this.#info = info;
    const connection: ClientConnection = new ClientConnection(
      transport,
      info,
      {
        answered: this.#answered,
        lost: (requests, error, broken) => {
          if (this.#connection === connection) return this.#lost(requests, error, broken);
          const gone = new PolyvisorError('cancelled', { what: 'disk was closed', which: this.#name });
          for (const request of requests) if (!request.abandoned) request.reject(gone);
        },
      },
      this.#name,
    );
    this.#connection = connection;
    this.#failure = undefined;
    reader.handOver(connection);
    this.#pump();
  }

  #sleep(ms: number): Promise<void> {
    const { signal } = this.#abort;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        clearTimeout(timer);
        reject(cancelledError(signal));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      }, ms);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
