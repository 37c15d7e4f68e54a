import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode, IoOptions, ResizeOptions, WriteOptions, ZeroOptions } from '../graph/block-node.ts';
import { checkCancelled, checkRange, checkWritable } from '../graph/check-range.ts';
import { padRange } from '../graph/pad-range.ts';
import { piecesOf } from '../graph/parallel.ts';
import { RangeLock } from '../graph/range-lock.ts';
import { FilterNode } from '../filter/filter-node.ts';
import { xxhash32 } from './xxhash32.ts';

const BLOCK_BYTES = 64 * 1024;
const PIECE_BYTES = 2 * 1024 * 1024;

/**
 * Remembers a checksum (XXH32) of every block that was read or written, and refuses data that has changed since:
 * what a disk, a network or a bug below turned into something else. The sums are in memory, 40 bytes for 64 KiB, and
 * go with the node; blocks that it has not seen yet are believed. Reads and writes of parts of blocks read whole ones.
 */
export class ChecksumNode extends FilterNode {
  readonly #sums = new Map<number, number>();
  readonly #lock = new RangeLock();
  readonly #blockBytes: number;
  /** Blocks that were found changed. */
  mismatches = 0;

  constructor(below: BlockNode, options: { readonly blockBytes?: number } = {}) {
    super('checksum', below);
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES;
  }

  override async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkRange(this, offset, target.length);
    checkCancelled(options?.signal);
    for (const { offset: at, length } of piecesOf(offset, target.length, PIECE_BYTES)) {
      await this.#locked(at, length, options, true, async (start, size) => {
        const bytes = await this.#readBlocks(start, size, options);
        target.set(bytes.subarray(at - start, at - start + length), at - offset);
      });
    }
  }

  override async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, source.length);
    checkCancelled(options?.signal);
    for (const { offset: at, length } of piecesOf(offset, source.length, PIECE_BYTES)) {
      const part = source.subarray(at - offset, at - offset + length);
      await this.#locked(at, length, options, false, (start, size) =>
        this.#writeBlocks(start, size, at, part, options),
      );
    }
  }

  async #writeBlocks(
    start: number,
    size: number,
    at: number,
    part: Uint8Array,
    options?: WriteOptions,
  ): Promise<void> {
    const whole = size === part.length ? part : new Uint8Array(size);
    if (whole !== part) {
      const block = this.#blockBytes;
      // Odd ends take the rest of their blocks from below.
      if (at > start) whole.set(await this.#readBlocks(start, Math.min(block, size), options));
      const last = start + (Math.ceil(size / block) - 1) * block;
      if (at + part.length < start + size && (last > start || at === start)) {
        whole.set(await this.#readBlocks(last, start + size - last, options), last - start);
      }
      whole.set(part, at - start);
    }
    this.#forget(start, size);
    await this.below.write(at, part, options);
    this.#remember(start, whole);
  }

  override async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, length);
    await this.#locked(offset, length, options, false, async (start, size) => {
      this.#forget(start, size);
      await this.below.writeZeroes(offset, length, options);
    });
  }

  override async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, length);
    await this.#locked(offset, length, options, false, async (start, size) => {
      this.#forget(start, size);
      await this.below.discard(offset, length, options);
    });
  }

  protected override async resizeBelow(size: number, options?: ResizeOptions): Promise<void> {
    await super.resizeBelow(size, options);
    // The last block has another length.
    this.#sums.clear();
  }

  async #locked(
    offset: number,
    length: number,
    options: IoOptions | undefined,
    shared: boolean,
    work: (start: number, size: number) => Promise<void>,
  ): Promise<void> {
    if (length === 0) return;
    const padded = padRange(offset, length, this.#blockBytes);
    const release = await this.#lock.acquire(padded.start, padded.length, {
      shared,
      signal: options?.signal,
    });
    try {
      await work(padded.start, Math.min(padded.length, this.size - padded.start));
    } finally {
      release();
    }
  }

  async #readBlocks(start: number, size: number, options: IoOptions | undefined): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    await this.below.read(start, bytes, options);
    for (let at = 0; at < size; at += this.#blockBytes) {
      const index = (start + at) / this.#blockBytes;
      const sum = xxhash32(bytes.subarray(at, at + this.#blockBytes));
      const known = this.#sums.get(index);
      if (known === undefined) this.#sums.set(index, sum);
      else if (known !== sum) {
        this.mismatches++;
        throw new PolyvisorError('corrupt', {
          what: 'data on disk has changed by itself',
          which: this.name,
          limit: `block of ${this.#blockBytes} bytes at ${start + at}`,
        });
      }
    }
    return bytes;
  }

  #remember(start: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += this.#blockBytes) {
      this.#sums.set((start + at) / this.#blockBytes, xxhash32(bytes.subarray(at, at + this.#blockBytes)));
    }
  }

  #forget(start: number, size: number): void {
    const first = start / this.#blockBytes;
    const end = Math.ceil((start + size) / this.#blockBytes);
    if (end - first > this.#sums.size) {
      for (const index of this.#sums.keys()) if (index >= first && index < end) this.#sums.delete(index);
    } else for (let index = first; index < end; index++) this.#sums.delete(index);
  }
}
