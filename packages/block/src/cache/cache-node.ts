import type { BlockNode, IoOptions, ResizeOptions, WriteOptions, ZeroOptions } from '../graph/block-node.ts';
import { checkCancelled, checkRange } from '../graph/check-range.ts';
import { FilterNode } from '../filter/filter-node.ts';

const BLOCK_BYTES = 64 * 1024;
const CACHE_BYTES = 16 * 1024 * 1024;

/** How much a {@link CacheNode} keeps. */
export interface CacheOptions {
  /** Bytes of memory; default 16 MiB. */
  readonly bytes?: number;
  /** Bytes of a block, a power of two; default 64 KiB. */
  readonly blockBytes?: number;
}

/**
 * Keeps the blocks that were used last in memory, for slow nodes. Writes go through: nothing is here alone, so that
 * a crash loses nothing. Reads of the same missing block share one read of the node below.
 */
export class CacheNode extends FilterNode {
  readonly #blockBytes: number;
  readonly #most: number;
  /** The one used last stands last. */
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #fetches = new Map<number, Promise<Uint8Array>>();
  /** Changes of a block that are under way; `contested`: several were, in an order nobody knows. */
  readonly #writers = new Map<number, { count: number; contested: boolean }>();
  hits = 0;
  misses = 0;

  constructor(below: BlockNode, options: CacheOptions = {}) {
    super('cache', below);
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES;
    this.#most = Math.max(1, Math.floor((options.bytes ?? CACHE_BYTES) / this.#blockBytes));
  }

  override async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkRange(this, offset, target.length);
    checkCancelled(options?.signal);
    // What doesn't fit would only push out the rest.
    if (target.length > (this.#most * this.#blockBytes) / 4) return this.below.read(offset, target, options);
    const work: Promise<void>[] = [];
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const index = Math.floor(at / this.#blockBytes);
      const start = at % this.#blockBytes;
      const part = target.subarray(done, done + this.#blockBytes - start);
      const block = this.#blocks.get(index);
      if (block === undefined) {
        this.misses++;
        work.push(this.#fetch(index).then((bytes) => part.set(bytes.subarray(start, start + part.length))));
      } else {
        this.hits++;
        this.#blocks.delete(index);
        this.#blocks.set(index, block);
        part.set(block.subarray(start, start + part.length));
      }
      done += part.length;
    }
    await Promise.all(work);
  }

  #fetch(index: number): Promise<Uint8Array> {
    const running = this.#fetches.get(index);
    if (running !== undefined) return running;
    const offset = index * this.#blockBytes;
    const bytes = new Uint8Array(Math.min(this.#blockBytes, this.size - offset));
    const fetch: Promise<Uint8Array> = this.below.read(offset, bytes).then(
      () => {
        // Unless something was written meanwhile, of which this may know nothing.
        if (this.#fetches.get(index) === fetch) {
          this.#fetches.delete(index);
          if (!this.#writers.has(index)) this.#keep(index, bytes);
        }
        return bytes;
      },
      (error: unknown) => {
        if (this.#fetches.get(index) === fetch) this.#fetches.delete(index);
        throw error;
      },
    );
    this.#fetches.set(index, fetch);
    return fetch;
  }

  #keep(index: number, bytes: Uint8Array): void {
    this.#blocks.set(index, bytes);
    if (this.#blocks.size > this.#most) this.#blocks.delete(this.#blocks.keys().next().value!);
  }

  override write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    return this.#change(
      offset,
      source.length,
      () => super.write(offset, source, options),
      (block, at, from, length) => block.set(source.subarray(from, from + length), at),
    );
  }

  override writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    return this.#change(
      offset,
      length,
      () => super.writeZeroes(offset, length, options),
      (block, at, _from, count) => block.fill(0, at, at + count),
    );
  }

  override discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    return this.#change(offset, length, () => super.discard(offset, length, options), undefined);
  }

  protected override async resizeBelow(size: number, options?: ResizeOptions): Promise<void> {
    await super.resizeBelow(size, options);
    this.#blocks.clear();
    this.#fetches.clear();
  }

  /** @param apply repeats the change in a kept block; undefined: nobody knows what it became. */
  async #change(
    offset: number,
    length: number,
    work: () => Promise<void>,
    apply: ((block: Uint8Array, at: number, from: number, length: number) => void) | undefined,
  ): Promise<void> {
    checkRange(this, offset, length);
    if (length === 0) return work();
    const first = Math.floor(offset / this.#blockBytes);
    const last = Math.floor((offset + length - 1) / this.#blockBytes);
    if (last - first >= this.#most) {
      try {
        await work();
      } finally {
        this.#blocks.clear();
        this.#fetches.clear();
      }
      return;
    }
    for (let index = first; index <= last; index++) {
      const writers = this.#writers.get(index);
      if (writers === undefined) this.#writers.set(index, { count: 1, contested: false });
      else {
        writers.count++;
        writers.contested = true;
      }
    }
    let done = false;
    try {
      await work();
      done = true;
    } finally {
      for (let index = first; index <= last; index++) {
        const writers = this.#writers.get(index)!;
        if (--writers.count === 0) this.#writers.delete(index);
        // A read that began before may have missed it.
        this.#fetches.delete(index);
        const block = this.#blocks.get(index);
        if (block === undefined) continue;
        const start = index * this.#blockBytes;
        const from = Math.max(offset, start);
        const end = Math.min(offset + length, start + block.length);
        if (done && apply !== undefined && !writers.contested)
          apply(block, from - start, from - offset, end - from);
        else this.#blocks.delete(index);
      }
    }
  }
}
