import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockLimits, BlockNode, Extent, IoOptions, ResizeOptions } from '../graph/block-node.ts';
import { checkCancelled, checkRange, checkWritable } from '../graph/check-range.ts';

const CHUNK_BYTES = 64 * 1024;

/** How a {@link MemoryNode} is made. */
export interface MemoryNodeOptions {
  /** Bytes. Default 0. */
  readonly size?: number;
  readonly name?: string;
  readonly readOnly?: boolean;
  /** Writes beyond the end make it longer, reads there give zeroes. */
  readonly growable?: boolean;
  /** What it begins with. */
  readonly contents?: Uint8Array;
}

/** A disk in memory, sparse: chunks of 64 KiB that were never written, or were discarded, take none. */
export class MemoryNode implements BlockNode {
  readonly driver = 'memory';
  readonly name: string;
  readonly limits: BlockLimits = {
    alignment: 1,
    preferred: 4096,
    discardGranule: CHUNK_BYTES,
    maxTransfer: Number.MAX_SAFE_INTEGER,
  };
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  readonly readOnly: boolean;
  readonly #growable: boolean;
  readonly #chunks = new Map<number, Uint8Array>();
  #size: number;

  constructor(options: MemoryNodeOptions = {}) {
    const { size, name = 'memory', readOnly = false, growable = false, contents } = options;
    this.name = name;
    this.readOnly = readOnly;
    this.#growable = growable;
    this.#size = Math.max(size ?? 0, contents?.length ?? 0);
    if (contents !== undefined) this.#store(0, contents);
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of memory that the contents take. */
  get storedBytes(): number {
    return this.#chunks.size * CHUNK_BYTES;
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    this.#check(offset, target.length);
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const start = at % CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES - start, target.length - done);
      const chunk = this.#chunks.get((at - start) / CHUNK_BYTES);
      if (chunk === undefined) target.fill(0, done, done + length);
      else target.set(chunk.subarray(start, start + length), done);
      done += length;
    }
  }

  async write(offset: number, source: Uint8Array, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    this.#check(offset, source.length);
    if (source.length > 0) this.#size = Math.max(this.#size, offset + source.length);
    this.#store(offset, source);
  }

  async writeZeroes(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    this.#check(offset, length);
    if (length > 0) this.#size = Math.max(this.#size, offset + length);
    this.#clear(offset, length);
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    checkRange(this, offset, length);
    this.#clear(offset, length);
  }

  async flush(): Promise<void> {}

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkCancelled(options?.signal);
    checkRange(this, offset, length);
    const first = Math.floor(offset / CHUNK_BYTES);
    const data = this.#chunks.has(first);
    let chunk = first + 1;
    if (data) while (chunk * CHUNK_BYTES < offset + length && this.#chunks.has(chunk)) chunk++;
    else chunk = this.#nextChunk(first, Math.ceil((offset + length) / CHUNK_BYTES));
    const extent = {
      length: Math.min(length, chunk * CHUNK_BYTES - offset),
      allocated: true,
      zero: !data,
      data,
      depth: 0,
    };
    return data ? { ...extent, offset, file: this } : extent;
  }

  async resize(size: number, options?: ResizeOptions): Promise<void> {
    checkWritable(this);
    if (size < this.#size) {
      if (options?.shrink !== true) {
        throw new PolyvisorError('invalid-argument', {
          what: 'shrinking a disk throws data away',
          which: this.name,
          hint: 'say so with shrink',
        });
      }
      this.#clear(size, this.#size - size);
    }
    this.#size = size;
  }

  async close(): Promise<void> {}

  /** The first chunk after `first`, at most `limit`: by steps or among all, whichever is less work. */
  #nextChunk(first: number, limit: number): number {
    if (limit - first <= this.#chunks.size) {
      let chunk = first + 1;
      while (chunk < limit && !this.#chunks.has(chunk)) chunk++;
      return chunk;
    }
    let next = limit;
    for (const index of this.#chunks.keys()) if (index > first && index < next) next = index;
    return next;
  }

  #check(offset: number, length: number): void {
    if (this.#growable && Number.isSafeInteger(offset + length) && offset >= 0 && length >= 0) return;
    checkRange(this, offset, length);
  }

  #store(offset: number, source: Uint8Array): void {
    for (let done = 0; done < source.length;) {
      const at = offset + done;
      const start = at % CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES - start, source.length - done);
      const index = (at - start) / CHUNK_BYTES;
      let chunk = this.#chunks.get(index);
      if (chunk === undefined) this.#chunks.set(index, (chunk = new Uint8Array(CHUNK_BYTES)));
      chunk.set(source.subarray(done, done + length), start);
      done += length;
    }
  }

  #clear(offset: number, length: number): void {
    const end = offset + length;
    if (length > this.#chunks.size * CHUNK_BYTES) {
      for (const index of this.#chunks.keys()) {
        const at = index * CHUNK_BYTES;
        if (at < end && at + CHUNK_BYTES > offset) this.#clearChunk(index, Math.max(at, offset), end);
      }
      return;
    }
    for (let at = offset; at < end; at = (Math.floor(at / CHUNK_BYTES) + 1) * CHUNK_BYTES) {
      this.#clearChunk(Math.floor(at / CHUNK_BYTES), at, end);
    }
  }

  #clearChunk(index: number, from: number, end: number): void {
    const start = from - index * CHUNK_BYTES;
    const stop = Math.min(CHUNK_BYTES, end - index * CHUNK_BYTES);
    if (start === 0 && stop === CHUNK_BYTES) this.#chunks.delete(index);
    else this.#chunks.get(index)?.fill(0, start, stop);
  }
}
