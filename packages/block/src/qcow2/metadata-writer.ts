import type { BlockNode } from '../graph/block-node.ts';
import type { L1Table } from './l1-table.ts';
import type { Slice } from './metadata-cache.ts';

/** Adjacent slices are written together, up to so many bytes. */
const MAX_WRITE_BYTES = 256 * 1024;

interface Group {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends changed metadata to the file in groups: whoever commits while a group is written joins the next one.
 *
 * In a group refcounts go first, L2 slices second, L1 entries last. The file is flushed in between only where a
 * reordering by the host could show a reference without what it stands on: refcounts that no flush has covered yet,
 * copied data, a copied L2 table.
 */
export class MetadataWriter {
  readonly #file: BlockNode;
  readonly #data: BlockNode;
  readonly #l1: L1Table;
  readonly #refcounts = new Set<Slice>();
  readonly #tables = new Set<Slice>();
  #running: Group | undefined;
  #next: Group | undefined;
  /** Number of the group that refcounts changed now will be part of. */
  #generation = 1;
  #written = 0;
  #synced = 0;
  #dependsOn = 0;
  #dataBarrier = false;
  #rootBarrier = false;
  /** Refcounts may be stale after a crash: the image is marked dirty. */
  lazyRefcounts = false;

  constructor(file: BlockNode, data: BlockNode, l1: L1Table) {
    this.#file = file;
    this.#data = data;
    this.#l1 = l1;
  }

  /** Refcounts in this slice changed. @returns the generation to depend on. */
  markRefcounts(slice: Slice): number {
    slice.dirty = true;
    this.#refcounts.add(slice);
    return this.#generation;
  }

  markTable(slice: Slice): void {
    slice.dirty = true;
    this.#tables.add(slice);
  }

  get generation(): number {
    return this.#generation;
  }

  /** The next references stand on refcounts of this generation. */
  dependOn(generation: number): void {
    if (generation > this.#synced && !this.lazyRefcounts && generation > this.#dependsOn) {
      this.#dependsOn = generation;
    }
  }

  /** The next references stand on data that has been written and that a power cut must not lose alone. */
  dependOnData(): void {
    this.#dataBarrier = true;
  }

  /** The next L1 entries stand on L2 tables whose contents matter. */
  dependOnTables(): void {
    this.#rootBarrier = true;
  }

  /** Whether refcounts of this generation survive a power cut. */
  isSynced(generation: number): boolean {
    return generation <= this.#synced;
  }

  get clean(): boolean {
    return (
      this.#running === undefined &&
      this.#refcounts.size === 0 &&
      this.#tables.size === 0 &&
      this.#l1.dirty.size === 0
    );
  }

  /**
   * Resolves once everything that was changed before the call has been written to the file.
   * @throws PolyvisorError of the file; what was not written stays to be written.
   */
  commit(): Promise<void> {
    if (this.#next !== undefined) return this.#next.done;
    const nothingNew = this.#refcounts.size === 0 && this.#tables.size === 0 && this.#l1.dirty.size === 0;
    if (nothingNew) return this.#running?.done ?? Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#next = { done: promise, resolve, reject };
    if (this.#running === undefined) void this.#work();
    return promise;
  }

  /** Everything written so far, metadata and data, survives a power cut afterwards. */
  async sync(): Promise<void> {
    await this.commit();
    const written = this.#written;
    await this.flushFiles();
    this.#synced = Math.max(this.#synced, written);
  }

  async flushFiles(): Promise<void> {
    if (this.#data === this.#file) return this.#file.flush();
    // Guest data must not be newer in the metadata than in the data file.
    await this.#data.flush();
    await this.#file.flush();
  }

  async #work(): Promise<void> {
    while (this.#next !== undefined) {
      const group = this.#next;
      this.#running = group;
      this.#next = undefined;
      try {
        await this.#writeGroup();
        group.resolve();
      } catch (error) {
        // Those waiting for the next group must not be acknowledged by a group that lacks this one's part.
        group.reject(error);
      }
    }
    this.#running = undefined;
  }

  async #writeGroup(): Promise<void> {
    const generation = this.#generation++;
    const refcounts = take(this.#refcounts);
    const tables = take(this.#tables);
    const roots = this.#l1.takeDirty();
    const dataBarrier = this.#dataBarrier;
    const rootBarrier = this.#rootBarrier && roots.length > 0;
    const dependsOn = this.#dependsOn;
    this.#dataBarrier = false;
    if (rootBarrier) this.#rootBarrier = false;
    try {
      await this.#writeSlices(refcounts);
      this.#written = generation;
      const references = tables.length > 0 || roots.length > 0;
      if (references && (dataBarrier || (dependsOn > this.#synced && !this.lazyRefcounts))) {
        await this.flushFiles();
        this.#synced = generation;
      } else if (dataBarrier) {
        this.#dataBarrier = true;
      }
      await this.#writeSlices(tables);
      if (roots.length > 0) {
        if (rootBarrier) await this.#file.flush();
        await Promise.all(roots.map(({ offset, bytes }) => this.#file.write(offset, bytes)));
      }
    } catch (error) {
      for (const { slice } of refcounts) this.markRefcounts(slice);
      for (const { slice } of tables) this.markTable(slice);
      for (const { group } of roots) this.#l1.dirty.add(group);
      this.#dataBarrier ||= dataBarrier;
      this.#rootBarrier ||= rootBarrier;
      this.#dependsOn = Math.max(this.#dependsOn, dependsOn, generation);
      throw error;
    } finally {
      for (const { slice } of refcounts) slice.writing = false;
      for (const { slice } of tables) slice.writing = false;
    }
  }

  async #writeSlices(copies: readonly Copy[]): Promise<void> {
    if (copies.length === 1) return this.#file.write(copies[0]!.slice.offset, copies[0]!.bytes);
    const writes: Promise<void>[] = [];
    for (let first = 0; first < copies.length;) {
      let end = first + 1;
      const start = copies[first]!.slice.offset;
      const unit = copies[first]!.bytes.length;
      while (
        end < copies.length &&
        copies[end]!.slice.offset === start + (end - first) * unit &&
        (end - first) * unit < MAX_WRITE_BYTES
      ) {
        end++;
      }
      let bytes = copies[first]!.bytes;
      if (end - first > 1) {
        bytes = new Uint8Array((end - first) * unit);
        for (let i = first; i < end; i++) bytes.set(copies[i]!.bytes, (i - first) * unit);
      }
      writes.push(this.#file.write(start, bytes));
      first = end;
    }
    const results = await Promise.allSettled(writes);
    for (const result of results) if (result.status === 'rejected') throw result.reason as Error;
  }
}

interface Copy {
  readonly slice: Slice;
  readonly bytes: Uint8Array;
}

/** Copies, as entries change while they are written, and those changes may stand on refcounts not yet written. */
function take(slices: Set<Slice>): Copy[] {
  const copies: Copy[] = [];
  for (const slice of slices) {
    slice.dirty = false;
    slice.writing = true;
    copies.push({ slice, bytes: slice.bytes.slice() });
  }
  slices.clear();
  if (copies.length > 1) copies.sort((a, b) => a.slice.offset - b.slice.offset);
  return copies;
}
