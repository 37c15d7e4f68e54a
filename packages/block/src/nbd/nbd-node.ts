import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import type {
  BlockLimits,
  BlockNode,
  Extent,
  IoOptions,
  ResizeOptions,
  WriteOptions,
  ZeroOptions,
} from '../graph/block-node.ts';
import { checkCancelled, checkRange, checkWritable } from '../graph/check-range.ts';
import { padRange } from '../graph/pad-range.ts';
import { forEachParallel, piecesOf } from '../graph/parallel.ts';
import { RangeLock } from '../graph/range-lock.ts';
import type { NbdExportInfo } from './client-handshake.ts';
import type { NbdConnector } from './nbd-link.ts';
import { NbdLink } from './nbd-link.ts';
import { ClientRequest } from './client-request.ts';
import { COMMAND, COMMAND_FLAG, EXPORT_FLAG, STATE } from './nbd-protocol.ts';

/** Longest trim, zeroing or status: its length has 32 bits. */
const MAX_EFFECT_BYTES = 2 ** 30;
const PIECES_IN_FLIGHT = 8;

/** How a server's export is used. */
export interface NbdNodeOptions extends IoOptions {
  /** What errors name: a URL. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Reads beyond the end give zeroes. */
  readonly growable?: boolean;
  /** How long requests wait for a lost connection to come back before they fail. Default 0. */
  readonly reconnectDelayMs?: number;
  /** How long the first connection is tried for. Default 0: once. */
  readonly openTimeoutMs?: number;
  readonly logger?: Logger;
}

/**
 * A disk on an NBD server. Requests run in parallel over one connection; when it is lost it is made again, and what
 * was not answered is asked again. What had been answered but not flushed when the *server* died is the server's.
 */
export class NbdNode implements BlockNode {
  readonly driver = 'nbd';
  readonly name: string;
  readonly readOnly: boolean;
  readonly limits: BlockLimits;
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  /** Present if the server can (RESIZE extension). */
  readonly resize?: (size: number, options?: ResizeOptions) => Promise<void>;
  readonly #link: NbdLink;
  readonly #growable: boolean;
  readonly #minimum: number;
  readonly #maximum: number;
  /** Keeps writes away from blocks that are read, changed and written; undefined: all lengths are fine. */
  readonly #lock: RangeLock | undefined;
  #size: number;

  /** Connects. @throws PolyvisorError `unavailable`, `not-found` (the export), `permission` (TLS, read-only), `corrupt` */
  static async open(connector: NbdConnector, options: NbdNodeOptions): Promise<NbdNode> {
    const { name, signal, logger = silentLogger, reconnectDelayMs = 0, openTimeoutMs = 0 } = options;
    const link = new NbdLink(connector, { name, logger, reconnectDelayMs });
    try {
      const info = await link.open(openTimeoutMs, signal);
      if (!options.readOnly && (info.flags & EXPORT_FLAG.readOnly) !== 0) {
        throw new PolyvisorError('permission', {
          what: 'NBD export is read-only',
          which: name,
          hint: 'open it read-only',
        });
      }
      return new NbdNode(link, info, options);
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  private constructor(link: NbdLink, info: NbdExportInfo, { name, readOnly, growable }: NbdNodeOptions) {
    this.#link = link;
    this.name = name;
    this.readOnly = readOnly;
    this.#growable = growable ?? false;
    this.#size = info.size;
    this.#minimum = info.minimumBlock;
    this.#maximum = info.maximumPayload - (info.maximumPayload % info.minimumBlock);
    this.#lock = info.minimumBlock > 1 ? new RangeLock() : undefined;
    this.limits = {
      alignment: 1,
      preferred: info.preferredBlock,
      discardGranule: info.preferredBlock,
      maxTransfer: Number.MAX_SAFE_INTEGER,
    };
    if (this.#can(EXPORT_FLAG.sendResize)) this.resize = (size, resizing) => this.#resize(size, resizing);
  }

  get size(): number {
    return this.#size;
  }

  /** What the server said at the latest connection. */
  get info(): NbdExportInfo {
    return this.#link.info;
  }

  #can(flag: number): boolean {
    return (this.#link.info.flags & flag) !== 0;
  }

  #request(
    type: number,
    flags: number,
    offset: number,
    length: number,
    options: IoOptions | undefined,
    buffers?: { readonly payload?: Uint8Array; readonly target?: Uint8Array },
  ): Promise<void> {
    return this.#link.submit(new ClientRequest(type, flags, offset, length, buffers), options?.signal);
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    if (this.#growable && offset + target.length > this.#size) {
      const inside = Math.max(0, Math.min(target.length, this.#size - offset));
      target.fill(0, inside);
      target = target.subarray(0, inside);
    } else checkRange(this, offset, target.length);
    const { length } = target;
    if (length === 0) return;
    if (offset % this.#minimum !== 0 || length % this.#minimum !== 0) {
      const padded = padRange(offset, length, this.#minimum);
      const whole = new Uint8Array(Math.min(padded.length, this.#size - padded.start));
      await this.#read(padded.start, whole, options);
      target.set(whole.subarray(offset - padded.start, offset - padded.start + length));
      return;
    }
    return this.#read(offset, target, options);
  }

  #read(offset: number, target: Uint8Array, options: IoOptions | undefined): Promise<void> {
    const { length } = target;
    if (length <= this.#maximum) return this.#request(COMMAND.read, 0, offset, length, options, { target });
    return this.#inPieces(offset, length, this.#maximum, options, (at, part) =>
      this.#request(COMMAND.read, 0, at, part, options, {
        target: target.subarray(at - offset, at - offset + part),
      }),
    );
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    this.#checkEnd(offset, source.length);
    const { length } = source;
    if (length === 0) return options?.fua === true ? this.flush(options) : undefined;
    if (this.#lock === undefined) return this.#write(offset, source, options);
    const padded = padRange(offset, length, this.#minimum);
    const aligned = padded.start === offset && padded.length === length;
    const release = await this.#lock.acquire(padded.start, padded.length, {
      shared: aligned,
      signal: options?.signal,
    });
    try {
      if (aligned) return await this.#write(offset, source, options);
      const whole = new Uint8Array(padded.length);
      await this.#read(padded.start, whole, options);
      whole.set(source, offset - padded.start);
      await this.#write(padded.start, whole, options);
    } finally {
      release();
    }
  }

  async #write(offset: number, source: Uint8Array, options: WriteOptions | undefined): Promise<void> {
    const { length } = source;
    const fua = options?.fua === true;
    const flags = fua && this.#can(EXPORT_FLAG.sendFua) ? COMMAND_FLAG.fua : 0;
    if (length <= this.#maximum) {
      await this.#request(COMMAND.write, flags, offset, length, options, { payload: source });
    } else {
      await this.#inPieces(offset, length, this.#maximum, options, (at, part) =>
        this.#request(COMMAND.write, flags, at, part, options, {
          payload: source.subarray(at - offset, at - offset + part),
        }),
      );
    }
    if (fua && flags === 0) await this.flush(options);
  }

  async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    this.#checkEnd(offset, length);
    if (length === 0) return;
    const fast = options?.onlyFast === true;
    const able = this.#can(fast ? EXPORT_FLAG.sendFastZero : EXPORT_FLAG.sendWriteZeroes);
    if (!able && fast)
      throw new PolyvisorError('unsupported', { what: "can't zero a range fast", which: this.name });
    const start = Math.ceil(offset / this.#minimum) * this.#minimum;
    const end = offset + length - ((offset + length) % this.#minimum);
    if (!able || start >= end) return this.#writeZeroBytes(offset, length, options);
    // Blocks that are zeroed in part are written.
    if (start > offset) await this.#writeZeroBytes(offset, start - offset, options);
    if (end < offset + length) await this.#writeZeroBytes(end, offset + length - end, options);
    const release = await this.#lock?.acquire(start, end - start, { shared: true, signal: options?.signal });
    const fua = options?.fua === true;
    const durable = fua && this.#can(EXPORT_FLAG.sendFua);
    const flags =
      (options?.mayUnmap === true ? 0 : COMMAND_FLAG.noHole) |
      (fast ? COMMAND_FLAG.fastZero : 0) |
      (durable ? COMMAND_FLAG.fua : 0);
    try {
      await this.#inPieces(start, end - start, MAX_EFFECT_BYTES, options, (at, part) =>
        this.#request(COMMAND.writeZeroes, flags, at, part, options),
      );
    } finally {
      release?.();
    }
    if (fua && !durable) await this.flush(options);
  }

  async #writeZeroBytes(offset: number, length: number, options: WriteOptions | undefined): Promise<void> {
    const zeroes = new Uint8Array(Math.min(length, 1024 * 1024));
    for (const piece of piecesOf(offset, length, zeroes.length)) {
      await this.write(piece.offset, zeroes.subarray(0, piece.length), options);
    }
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    checkRange(this, offset, length);
    if (!this.#can(EXPORT_FLAG.sendTrim)) return;
    const start = Math.ceil(offset / this.#minimum) * this.#minimum;
    const end = offset + length - ((offset + length) % this.#minimum);
    if (start >= end) return;
    const release = await this.#lock?.acquire(start, end - start, { shared: true, signal: options?.signal });
    try {
      await this.#inPieces(start, end - start, MAX_EFFECT_BYTES, options, (at, part) =>
        this.#request(COMMAND.trim, 0, at, part, options),
      );
    } finally {
      release?.();
    }
  }

  async flush(options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    if (!this.#can(EXPORT_FLAG.sendFlush)) return;
    await this.#request(COMMAND.flush, 0, 0, 0, options);
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkCancelled(options?.signal);
    checkRange(this, offset, length);
    const known = { allocated: true, depth: 0, offset, file: this } as const;
    if (length === 0 || this.#link.info.contexts.size === 0)
      return { ...known, length, zero: false, data: true };
    // Whole blocks are asked about; a part of one is as the block is.
    const start = offset - (offset % this.#minimum);
    const asked = padRange(offset, Math.min(length, MAX_EFFECT_BYTES - this.#minimum), this.#minimum).length;
    const request = new ClientRequest(COMMAND.blockStatus, COMMAND_FLAG.requestOne, start, asked);
    await this.#link.submit(request, options?.signal);
    const { extent } = request;
    const hole = (extent!.state & STATE.hole) !== 0;
    return {
      ...known,
      length: Math.min(length, Math.max(1, extent!.length - (offset - start))),
      zero: (extent!.state & STATE.zero) !== 0,
      data: !hole,
    };
  }

  async #resize(size: number, options?: ResizeOptions): Promise<void> {
    checkWritable(this);
    checkCancelled(options?.signal);
    if (!Number.isSafeInteger(size) || size < 0 || (size < this.#size && options?.shrink !== true)) {
      throw new PolyvisorError('invalid-argument', {
        what: 'shrinking a disk throws data away',
        which: this.name,
        hint: 'say so with shrink',
      });
    }
    await this.#request(COMMAND.resize, 0, size, 0, options);
    this.#size = size;
    this.#link.expectedSize = size;
  }

  async close(): Promise<void> {
    if (!this.readOnly && this.#link.connected) await this.flush().catch(() => {});
    await this.#link.close();
  }

  #checkEnd(offset: number, length: number): void {
    if (!this.#growable || !(offset + length > this.#size)) return checkRange(this, offset, length);
    throw new PolyvisorError('io', {
      what: 'NBD export is too small',
      which: this.name,
      limit: `${this.#size} bytes`,
      cause: Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }),
    });
  }

  #inPieces(
    offset: number,
    length: number,
    granule: number,
    options: IoOptions | undefined,
    body: (offset: number, length: number) => Promise<void>,
  ): Promise<void> {
    if (length <= granule) return body(offset, length);
    return forEachParallel(
      cut(offset, length, granule),
      PIECES_IN_FLIGHT,
      (piece) => body(piece.offset, piece.length),
      options?.signal,
    );
  }
}

function* cut(offset: number, length: number, most: number): Generator<{ offset: number; length: number }> {
  for (let done = 0; done < length; done += most)
    yield { offset: offset + done, length: Math.min(most, length - done) };
}
