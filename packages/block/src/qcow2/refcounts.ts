import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { MetadataCache, Slice } from './metadata-cache.ts';
import type { MetadataWriter } from './metadata-writer.ts';
import { get64, MAX_OFFSET, MAX_REFCOUNT_TABLE_BYTES, roundUp, set64, viewOf } from './qcow2-format.ts';
import { REFCOUNT_WIDTHS } from './refcount-width.ts';
import type { RefcountWidth } from './refcount-width.ts';

/** What {@link Refcounts} needs of the image around it. */
export interface RefcountsOptions {
  readonly file: BlockNode;
  readonly cache: MetadataCache;
  readonly writer: MetadataWriter;
  readonly clusterSize: number;
  readonly refcountOrder: number;
  readonly tableOffset: number;
  /** The table as stored. */
  readonly table: Uint8Array;
  /** Makes the header name another table, durably. */
  readonly moveTable: (offset: number, clusters: number) => Promise<void>;
  /** Marks the image corrupt and throws. */
  readonly corrupt: (what: string) => never;
  readonly noteMetadata: (offset: number, length: number) => void;
  /** Throws where metadata lies already: refcounts that say it is free are wrong. */
  readonly checkHostWrite: (offset: number, length: number) => void;
  /** Frees the clusters of the table that has been replaced. */
  readonly freeTable: (offset: number, length: number) => void;
}

/**
 * How often each cluster of the file is referred to. Changes are in memory at once and in the file with the writer's
 * next commit; blocks and the table grow as needed.
 */
export class Refcounts {
  readonly width: RefcountWidth;
  /** Clusters that one refcount block counts. */
  readonly blockEntries: number;
  readonly #o: RefcountsOptions;
  readonly #sliceEntries: number;
  #tableOffset: number;
  #table: Uint8Array;
  #tableView: DataView;

  constructor(options: RefcountsOptions) {
    this.#o = options;
    this.width = REFCOUNT_WIDTHS[options.refcountOrder]!;
    this.blockEntries = (options.clusterSize * 8) / this.width.bits;
    this.#sliceEntries = (options.cache.sliceBytes * 8) / this.width.bits;
    this.#tableOffset = options.tableOffset;
    this.#table = options.table;
    this.#tableView = viewOf(options.table);
  }

  get tableOffset(): number {
    return this.#tableOffset;
  }

  /** As stored; callers do not change it. */
  get table(): Uint8Array {
    return this.#table;
  }

  /** Clusters that the table as it is can count. */
  get reach(): number {
    return (this.#table.length / 8) * this.blockEntries;
  }

  /** Offset of a refcount block; 0: not allocated. Reserved bits masked away, otherwise not checked. */
  blockAt(index: number): number {
    if (index * 8 >= this.#table.length) return 0;
    const offset = get64(this.#tableView, index * 8);
    return offset - (offset % 512);
  }

  /** The refcount of a cluster. @throws PolyvisorError `corrupt`: the table points nowhere. */
  async get(cluster: number): Promise<number> {
    const slice = await this.#slice(cluster);
    return slice === undefined ? 0 : this.width.get(slice.view, cluster % this.#sliceEntries);
  }

  /** The same if it is in memory, else undefined. */
  peek(cluster: number): number | undefined {
    const block = this.blockAt(Math.floor(cluster / this.blockEntries));
    if (block === 0) return 0;
    const within = cluster % this.blockEntries;
    const slice = this.#o.cache.peek(
      block + Math.floor(within / this.#sliceEntries) * this.#o.cache.sliceBytes,
    );
    return slice === undefined ? undefined : this.width.get(slice.view, within % this.#sliceEntries);
  }

  /** Clusters from `from` on that one slice counts, with it; undefined: no block counts them, all are free. */
  async run(
    from: number,
  ): Promise<{ readonly slice: Slice | undefined; readonly index: number; readonly count: number }> {
    const slice = await this.#slice(from);
    if (slice === undefined)
      return { slice, index: 0, count: this.blockEntries - (from % this.blockEntries) };
    const index = from % this.#sliceEntries;
    return { slice, index, count: Math.min(this.#sliceEntries, this.blockEntries) - index };
  }

  async #slice(cluster: number): Promise<Slice | undefined> {
    const index = Math.floor(cluster / this.blockEntries);
    const block = this.blockAt(index);
    if (block === 0) return undefined;
    if (block % this.#o.clusterSize !== 0 || block > MAX_OFFSET - this.#o.clusterSize) {
      return this.#o.corrupt(
        `Refblock offset 0x${block.toString(16)} unaligned (reftable index: 0x${index.toString(16)})`,
      );
    }
    const within = cluster % this.blockEntries;
    return this.#o.cache.load(block + Math.floor(within / this.#sliceEntries) * this.#o.cache.sliceBytes);
  }

  /** Changes a refcount in a slice that {@link run} gave. @returns the generation to depend on. */
  setIn(slice: Slice, index: number, value: number): number {
    this.width.set(slice.view, index, value);
    return this.#o.writer.markRefcounts(slice);
  }

  /**
   * Adds to the refcounts of clusters, all of which have a block.
   * @param onZero told of clusters that nothing refers to any more.
   * @throws PolyvisorError `limit`: the count doesn't fit its width; nothing has been changed then where `count` is 1.
   * `corrupt`: the count would be negative.
   */
  async add(
    first: number,
    count: number,
    delta: number,
    onZero?: (cluster: number) => void,
  ): Promise<number> {
    let generation = 0;
    for (let cluster = first; cluster < first + count;) {
      const { slice, index, count: here } = await this.run(cluster);
      if (slice === undefined) {
        return this.#o.corrupt(
          `cluster 0x${(cluster * this.#o.clusterSize).toString(16)} is in use, but not counted`,
        );
      }
      const n = Math.min(here, first + count - cluster);
      for (let i = 0; i < n; i++) {
        const value = this.width.get(slice.view, index + i) + delta;
        if (value < 0) {
          return this.#o.corrupt(
            `cluster 0x${((cluster + i) * this.#o.clusterSize).toString(16)} is in use, but its refcount is 0`,
          );
        }
        if (value > this.width.max) {
          throw new PolyvisorError('limit', {
            what: 'refcount of a cluster is too large for the image',
            which: this.#o.file.name,
            limit: `${this.width.bits} bits`,
            hint: 'use an image with a larger refcount_bits',
          });
        }
        generation = this.setIn(slice, index + i, value);
        if (value === 0) onZero?.(cluster + i);
      }
      cluster += n;
    }
    return generation;
  }

  /**
   * Makes the block that counts `cluster`, if it is missing: it lies in the first cluster that it counts.
   * The caller holds the allocator's lock.
   */
  async ensureBlock(cluster: number): Promise<void> {
    const { clusterSize, cache, file, writer } = this.#o;
    const index = Math.floor(cluster / this.blockEntries);
    if (index * 8 >= this.#table.length) await this.#growTable(cluster);
    if (this.blockAt(index) !== 0) return;
    const offset = index * this.blockEntries * clusterSize;
    // The first block counts the header, and can't be missing.
    this.#o.checkHostWrite(offset, clusterSize);
    const block = new Uint8Array(clusterSize);
    this.width.set(viewOf(block), 0, 1);
    cache.invalidate(offset, clusterSize);
    await file.write(offset, block);
    // The table must not show a block that a power cut may have lost.
    if (!writer.lazyRefcounts) await file.flush();
    set64(this.#tableView, index * 8, offset);
    this.#o.noteMetadata(offset, clusterSize);
    try {
      await file.write(this.#tableOffset + index * 8, this.#table.slice(index * 8, index * 8 + 8));
    } catch (error) {
      set64(this.#tableView, index * 8, 0);
      throw error;
    }
    // That write is covered by the next barrier, as refcounts changed now are.
  }

  /** A larger table, at the place where the old one's reach ends, with the blocks that count it. */
  async #growTable(cluster: number): Promise<void> {
    const { clusterSize, file } = this.#o;
    const start = this.reach;
    const firstBlock = this.#table.length / 8;
    const wanted = Math.max(Math.floor(cluster / this.blockEntries) + 1, Math.ceil(firstBlock * 1.5));
    let blocks = 1;
    let tableBytes: number;
    for (;;) {
      const entries = Math.max(wanted, firstBlock + blocks);
      tableBytes = roundUp(entries * 8, clusterSize);
      const needed = Math.ceil((blocks + tableBytes / clusterSize) / this.blockEntries);
      if (needed <= blocks) break;
      blocks = needed;
    }
    if (tableBytes > MAX_REFCOUNT_TABLE_BYTES) {
      throw new PolyvisorError('limit', {
        what: 'image file is too large for its cluster size',
        which: file.name,
        limit: `the refcount table would need ${tableBytes} bytes`,
        hint: 'convert it to larger clusters',
      });
    }
    const tableClusters = tableBytes / clusterSize;
    const area = new Uint8Array((blocks + tableClusters) * clusterSize);
    for (let i = 0; i < blocks + tableClusters; i++) {
      const block = Math.floor(i / this.blockEntries) * clusterSize;
      this.width.set(viewOf(area.subarray(block, block + clusterSize)), i % this.blockEntries, 1);
    }
    const table = area.subarray(blocks * clusterSize);
    table.set(this.#table);
    for (let i = 0; i < blocks; i++) set64(viewOf(table), (firstBlock + i) * 8, (start + i) * clusterSize);
    this.#o.checkHostWrite(start * clusterSize, area.length);
    this.#o.cache.invalidate(start * clusterSize, area.length);
    await file.write(start * clusterSize, area);
    await file.flush();
    const offset = (start + blocks) * clusterSize;
    await this.#o.moveTable(offset, tableClusters);
    const old = { offset: this.#tableOffset, length: this.#table.length };
    this.#table = table.slice();
    this.#tableView = viewOf(this.#table);
    this.#tableOffset = offset;
    this.#o.noteMetadata(start * clusterSize, area.length);
    this.#o.freeTable(old.offset, old.length);
  }

  /**
   * Adjacent clusters behind everything that is counted so far, counted as used, with the blocks for them before them.
   * The caller holds the allocator's lock.
   */
  async append(count: number): Promise<{ readonly first: number; readonly generation: number }> {
    const { clusterSize, file, writer } = this.#o;
    for (;;) {
      let used = this.#table.length / 8;
      while (used > 0 && this.blockAt(used - 1) === 0) used--;
      const start = used * this.blockEntries;
      let blocks = 1;
      for (;;) {
        const needed = Math.ceil((blocks + count) / this.blockEntries);
        if (needed <= blocks) break;
        blocks = needed;
      }
      if (start + blocks * this.blockEntries > this.reach) {
        await this.#growTable(start + blocks * this.blockEntries + this.blockEntries);
        continue;
      }
      const area = new Uint8Array(blocks * clusterSize);
      for (let i = 0; i < blocks + count; i++) {
        const block = Math.floor(i / this.blockEntries) * clusterSize;
        this.width.set(viewOf(area.subarray(block, block + clusterSize)), i % this.blockEntries, 1);
      }
      this.#o.checkHostWrite(start * clusterSize, (blocks + count) * clusterSize);
      this.#o.cache.invalidate(start * clusterSize, area.length);
      await file.write(start * clusterSize, area);
      if (!writer.lazyRefcounts) await file.flush();
      for (let i = 0; i < blocks; i++) set64(this.#tableView, (used + i) * 8, (start + i) * clusterSize);
      this.#o.noteMetadata(start * clusterSize, area.length);
      await file.write(this.#tableOffset + used * 8, this.#table.slice(used * 8, (used + blocks) * 8));
      return { first: start + blocks, generation: writer.generation };
    }
  }

  /** Another table, in the file already, takes this one's place (after a repair or a shrink). */
  replaceTable(offset: number, table: Uint8Array): void {
    this.#tableOffset = offset;
    this.#table = table;
    this.#tableView = viewOf(table);
  }
}
