import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode, WriteOptions } from '../graph/block-node.ts';
import { blockStatus } from '../operations/block-status.ts';
import { piecesOf } from '../graph/parallel.ts';
import { get16, get32, get64, put16, put32, put64 } from './big-endian.ts';
import { collectExtents } from './collect-extents.ts';
import { messageOf, nbdErrorOf } from './nbd-error.ts';
import { blockSizesOf, isResizable } from './nbd-export.ts';
import type { NbdExport } from './nbd-export.ts';
import {
  COMMAND,
  COMMAND_FLAG,
  MAX_PAYLOAD_BYTES,
  NBD_ERROR,
  REPLY,
  REPLY_FLAG_DONE,
  REQUEST_BYTES,
  REQUEST_MAGIC,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_BYTES,
  STRUCTURED_REPLY_MAGIC,
} from './nbd-protocol.ts';
import type { NbdTransport, NbdTransportHandler } from './nbd-transport.ts';
import { ReplyOutput } from './reply-output.ts';
import type { NbdAgreement } from './server-handshake.ts';
import { ServerRequest } from './server-request.ts';
import { HEADER_ROOM, SizeClasses } from './size-classes.ts';

/** Requests of one client under way at once; more wait in its socket. */
const MAX_IN_FLIGHT = 128;
/** Bytes of requests and replies at which no more are taken; one request may go beyond. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;
/** Reads from this length on are looked through for holes, and cut. */
const SPARSE_READ_BYTES = 64 * 1024;
const PIECE_BYTES = 2 * 1024 * 1024;
/** Zeroes and discards are cut into pieces of this length: a client that left stops them. */
const ZERO_PIECE_BYTES = 2 ** 30;

/** Flags that a command may have; FUA is allowed everywhere. */
const ALLOWED_FLAGS: Readonly<Record<number, number>> = {
  [COMMAND.read]: COMMAND_FLAG.fua | COMMAND_FLAG.dontFragment,
  [COMMAND.write]: COMMAND_FLAG.fua,
  [COMMAND.flush]: COMMAND_FLAG.fua,
  [COMMAND.trim]: COMMAND_FLAG.fua,
  [COMMAND.cache]: COMMAND_FLAG.fua,
  [COMMAND.writeZeroes]: COMMAND_FLAG.fua | COMMAND_FLAG.noHole | COMMAND_FLAG.fastZero,
  [COMMAND.blockStatus]: COMMAND_FLAG.fua | COMMAND_FLAG.requestOne,
  [COMMAND.resize]: COMMAND_FLAG.fua,
};
const CHANGES = new Set<number>([COMMAND.write, COMMAND.trim, COMMAND.writeZeroes, COMMAND.resize]);
const FUA: WriteOptions = { fua: true };

/** Figures of a session. */
export interface NbdSessionFigures {
  requests: number;
  errors: number;
}

/** What a session has in common with others. */
export interface NbdSessionDependencies {
  /** No other client uses the disk: it may be made smaller. */
  readonly alone?: () => boolean;
  readonly pool?: SizeClasses;
}

/**
 * The transmission phase on the server's side: takes requests as they come, in any number up to a limit of count and
 * of bytes, and answers in the order in which they are done.
 */
export class ServerSession implements NbdTransportHandler {
  readonly figures: NbdSessionFigures = { requests: 0, errors: 0 };
  /** Counts what moves in either direction; a watcher finds clients that stand still. */
  progress = 0;
  readonly #transport: NbdTransport;
  readonly #entry: NbdExport;
  readonly #node: BlockNode;
  readonly #agreement: NbdAgreement;
  readonly #readOnly: boolean;
  readonly #minimum: number;
  readonly #output: ReplyOutput;
  readonly #pool: SizeClasses;
  readonly #free: ServerRequest[] = [];
  readonly #header = new Uint8Array(REQUEST_BYTES);
  #headerFill = 0;
  /** The write whose payload is coming, and how much of it came. */
  #receiving: ServerRequest | undefined;
  #received = 0;
  #skip = 0;
  #waiting: Uint8Array[] = [];
  #paused = false;
  #inFlight = 0;
  #held = 0;
  #ending = false;
  #closed = false;
  #drainWaiters: (() => void)[] = [];
  #ended: (() => void) | undefined;
  /** Resolves once the connection is closed and nothing is under way any more. */
  readonly finished: Promise<void>;
  readonly #alone: () => boolean;

  /** @param pool buffers, which the sessions of a server may share. */
  constructor(
    transport: NbdTransport,
    agreement: NbdAgreement,
    { alone = () => true, pool = new SizeClasses() }: NbdSessionDependencies = {},
  ) {
    const { entry } = agreement;
    this.#transport = transport;
    this.#agreement = agreement;
    this.#entry = entry;
    this.#node = entry.node;
    this.#readOnly = entry.readOnly || entry.node.readOnly;
    this.#minimum = blockSizesOf(entry).minimum;
    this.#alone = alone;
    this.#pool = pool;
    this.#output = new ReplyOutput(transport, (callback) => transport.soon(callback));
    this.finished = new Promise((resolve) => (this.#ended = resolve));
  }

  /** Nothing is under way, and nothing is half received. */
  get idle(): boolean {
    return this.#inFlight === 0 && this.#receiving === undefined && this.#headerFill === 0 && !this.#blocked;
  }

  get #blocked(): boolean {
    return this.#output.unsentBytes > 0;
  }

  /** It is the client's turn: to read what was sent, or to send what it began. */
  get waitsForClient(): boolean {
    return this.#blocked || this.#receiving !== undefined || this.#headerFill > 0;
  }

  data(chunk: Uint8Array): void {
    this.progress++;
    if (this.#ending) return;
    if (this.#paused) this.#waiting.push(chunk);
    else this.#parse(chunk);
  }

  drained(): void {
    this.progress++;
    for (const wake of this.#drainWaiters.splice(0)) wake();
    this.#resume();
  }

  closed(): void {
    this.#closed = true;
    this.#ending = true;
    this.#waiting = [];
    if (this.#receiving !== undefined) {
      this.#receiving = undefined;
      this.#inFlight--;
    }
    for (const wake of this.#drainWaiters.splice(0)) wake();
    this.#settle();
  }

  /** Takes no more requests; resolves once those under way are answered, and the connection is ended. */
  async shutDown(): Promise<void> {
    this.#end();
    await this.finished;
  }

  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#waiting = [];
    if (this.#receiving !== undefined) {
      this.#receiving = undefined;
      this.#inFlight--;
    }
    this.#settle();
  }

  /** Ends what is to be ended once nothing is under way. */
  #settle(): void {
    if (!this.#ending || this.#inFlight > 0) return;
    if (this.#closed) {
      this.#ended?.();
      return;
    }
    this.#output.flush();
    this.#transport.end();
  }

  #drop(): void {
    this.#ending = true;
    this.#waiting = [];
    this.#transport.destroy();
  }

  get #hasRoom(): boolean {
    return this.#inFlight < MAX_IN_FLIGHT && this.#held + this.#output.unsentBytes < MAX_HELD_BYTES;
  }

  #resume(): void {
    if (!this.#paused || this.#ending || !this.#hasRoom) return;
    this.#paused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const chunk of waiting) {
      if (this.#paused) this.#waiting.push(chunk);
      else this.#parse(chunk);
    }
    if (!this.#paused) this.#transport.resume();
  }

  /** Requests and payloads, wherever they were cut by the transport. */
  #parse(chunk: Uint8Array): void {
    const end = chunk.length;
    let at = 0;
    while (at < end && !this.#ending) {
      if (this.#skip > 0) {
        const part = Math.min(this.#skip, end - at);
        this.#skip -= part;
        at += part;
        continue;
      }
      const receiving = this.#receiving;
      if (receiving !== undefined) {
        const part = Math.min(receiving.length - this.#received, end - at);
        receiving.buffer!.set(chunk.subarray(at, at + part), this.#received);
        this.#received += part;
        at += part;
        if (this.#received === receiving.length) {
          this.#receiving = undefined;
          this.#write(receiving, receiving.buffer!.subarray(0, receiving.length));
        }
        continue;
      }
      if (this.#headerFill === 0 && !this.#hasRoom) {
        this.#paused = true;
        this.#waiting.push(chunk.subarray(at));
        this.#transport.pause();
        return;
      }
      if (this.#headerFill === 0 && end - at >= REQUEST_BYTES) {
        at = this.#take(chunk, at, chunk, at + REQUEST_BYTES);
        continue;
      }
      const part = Math.min(REQUEST_BYTES - this.#headerFill, end - at);
      this.#header.set(chunk.subarray(at, at + part), this.#headerFill);
      this.#headerFill += part;
      at += part;
      if (this.#headerFill === REQUEST_BYTES) {
        this.#headerFill = 0;
        at = this.#take(this.#header, 0, chunk, at);
      }
    }
  }

  /** One request. @returns where in `chunk` the next one begins. */
  #take(header: Uint8Array, from: number, chunk: Uint8Array, at: number): number {
    if (get32(header, from) !== REQUEST_MAGIC) {
      this.#drop();
      return at;
    }
    const request = this.#free.pop() ?? new ServerRequest(this.#onSuccess, this.#onFailure);
    request.flags = get16(header, from + 4);
    request.type = get16(header, from + 6);
    request.cookieHigh = get32(header, from + 8);
    request.cookieLow = get32(header, from + 12);
    request.offset = get64(header, from + 16);
    request.length = get32(header, from + 24);
    request.held = 0;
    request.buffer = undefined;
    if (request.type === COMMAND.disconnect) {
      this.#end();
      return at;
    }
    this.figures.requests++;
    this.#inFlight++;
    const error = this.#check(request);
    const payload = request.type === COMMAND.write ? request.length : 0;
    if (payload > MAX_PAYLOAD_BYTES) {
      this.#inFlight--;
      this.#drop();
      return at;
    }
    if (error !== 0) {
      const here = Math.min(payload, chunk.length - at);
      this.#skip = payload - here;
      this.#fail(request, error, CHECK_MESSAGE);
      return at + here;
    }
    if (payload === 0) {
      this.#start(request);
      return at;
    }
    this.#hold(request, payload);
    // What came in one piece is written from where it is.
    if (chunk.length - at >= payload) {
      this.#write(request, chunk.subarray(at, at + payload));
      return at + payload;
    }
    request.buffer = this.#pool.take(payload);
    this.#receiving = request;
    this.#received = 0;
    return at;
  }

  #hold(request: ServerRequest, bytes: number): void {
    request.held = bytes;
    this.#held += bytes;
  }

  /** The error value that a request deserves by itself; 0: none. */
  #check(request: ServerRequest): number {
    const { type, flags, offset, length } = request;
    const allowed = ALLOWED_FLAGS[type];
    if (allowed === undefined || (flags & ~allowed) !== 0) return NBD_ERROR.invalid;
    if ((flags & COMMAND_FLAG.dontFragment) !== 0 && !this.#agreement.structured) return NBD_ERROR.invalid;
    if (this.#readOnly && CHANGES.has(type)) return NBD_ERROR.permission;
    if (type === COMMAND.resize) return isResizable(this.#entry) ? 0 : NBD_ERROR.invalid;
    if (type === COMMAND.flush) return 0;
    if (!(offset + length <= this.#node.size)) {
      return type === COMMAND.write || type === COMMAND.writeZeroes ? NBD_ERROR.noSpace : NBD_ERROR.invalid;
    }
    if (this.#minimum > 1 && (offset % this.#minimum !== 0 || length % this.#minimum !== 0)) {
      return NBD_ERROR.invalid;
    }
    if (type === COMMAND.read && length > MAX_PAYLOAD_BYTES) {
      return this.#agreement.structured ? NBD_ERROR.overflow : NBD_ERROR.invalid;
    }
    if (type === COMMAND.blockStatus && (this.#agreement.contexts.length === 0 || length === 0)) {
      return NBD_ERROR.invalid;
    }
    return 0;
  }

  #start(request: ServerRequest): void {
    if (request.type === COMMAND.read) this.#read(request);
    else STARTERS[request.type]!(this.#operations, request).then(request.succeeded, request.failed);
  }

  #write(request: ServerRequest, payload: Uint8Array): void {
    const fua = (request.flags & COMMAND_FLAG.fua) !== 0;
    this.#node.write(request.offset, payload, fua ? FUA : undefined).then(request.succeeded, request.failed);
  }

  #read(request: ServerRequest): void {
    const { length, flags } = request;
    const { structured } = this.#agreement;
    if (structured && length >= SPARSE_READ_BYTES && (flags & COMMAND_FLAG.dontFragment) === 0) {
      this.#hold(request, Math.min(length, PIECE_BYTES));
      this.#readSparse(request).then(request.succeeded, request.failed);
      return;
    }
    this.#hold(request, length);
    const buffer = this.#pool.take(length);
    request.buffer = buffer;
    this.#node
      .read(request.offset, buffer.subarray(HEADER_ROOM, HEADER_ROOM + length))
      .then(request.succeeded, request.failed);
  }

  /** Data and holes in chunks of their own, so that neither a long read nor a hole takes memory. */
  async #readSparse(request: ServerRequest): Promise<void> {
    const end = request.offset + request.length;
    for (let at = request.offset; at < end && !this.#closed;) {
      const { length, zero } = await blockStatus(this.#node, at, end - at);
      const to = at + length;
      if (zero) {
        this.#hole(request, at, length);
        at = to;
        continue;
      }
      while (at < to && !this.#closed) {
        const part = Math.min(PIECE_BYTES, to - at);
        const buffer = this.#pool.take(part);
        await this.#node.read(at, buffer.subarray(HEADER_ROOM, HEADER_ROOM + part));
        const from = HEADER_ROOM - STRUCTURED_REPLY_BYTES - 8;
        this.#chunkHeader(buffer, from, request, 0, REPLY.offsetData, part + 8);
        put64(buffer, HEADER_ROOM - 8, at);
        this.#output.append(buffer.subarray(from, HEADER_ROOM + part), () => this.#pool.give(buffer));
        at += part;
        if (this.#output.unsentBytes > MAX_HELD_BYTES) await this.#drain();
      }
    }
  }

  #hole(request: ServerRequest, offset: number, length: number): void {
    const at = this.#output.reserve(STRUCTURED_REPLY_BYTES + 12);
    const { buffer } = this.#output;
    this.#chunkHeader(buffer, at, request, 0, REPLY.offsetHole, 12);
    put64(buffer, at + STRUCTURED_REPLY_BYTES, offset);
    put32(buffer, at + STRUCTURED_REPLY_BYTES + 8, length);
  }

  #drain(): Promise<void> {
    this.#output.flush();
    if (this.#transport.unsentBytes === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  /** What the rarer commands need of the session. */
  readonly #operations: Operations = {
    node: () => this.#node,
    gone: () => this.#closed,
    hold: (request, bytes) => this.#hold(request, bytes),
    alone: () => this.#alone(),
    status: (request) => this.#blockStatus(request),
    pool: () => this.#pool,
  };

  async #blockStatus(request: ServerRequest): Promise<void> {
    const one = (request.flags & COMMAND_FLAG.requestOne) !== 0;
    const { contexts } = this.#agreement;
    const chunks: Uint8Array[] = [];
    for (const context of contexts) {
      const extents = await collectExtents(this.#entry.node, context.of, request.offset, request.length, {
        one,
        gone: () => this.#closed,
      });
      const bytes = new Uint8Array(STRUCTURED_REPLY_BYTES + 4 + extents.length * 4);
      this.#chunkHeader(bytes, 0, request, 0, REPLY.blockStatus, bytes.length - STRUCTURED_REPLY_BYTES);
      put32(bytes, STRUCTURED_REPLY_BYTES, context.id);
      extents.forEach((value, index) => put32(bytes, STRUCTURED_REPLY_BYTES + 4 + index * 4, value));
      chunks.push(bytes);
    }
    // Nothing is said before all is known: an error stands alone.
    for (const bytes of chunks) this.#output.append(bytes);
  }

  readonly #onSuccess = (request: ServerRequest): void => {
    const { type, buffer } = request;
    if (this.#closed) return this.#release(request);
    const { structured } = this.#agreement;
    if (type === COMMAND.read && buffer !== undefined) {
      if (structured && request.length > 0) {
        const from = HEADER_ROOM - STRUCTURED_REPLY_BYTES - 8;
        this.#chunkHeader(buffer, from, request, REPLY_FLAG_DONE, REPLY.offsetData, request.length + 8);
        put64(buffer, HEADER_ROOM - 8, request.offset);
        this.#sendRead(request, buffer, from);
      } else if (structured) this.#done(request);
      else {
        const from = HEADER_ROOM - SIMPLE_REPLY_BYTES;
        this.#simpleHeader(buffer, from, request, 0);
        this.#sendRead(request, buffer, from);
      }
    } else if (structured && (type === COMMAND.read || type === COMMAND.blockStatus)) this.#done(request);
    else this.#simpleHeader(undefined, 0, request, 0);
    this.#release(request);
  };

  #sendRead(request: ServerRequest, buffer: Uint8Array, from: number): void {
    request.buffer = undefined;
    this.#output.append(buffer.subarray(from, HEADER_ROOM + request.length), () => this.#pool.give(buffer));
  }

  /** Ends a structured reply. */
  #done(request: ServerRequest): void {
    const at = this.#output.reserve(STRUCTURED_REPLY_BYTES);
    this.#chunkHeader(this.#output.buffer, at, request, REPLY_FLAG_DONE, REPLY.none, 0);
  }

  readonly #onFailure = (request: ServerRequest, error: unknown): void => {
    // Allowed for this only.
    let value = nbdErrorOf(error);
    const fast = (request.flags & COMMAND_FLAG.fastZero) !== 0;
    if (value === NBD_ERROR.unsupported && !fast) value = NBD_ERROR.invalid;
    this.#fail(request, value, messageOf(error));
  };

  #fail(request: ServerRequest, error: number, message: Uint8Array): void {
    this.figures.errors++;
    if (this.#closed) return this.#release(request);
    if (this.#agreement.structured) {
      const at = this.#output.reserve(STRUCTURED_REPLY_BYTES + 6 + message.length);
      const { buffer } = this.#output;
      this.#chunkHeader(buffer, at, request, REPLY_FLAG_DONE, REPLY.error, 6 + message.length);
      put32(buffer, at + STRUCTURED_REPLY_BYTES, error);
      put16(buffer, at + STRUCTURED_REPLY_BYTES + 4, message.length);
      buffer.set(message, at + STRUCTURED_REPLY_BYTES + 6);
    } else this.#simpleHeader(undefined, 0, request, error);
    this.#release(request);
  }

  #simpleHeader(target: Uint8Array | undefined, from: number, request: ServerRequest, error: number): void {
    const at = target === undefined ? this.#output.reserve(SIMPLE_REPLY_BYTES) : from;
    const bytes = target ?? this.#output.buffer;
    put32(bytes, at, SIMPLE_REPLY_MAGIC);
    put32(bytes, at + 4, error);
    put32(bytes, at + 8, request.cookieHigh);
    put32(bytes, at + 12, request.cookieLow);
  }

  #chunkHeader(
    bytes: Uint8Array,
    at: number,
    request: ServerRequest,
    flags: number,
    type: number,
    length: number,
  ): void {
    put32(bytes, at, STRUCTURED_REPLY_MAGIC);
    put16(bytes, at + 4, flags);
    put16(bytes, at + 6, type);
    put32(bytes, at + 8, request.cookieHigh);
    put32(bytes, at + 12, request.cookieLow);
    put32(bytes, at + 16, length);
  }

  #release(request: ServerRequest): void {
    this.progress++;
    this.#held -= request.held;
    this.#inFlight--;
    if (request.buffer !== undefined) this.#pool.give(request.buffer);
    request.buffer = undefined;
    this.#free.push(request);
    if (this.#ending) this.#settle();
    else if (this.#paused) this.#resume();
  }
}

const CHECK_MESSAGE = new TextEncoder().encode('request does not fit this export');

interface Operations {
  pool(): SizeClasses;
  node(): BlockNode;
  /** Nobody waits for the answer any more. */
  gone(): boolean;
  hold(request: ServerRequest, bytes: number): void;
  alone(): boolean;
  status(request: ServerRequest): Promise<void>;
}

type Starter = (session: Operations, request: ServerRequest) => Promise<void>;

const isFua = ({ flags }: ServerRequest): boolean => (flags & COMMAND_FLAG.fua) !== 0;

const STARTERS: Readonly<Record<number, Starter>> = {
  // An empty write has no payload to wait for.
  [COMMAND.write]: async (session, request) => {
    if (isFua(request)) await session.node().flush();
  },
  [COMMAND.flush]: (session) => session.node().flush(),
  [COMMAND.trim]: async (session, request) => {
    const node = session.node();
    for (const { offset, length } of piecesOf(request.offset, request.length, ZERO_PIECE_BYTES)) {
      if (session.gone()) return;
      await node.discard(offset, length);
    }
    if (isFua(request)) await node.flush();
  },
  [COMMAND.writeZeroes]: async (session, request) => {
    const { flags } = request;
    const options = {
      mayUnmap: (flags & COMMAND_FLAG.noHole) === 0,
      onlyFast: (flags & COMMAND_FLAG.fastZero) !== 0,
      fua: isFua(request),
    };
    for (const { offset, length } of piecesOf(request.offset, request.length, ZERO_PIECE_BYTES)) {
      if (session.gone()) return;
      await session.node().writeZeroes(offset, length, options);
    }
  },
  [COMMAND.cache]: async (session, request) => {
    const part = Math.min(request.length, PIECE_BYTES);
    session.hold(request, part);
    const buffer = session.pool().take(part);
    try {
      for (const { offset, length } of piecesOf(request.offset, request.length, PIECE_BYTES)) {
        if (session.gone()) return;
        await session.node().read(offset, buffer.subarray(0, length));
      }
    } finally {
      session.pool().give(buffer);
    }
  },
  [COMMAND.blockStatus]: (session, request) => session.status(request),
  [COMMAND.resize]: async (session, request) => {
    const node = session.node();
    if (!Number.isSafeInteger(request.offset)) {
      throw new PolyvisorError('invalid-argument', { what: 'no such size' });
    }
    const shrink = request.offset < node.size;
    if (shrink && !session.alone()) {
      throw new PolyvisorError('permission', { what: 'other clients use the disk' });
    }
    await node.resize!(request.offset, { shrink });
  },
};
