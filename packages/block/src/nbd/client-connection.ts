import { get16, get32, get64, put16, put32, put64 } from './big-endian.ts';
import type { NbdExportInfo } from './client-handshake.ts';
import type { ClientRequest } from './client-request.ts';
import { violation } from './nbd-error.ts';
import {
  COMMAND,
  NBD_ERROR,
  REPLY,
  REPLY_ERROR_BIT,
  REPLY_FLAG_DONE,
  REQUEST_BYTES,
  REQUEST_MAGIC,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_BYTES,
  STRUCTURED_REPLY_MAGIC,
} from './nbd-protocol.ts';
import type { NbdTransport, NbdTransportHandler } from './nbd-transport.ts';
import { decodeString } from './option-codec.ts';
import { ReplyOutput } from './reply-output.ts';

/** Payloads up to this length are copied and leave together with others. */
const COPY_BYTES = 64 * 1024 - REQUEST_BYTES;
/** Chunks other than data are short. */
const MAX_CHUNK_BYTES = 64 * 1024;
/** Pieces of one read that may come out of order. */
const MAX_DISORDER = 4096;

/** Told what becomes of requests. */
export interface ClientConnectionEvents {
  /** Its answer is there, errors within. */
  answered(request: ClientRequest): void;
  /** These were not answered. `violation`: the server broke the protocol. */
  lost(requests: readonly ClientRequest[], error: Error | undefined, violation: boolean): void;
}

/** The transmission phase on the client's side, over one connection. Whatever a server sends is checked. */
export class ClientConnection implements NbdTransportHandler {
  readonly info: NbdExportInfo;
  readonly #transport: NbdTransport;
  readonly #events: ClientConnectionEvents;
  readonly #output: ReplyOutput;
  readonly #name: string;
  readonly #slots: (ClientRequest | undefined)[] = [];
  /** Counts uses of a slot: an answer to an earlier one is none to this. */
  readonly #uses: number[] = [];
  readonly #freeSlots: number[] = [];
  #count = 0;
  readonly #header = new Uint8Array(STRUCTURED_REPLY_BYTES + 8);
  #headerFill = 0;
  /** The reply whose payload comes. */
  #current: ClientRequest | undefined;
  #slot = 0;
  #done = false;
  #type = 0;
  /** Data that is to come for a read, and where in its target. */
  #dataLeft = 0;
  #dataAt = 0;
  /** The payload of any other chunk. */
  #body: Uint8Array | undefined;
  #bodyFill = 0;
  #over = false;

  constructor(transport: NbdTransport, info: NbdExportInfo, events: ClientConnectionEvents, name: string) {
    this.#transport = transport;
    this.info = info;
    this.#events = events;
    this.#name = name;
    // Requests made together are made in one go of promises.
    this.#output = new ReplyOutput(transport, queueMicrotask);
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#count;
  }

  send(request: ClientRequest): void {
    const slot = this.#freeSlots.pop() ?? this.#slots.length;
    this.#slots[slot] = request;
    const use = ((this.#uses[slot] ?? 0) + 1) >>> 0;
    this.#uses[slot] = use;
    this.#count++;
    const { payload } = request;
    const copied = payload !== undefined && payload.length <= COPY_BYTES;
    const at = this.#output.reserve(REQUEST_BYTES + (copied ? payload.length : 0));
    const { buffer } = this.#output;
    put32(buffer, at, REQUEST_MAGIC);
    put16(buffer, at + 4, request.flags);
    put16(buffer, at + 6, request.type);
    put32(buffer, at + 8, use);
    put32(buffer, at + 12, slot);
    put64(buffer, at + 16, request.offset);
    put32(buffer, at + 24, request.length);
    if (payload === undefined) return;
    if (copied) {
      buffer.set(payload, at + REQUEST_BYTES);
      return;
    }
    request.pins++;
    this.#output.append(payload, () => void request.pins--);
  }

  /** Says goodbye; the server answers what it has, then hangs up. */
  disconnect(): void {
    if (this.#over) return;
    const at = this.#output.reserve(REQUEST_BYTES);
    const { buffer } = this.#output;
    buffer.fill(0, at, at + REQUEST_BYTES);
    put32(buffer, at, REQUEST_MAGIC);
    put16(buffer, at + 6, COMMAND.disconnect);
    this.#output.flush();
    this.#transport.end();
  }

  destroy(): void {
    this.#transport.destroy();
  }

  drained(): void {}

  closed(error?: Error): void {
    this.#lose(error, false);
  }

  #lose(error: Error | undefined, broken: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const requests = this.#slots.filter((each) => each !== undefined);
    this.#slots.length = 0;
    this.#count = 0;
    this.#events.lost(requests, error, broken);
  }

  #violation(what: string): void {
    this.#lose(violation(what, this.#name), true);
    this.#transport.destroy();
  }

  data(chunk: Uint8Array): void {
    const end = chunk.length;
    let at = 0;
    while (at < end && !this.#over) {
      if (this.#dataLeft > 0) {
        const part = Math.min(this.#dataLeft, end - at);
        const request = this.#current!;
        if (!request.abandoned) request.target!.set(chunk.subarray(at, at + part), this.#dataAt);
        this.#dataAt += part;
        this.#dataLeft -= part;
        at += part;
        if (this.#dataLeft === 0) this.#finishChunk();
        continue;
      }
      const body = this.#body;
      if (body !== undefined) {
        const part = Math.min(body.length - this.#bodyFill, end - at);
        body.set(chunk.subarray(at, at + part), this.#bodyFill);
        this.#bodyFill += part;
        at += part;
        if (this.#bodyFill === body.length) {
          this.#body = undefined;
          this.#takeBody(body);
        }
        continue;
      }
      const fill = this.#headerFill;
      // The magic says how long the header is; chunks of data have an offset that belongs to it as well.
      const need = fill < 4 ? 4 : this.#headerBytes(fill);
      if (need === 0) return this.#violation('wrong magic of a reply');
      if (fill === 0 && end - at >= STRUCTURED_REPLY_BYTES + 8) {
        const whole = this.#headerLength(chunk, at);
        if (whole === 0) return this.#violation('wrong magic of a reply');
        this.#takeHeader(chunk, at);
        at += whole;
        continue;
      }
      const part = Math.min(need - fill, end - at);
      this.#header.set(chunk.subarray(at, at + part), fill);
      this.#headerFill += part;
      at += part;
      if (this.#headerFill >= 4 && this.#headerFill === this.#headerBytes(this.#headerFill)) {
        this.#headerFill = 0;
        this.#takeHeader(this.#header, 0);
      }
    }
  }

  /** Bytes that the header needs which is gathered, as far as is known; 0: it is none. */
  #headerBytes(fill: number): number {
    const magic = get32(this.#header, 0);
    if (magic === SIMPLE_REPLY_MAGIC) return SIMPLE_REPLY_BYTES;
    if (magic !== STRUCTURED_REPLY_MAGIC || !this.info.structured) return 0;
    return fill < STRUCTURED_REPLY_BYTES ? STRUCTURED_REPLY_BYTES : this.#headerLength(this.#header, 0);
  }

  #headerLength(bytes: Uint8Array, at: number): number {
    const magic = get32(bytes, at);
    if (magic === SIMPLE_REPLY_MAGIC) return SIMPLE_REPLY_BYTES;
    if (magic !== STRUCTURED_REPLY_MAGIC || !this.info.structured) return 0;
    const data = get16(bytes, at + 6) === REPLY.offsetData && get32(bytes, at + 16) > 8;
    return data ? STRUCTURED_REPLY_BYTES + 8 : STRUCTURED_REPLY_BYTES;
  }

  #find(bytes: Uint8Array, at: number): ClientRequest | undefined {
    const slot = get32(bytes, at + 12);
    const request = this.#slots[slot];
    if (request === undefined || this.#uses[slot] !== get32(bytes, at + 8)) return undefined;
    this.#slot = slot;
    this.#current = request;
    return request;
  }

  #takeHeader(bytes: Uint8Array, at: number): void {
    const request = this.#find(bytes, at);
    if (request === undefined) return this.#violation('reply to no request');
    if (get32(bytes, at) === SIMPLE_REPLY_MAGIC) return this.#takeSimple(request, get32(bytes, at + 4));
    this.#done = (get16(bytes, at + 4) & REPLY_FLAG_DONE) !== 0;
    this.#type = get16(bytes, at + 6);
    const length = get32(bytes, at + 16);
    if (this.#type === REPLY.offsetData) {
      if (!request.isRead || length <= 8) return this.#violation('chunk of data that makes no sense');
      const offset = get64(bytes, at + STRUCTURED_REPLY_BYTES);
      if (!this.#cover(request, offset, length - 8)) return;
      this.#dataAt = offset - request.offset;
      this.#dataLeft = length - 8;
      return;
    }
    if (this.#type === REPLY.none) {
      if (length !== 0 || !this.#done) return this.#violation('chunk of nothing that makes no sense');
      return this.#finishChunk();
    }
    if (length === 0 || length > MAX_CHUNK_BYTES) return this.#violation('chunk of a wrong length');
    this.#body = new Uint8Array(length);
    this.#bodyFill = 0;
  }

  #takeSimple(request: ClientRequest, error: number): void {
    if (this.info.structured && (request.isRead || request.type === COMMAND.blockStatus)) {
      return this.#violation('simple reply where a structured one must stand');
    }
    this.#done = true;
    request.error = error;
    if (!request.isRead || error !== 0) return this.#finishChunk();
    request.covered = request.length;
    this.#dataAt = 0;
    this.#dataLeft = request.length;
  }

  #takeBody(body: Uint8Array): void {
    const request = this.#current!;
    if ((this.#type & REPLY_ERROR_BIT) !== 0) {
      if (body.length < 6 || get16(body, 4) > body.length - 6)
        return this.#violation('error of a wrong length');
      // The first error is the one to tell.
      if (request.error === 0) {
        request.error = get32(body, 0) || NBD_ERROR.invalid;
        request.message = decodeString(body.subarray(6, 6 + get16(body, 4)));
      }
    } else if (this.#type === REPLY.offsetHole && request.isRead && body.length === 12) {
      const offset = get64(body, 0);
      const length = get32(body, 8);
      if (!this.#cover(request, offset, length)) return;
      const from = offset - request.offset;
      if (!request.abandoned) request.target!.fill(0, from, from + length);
    } else if (this.#type === REPLY.blockStatus && request.type === COMMAND.blockStatus) {
      // One context is selected at most.
      const known = [...this.info.contexts.values()].includes(get32(body, 0));
      if (!known || body.length < 12 || body.length % 8 !== 4 || request.extent !== undefined) {
        return this.#violation('block status that makes no sense');
      }
      const length = get32(body, 4);
      if (length === 0) return this.#violation('extent of no length');
      request.extent = { length: Math.min(length, request.length), state: get32(body, 8) };
    } else return this.#violation('chunk of a type that does not belong here');
    this.#finishChunk();
  }

  /** Notes what part of a read a chunk has. False: it lies outside or was there already. */
  #cover(request: ClientRequest, offset: number, length: number): boolean {
    const end = offset + length;
    if (length === 0 || offset < request.offset || !(end <= request.offset + request.length)) {
      this.#violation('chunk outside what was asked for');
      return false;
    }
    request.covered += length;
    const inOrder = offset === request.expected && request.ranges === undefined;
    if (inOrder) request.expected = end;
    else {
      request.ranges ??= [request.offset, request.expected];
      request.ranges.push(offset, end);
    }
    if (request.covered <= request.length && (request.ranges?.length ?? 0) <= MAX_DISORDER * 2) return true;
    this.#violation('chunks that overlap');
    return false;
  }

  #finishChunk(): void {
    if (!this.#done) return;
    const request = this.#current!;
    if (request.error === 0) {
      if (request.isRead && (request.covered !== request.length || overlap(request.ranges))) {
        return this.#violation('read that is not answered in full');
      }
      if (request.type === COMMAND.blockStatus && request.extent === undefined) {
        return this.#violation('block status without an extent');
      }
    }
    this.#slots[this.#slot] = undefined;
    this.#freeSlots.push(this.#slot);
    this.#count--;
    this.#current = undefined;
    this.#events.answered(request);
  }
}

function overlap(ranges: readonly number[] | undefined): boolean {
  if (ranges === undefined) return false;
  const sorted: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) sorted.push([ranges[i]!, ranges[i + 1]!]);
  sorted.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return sorted.some(([start], index) => index > 0 && start < sorted[index - 1]![1]);
}
