import { close, fdatasync, fstat, ftruncate } from 'node:fs';
import type { Stats } from 'node:fs';
import { promisify } from 'node:util';
import { PolyvisorError } from '@polyvisor/contracts';
import type {
  BlockLimits,
  BlockNode,
  Extent,
  IoOptions,
  ResizeOptions,
  WriteOptions,
  ZeroOptions,
} from '../../graph/block-node.ts';
import { checkCancelled, checkRange, checkWritable } from '../../graph/check-range.ts';
import { PIECE_BYTES, piecesOf } from '../../graph/parallel.ts';
import type { FileChannel } from './file-channel.ts';
import { fileError } from './file-errors.ts';
import type { Libc } from './libc.ts';

const BLOCK_BYTES = 4096;
/** Unit of `st_blocks`. */
const STAT_BLOCK_BYTES = 512;
/** Node's own limit is 2 GiB - 1. */
const MAX_TRANSFER_BYTES = 2 ** 30;

const statFile = promisify(fstat) as (fd: number) => Promise<Stats>;
const closeFile = promisify(close);
const truncateFile = promisify(ftruncate);

/** An open file, and how to use it. */
export interface FileNodeParts {
  readonly fd: number;
  readonly path: string;
  readonly size: number;
  readonly readOnly: boolean;
  /** Reads beyond the end give zeroes, writes there make it longer. */
  readonly growable: boolean;
  readonly device: boolean;
  readonly channel: FileChannel;
  readonly libc: Libc | undefined;
  /** What {@link BlockNode.flush} does: nothing (`unsafe`), or after every write too (`writethrough`). */
  readonly sync: 'flush' | 'every-write' | 'never';
  /** Discards reach the file system. */
  readonly unmap: boolean;
}

/** A file or block device of the host. */
export class FileNode implements BlockNode {
  readonly driver: string;
  readonly name: string;
  readonly readOnly: boolean;
  readonly limits: BlockLimits = {
    alignment: 1,
    preferred: BLOCK_BYTES,
    discardGranule: BLOCK_BYTES,
    maxTransfer: MAX_TRANSFER_BYTES,
  };
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  readonly #parts: FileNodeParts;
  /** As of the writes that were begun. */
  #size: number;
  #holes: 'unknown' | 'yes' | 'no' = 'unknown';
  #zeroes: 'unknown' | 'yes' | 'no' = 'unknown';
  #truncating: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  #nextFlush: Promise<void> | undefined;

  constructor(parts: FileNodeParts) {
    this.#parts = parts;
    this.driver = parts.device ? 'host_device' : 'file';
    this.name = parts.path;
    this.readOnly = parts.readOnly;
    this.#size = parts.size;
    if (parts.libc === undefined) this.#holes = this.#zeroes = 'no';
  }

  get size(): number {
    return this.#size;
  }

  read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    try {
      this.#check(offset, target.length, options);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    if (offset + target.length > this.#size) return this.#readBeyond(offset, target);
    return this.#parts.channel.read(offset, target).catch((error: unknown) => {
      throw this.#error("can't read disk image", error);
    });
  }

  /** The end of this file is where the node says, whatever a truncate under way has done so far. */
  async #readBeyond(offset: number, target: Uint8Array): Promise<void> {
    const inFile = Math.max(0, Math.min(target.length, this.#size - offset));
    if (inFile > 0) await this.read(offset, target.subarray(0, inFile));
    target.fill(0, inFile);
  }

  write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    try {
      checkWritable(this);
      this.#check(offset, source.length, options);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const end = offset + source.length;
    const synced = options?.fua === true || this.#parts.sync === 'every-write';
    if (end > this.#size || synced) return this.#writeSlowly(offset, source, synced);
    return this.#parts.channel.write(offset, source).catch((error: unknown) => {
      throw this.#error("can't write disk image", error);
    });
  }

  async #writeSlowly(offset: number, source: Uint8Array, synced: boolean): Promise<void> {
    if (source.length === 0) return;
    const end = offset + source.length;
    // A truncate to less than this write's end must not come after it.
    while (end > this.#size && this.#truncating !== undefined) await this.#truncating;
    this.#size = Math.max(this.#size, end);
    try {
      await this.#parts.channel.write(offset, source);
    } catch (error) {
      throw this.#error("can't write disk image", error);
    }
    if (synced) await this.flush();
  }

  async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    checkWritable(this);
    this.#check(offset, length, options);
    if (length === 0) return;
    if (offset + length > this.#size) {
      const inFile = Math.max(0, this.#size - offset);
      await this.#truncate(offset + length, false);
      // What a file grows by reads as zeroes.
      if (options?.mayUnmap === true) length = inFile;
    }
    if (length > 0) await this.#zero(offset, length, options);
    if (options?.fua === true || this.#parts.sync === 'every-write') await this.flush();
  }

  async #zero(offset: number, length: number, options: ZeroOptions | undefined): Promise<void> {
    const { libc, fd, unmap } = this.#parts;
    if (options?.mayUnmap === true && unmap && (await this.#punch(offset, length))) return;
    if (this.#zeroes !== 'no' && libc !== undefined) {
      if (await libc.zeroRange(fd, offset, length)) {
        this.#zeroes = 'yes';
        return;
      }
      if (this.#zeroes === 'unknown') this.#zeroes = 'no';
    }
    if (options?.onlyFast === true) {
      throw new PolyvisorError('unsupported', { what: "can't zero a range fast", which: this.name });
    }
    await this.#writeZeroBytes(offset, length, options);
  }

  async #writeZeroBytes(offset: number, length: number, options: IoOptions | undefined): Promise<void> {
    const zeroes = new Uint8Array(Math.min(length, PIECE_BYTES));
    for (const piece of piecesOf(offset, length)) {
      checkCancelled(options?.signal);
      await this.#parts.channel
        .write(piece.offset, zeroes.subarray(0, piece.length))
        .catch((error: unknown) => {
          throw this.#error("can't zero a range of the disk image", error);
        });
    }
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkWritable(this);
    checkCancelled(options?.signal);
    checkRange(this, offset, length);
    if (length > 0 && this.#parts.unmap) await this.#punch(offset, length);
  }

  async #punch(offset: number, length: number): Promise<boolean> {
    const { libc, fd } = this.#parts;
    if (this.#holes === 'no' || libc === undefined) return false;
    const done = await libc.punchHole(fd, offset, length);
    if (done) this.#holes = 'yes';
    else if (this.#holes === 'unknown') this.#holes = 'no';
    return done;
  }

  /** One runs at a time; all that come meanwhile share the next one, which begins after their writes. */
  flush(_options?: IoOptions): Promise<void> {
    if (this.readOnly || this.#parts.sync === 'never') return Promise.resolve();
    if (this.#flushing === undefined) {
      this.#flushing = this.#sync().finally(() => (this.#flushing = undefined));
      return this.#flushing;
    }
    this.#nextFlush ??= this.#flushing
      .catch(() => {}) // its own callers hear of it
      .then(() => {
        this.#nextFlush = undefined;
        return this.flush();
      });
    return this.#nextFlush;
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) =>
      fdatasync(this.#parts.fd, (error) =>
        error === null ? resolve() : reject(this.#error("can't flush disk image", error)),
      ),
    );
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkCancelled(options?.signal);
    checkRange(this, offset, length);
    const { libc, fd } = this.#parts;
    const known = { allocated: true, depth: 0, offset, file: this } as const;
    const data = libc === undefined ? -1 : libc.seekData(fd, offset);
    if (data === -1) return { ...known, length, zero: false, data: true };
    const next = data === undefined ? this.#size : data;
    if (next > offset) {
      return { ...known, length: Math.min(length, next - offset), zero: true, data: false };
    }
    const hole = libc?.seekHole(fd, offset) ?? this.#size;
    // A file that another process cut short meanwhile.
    const end = hole <= offset ? offset + length : Math.min(hole, offset + length);
    return { ...known, length: end - offset, zero: false, data: true };
  }

  async allocatedBytes(): Promise<number> {
    const { blocks } = await statFile(this.#parts.fd);
    return blocks * STAT_BLOCK_BYTES;
  }

  async resize(size: number, options?: ResizeOptions): Promise<void> {
    checkWritable(this);
    checkCancelled(options?.signal);
    if (this.#parts.device) {
      throw new PolyvisorError('unsupported', { what: "a device can't be resized", which: this.name });
    }
    const before = this.#size;
    if (size < before && options?.shrink !== true) {
      throw new PolyvisorError('invalid-argument', {
        what: 'shrinking a disk throws data away',
        which: this.name,
        limit: `${before} bytes to ${size}`,
        hint: 'say so with shrink',
      });
    }
    const preallocation = options?.preallocation ?? 'off';
    if (preallocation === 'metadata') {
      throw new PolyvisorError('unsupported', {
        what: 'a file has no metadata to preallocate',
        which: this.name,
      });
    }
    await this.#truncate(size, true);
    if (size <= before || preallocation === 'off') return;
    try {
      if (preallocation === 'full') {
        await this.#writeZeroBytes(before, size - before, options);
        await this.flush();
      } else if ((await this.#parts.libc?.reserve(this.#parts.fd, before, size - before)) !== true) {
        throw new PolyvisorError('io', {
          what: "can't reserve space for the disk image",
          which: this.name,
          limit: 'there is none left, or the file system has no such thing',
        });
      }
    } catch (error) {
      await this.#truncate(before, true);
      throw error;
    }
  }

  /** One at a time; `exact`: also to less. */
  async #truncate(size: number, exact: boolean): Promise<void> {
    while (this.#truncating !== undefined) await this.#truncating;
    if (size === this.#size || (size < this.#size && !exact)) return;
    if (this.#parts.device) return checkRange(this, 0, size);
    const before = this.#size;
    this.#size = size;
    const work = truncateFile(this.#parts.fd, size);
    this.#truncating = work.then(
      () => (this.#truncating = undefined),
      () => (this.#truncating = undefined),
    );
    try {
      await work;
    } catch (error) {
      this.#size = before;
      throw this.#error("can't resize disk image", error);
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#settle().then(() => closeFile(this.#parts.fd));
    return this.#closed;
  }

  async #settle(): Promise<void> {
    await this.#truncating;
    while (this.#flushing !== undefined || this.#nextFlush !== undefined) {
      await (this.#nextFlush ?? this.#flushing)?.catch(() => {});
    }
  }

  #check(offset: number, length: number, options: IoOptions | undefined): void {
    if (options?.signal !== undefined) checkCancelled(options.signal);
    if (this.#closed !== undefined) {
      throw new PolyvisorError('invalid-argument', { what: 'disk image is closed', which: this.name });
    }
    if (this.#parts.growable && Number.isSafeInteger(offset + length) && offset >= 0 && length >= 0) return;
    checkRange(this, offset, length);
  }

  #error(what: string, cause: unknown): PolyvisorError {
    return fileError(what, this.name, cause as NodeJS.ErrnoException);
  }
}
