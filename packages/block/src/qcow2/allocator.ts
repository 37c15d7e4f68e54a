import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { MetadataCache } from './metadata-cache.ts';
import type { MetadataWriter } from './metadata-writer.ts';
import { MAX_OFFSET } from './qcow2-format.ts';
import type { Refcounts } from './refcounts.ts';

/** Clusters of the file that now belong to the caller. */
export interface HostRun {
  readonly offset: number;
  /** Clusters. */
  readonly count: number;
  /** Never written: reads as zeroes. */
  readonly fresh: boolean;
  /** What references to it depend on: see `MetadataWriter.dependOn`. */
  readonly generation: number;
}

/** Why clusters are freed: decides whether the space goes back to the file system. */
export type FreeReason = 'request' | 'snapshot' | 'other';

/** Which frees punch holes into the file; as QEMU's pass-discard options. */
export type PassDiscard = Readonly<Record<FreeReason, boolean>>;

interface PendingFree {
  readonly first: number;
  readonly count: number;
  readonly reason: FreeReason;
}

/** First reservation; each next one is twice as large. */
const FIRST_RESERVE_BYTES = 1024 * 1024;
const MAX_RESERVE_BYTES = 64 * 1024 * 1024;
/** Frees wait for a flush; more than these force one. */
const MAX_PENDING_FREES = 16 * 1024;

/** What an {@link Allocator} stands on. */
export interface AllocatorOptions {
  readonly file: BlockNode;
  readonly refcounts: Refcounts;
  readonly writer: MetadataWriter;
  readonly cache: MetadataCache;
  readonly clusterSize: number;
  readonly passDiscard: PassDiscard;
  /** Whether a cluster is known to hold metadata. */
  readonly isMetadata: (cluster: number) => boolean;
  /** Nothing refers to a cluster any more. */
  readonly onFreed: (cluster: number) => void;
  /** Marks the image corrupt and throws. */
  readonly corrupt: (what: string) => never;
  /** Resolves once operations that may still use clusters freed until now have ended. */
  readonly settle: () => Promise<void>;
}

/**
 * Gives and takes back clusters of the file.
 *
 * Clusters are reserved ahead, many at a time: their refcounts reach the disk with one flush for all, and table
 * entries that refer to them later need no further one. What is left when the image is closed is given back; after
 * a crash it is leaked. Freed clusters keep their refcount until a flush has made the entries durable that referred to
 * them no more.
 */
export class Allocator {
  readonly #o: AllocatorOptions;
  #pool: HostRun[] = [];
  #poolClusters = 0;
  #reserve: number;
  #hint = 0;
  #highWater: number;
  #lock: Promise<unknown> = Promise.resolve();
  #refilling: Promise<void> | undefined;
  #pending: PendingFree[] = [];
  #releasing: Promise<void> | undefined;
  /** Where the next compressed cluster may go; 0: nowhere. */
  #byteOffset = 0;

  constructor(options: AllocatorOptions) {
    this.#o = options;
    this.#reserve = Math.max(1, FIRST_RESERVE_BYTES / options.clusterSize);
    this.#highWater = Math.ceil(options.file.size / options.clusterSize);
  }

  /** Runs one thing at a time that changes who owns which cluster. */
  async locked<T>(body: () => Promise<T>): Promise<T> {
    const before = this.#lock;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lock = promise;
    await before;
    try {
      return await body();
    } finally {
      resolve();
    }
  }

  /** Up to `count` adjacent clusters that are reserved already; undefined: none is. */
  take(count: number): HostRun | undefined {
    const run = this.#pool[0];
    if (run === undefined) return undefined;
    const { clusterSize } = this.#o;
    const n = Math.min(count, run.count);
    if (n === run.count) this.#pool.shift();
    else {
      this.#pool[0] = { ...run, offset: run.offset + n * clusterSize, count: run.count - n };
    }
    this.#poolClusters -= n;
    if (this.#poolClusters < this.#reserve / 4) this.#refillAhead();
    return n === run.count ? run : { ...run, count: n };
  }

  /** At least one and up to `count` adjacent clusters. @throws PolyvisorError `io`, `limit`, `corrupt`. */
  async allocate(count: number): Promise<HostRun> {
    for (;;) {
      const run = this.take(count);
      if (run !== undefined) return run;
      await this.#refill(count);
    }
  }

  /** Gives back clusters that nothing refers to and nothing ever did. */
  unallocate(run: HostRun): void {
    this.#pool.unshift({ ...run, fresh: false });
    this.#poolClusters += run.count;
  }

  #refillAhead(): void {
    if (this.#refilling !== undefined) return;
    // A failure shows again when the clusters are needed.
    this.#refill(0).catch(() => {});
  }

  async #refill(count: number): Promise<void> {
    this.#refilling ??= this.locked(async () => {
      const wanted = Math.max(count, this.#reserve);
      this.#reserve = Math.min(this.#reserve * 2, Math.max(1, MAX_RESERVE_BYTES / this.#o.clusterSize));
      const runs = await this.#find(wanted, false);
      for (const run of runs) this.#poolClusters += run.count;
      this.#pool.push(...runs);
    }).finally(() => {
      this.#refilling = undefined;
    });
    return this.#refilling;
  }

  /** Exactly `count` adjacent clusters, for tables. */
  async allocateAdjacent(count: number): Promise<HostRun> {
    return this.locked(async () => (await this.#find(count, true))[0]!);
  }

  /** Finds free clusters and counts them as used. The caller holds the lock. */
  async #find(wanted: number, adjacent: boolean): Promise<HostRun[]> {
    const { refcounts, clusterSize } = this.#o;
    const found: { first: number; count: number; generation: number }[] = [];
    let total = 0;
    let hintValid = true;
    let candidate = { first: 0, count: 0 };
    if (adjacent && wanted > refcounts.blockEntries / 2) {
      const { first, generation } = await refcounts.append(wanted);
      this.#highWater = Math.max(this.#highWater, first + wanted);
      const run = { offset: first * clusterSize, count: wanted, fresh: false, generation };
      await this.#cover([run]);
      return [run];
    }
    for (let cluster = this.#hint; total < wanted;) {
      if ((cluster + wanted) * clusterSize > MAX_OFFSET) {
        throw new PolyvisorError('limit', { what: 'image file is too large', which: this.#o.file.name });
      }
      if (
        cluster >= refcounts.reach ||
        refcounts.blockAt(Math.floor(cluster / refcounts.blockEntries)) === 0
      ) {
        await refcounts.ensureBlock(cluster);
        continue;
      }
      const { slice, index, count } = await refcounts.run(cluster);
      if (slice === undefined) continue;
      // From here to the end of the loop's body nothing waits: the slice stays the one in the cache.
      for (let i = 0; i < count && total < wanted; i++) {
        const at = cluster + i;
        const free = refcounts.width.get(slice.view, index + i) === 0;
        if (free && this.#o.isMetadata(at)) {
          return this.#o.corrupt(
            `free cluster 0x${(at * clusterSize).toString(16)} holds metadata: its refcount is wrong`,
          );
        }
        if (adjacent) {
          if (!free) continue;
          if (candidate.first + candidate.count !== at) candidate = { first: at, count: 0 };
          candidate = { first: candidate.first, count: candidate.count + 1 };
          if (candidate.count === wanted) total = wanted;
          continue;
        }
        if (!free) continue;
        const generation = refcounts.setIn(slice, index + i, 1);
        const last = found.at(-1);
        if (last !== undefined && last.first + last.count === at && last.generation === generation)
          last.count++;
        else found.push({ first: at, count: 1, generation });
        total++;
        if (hintValid) this.#hint = at + 1;
      }
      // A hint below the first free cluster costs time only; one above it, space.
      hintValid = !adjacent;
      cluster += count;
    }
    if (adjacent) {
      const generation = await refcounts.add(candidate.first, candidate.count, 1);
      found.push({ ...candidate, generation });
    }
    const runs: HostRun[] = [];
    for (const { first, count, generation } of found) {
      const used = Math.max(0, Math.min(count, this.#highWater - first));
      if (used > 0) runs.push({ offset: first * clusterSize, count: used, fresh: false, generation });
      if (used < count) {
        runs.push({ offset: (first + used) * clusterSize, count: count - used, fresh: true, generation });
      }
      this.#highWater = Math.max(this.#highWater, first + count);
    }
    await this.#cover(runs);
    if (adjacent && runs.length > 1) {
      return [{ ...runs[0]!, count: wanted, fresh: false }];
    }
    return runs;
  }

  /** The file must reach to the end of whatever an entry may come to refer to, also after a power cut. */
  async #cover(runs: readonly HostRun[]): Promise<void> {
    const { file, clusterSize } = this.#o;
    const end = runs.reduce((most, { offset, count }) => Math.max(most, offset + count * clusterSize), 0);
    if (file.size < end) await file.resize?.(end);
  }

  /** Cuts off clusters at the end of the file, down to `least` bytes, that nothing uses. Nothing allocates meanwhile. */
  async trim(least: number): Promise<void> {
    const { file, refcounts, clusterSize } = this.#o;
    const last = Math.ceil(file.size / clusterSize);
    let end = last;
    while (end > 1 && (end - 1) * clusterSize >= least && (await refcounts.get(end - 1)) === 0) end--;
    if (end < last && file.resize !== undefined) {
      this.#o.cache.invalidate(end * clusterSize, (last - end) * clusterSize);
      await file.resize(end * clusterSize, { shrink: true });
    }
  }

  /** Clusters up to here may have been written. */
  noteUsed(offset: number): void {
    this.#highWater = Math.max(this.#highWater, Math.ceil(offset / this.#o.clusterSize));
  }

  /**
   * Room for compressed data, several pieces of which share a cluster; a piece may lie across two adjacent ones.
   * @param bytes at most a cluster.
   */
  async allocateBytes(bytes: number): Promise<{ readonly offset: number; readonly generation: number }> {
    const { clusterSize, refcounts } = this.#o;
    return this.locked(async () => {
      const begun = this.#byteOffset;
      const room = begun === 0 ? 0 : clusterSize - (begun % clusterSize);
      const cluster = Math.floor(begun / clusterSize);
      const across = room < bytes;
      const next = this.#pool[0];
      const fits = !across || next?.offset === begun + room;
      if (
        room > 0 &&
        fits &&
        (await refcounts.get(cluster)) < refcounts.width.max &&
        this.#byteOffset === begun
      ) {
        const run = across && this.#pool[0]?.offset === begun + room ? this.take(1) : undefined;
        if (!across || run !== undefined) {
          const generation = await refcounts.add(cluster, 1, 1);
          this.#advanceBytes(begun + bytes);
          return { offset: begun, generation: Math.max(generation, run?.generation ?? 0) };
        }
      }
      // The lock is held: a refill through the pool's own way would wait for us.
      let run = this.take(1);
      if (run === undefined) {
        const runs = await this.#find(this.#reserve, false);
        for (const each of runs) this.#poolClusters += each.count;
        this.#pool.push(...runs);
        run = this.take(1)!;
      }
      this.#advanceBytes(run.offset + bytes);
      return { offset: run.offset, generation: run.generation };
    });
  }

  #advanceBytes(offset: number): void {
    this.#byteOffset = offset % this.#o.clusterSize === 0 ? 0 : offset;
  }

  /** No further compressed cluster goes into the one begun. */
  endBytes(): void {
    this.#byteOffset = 0;
  }

  /** A reference to these clusters is gone (in memory); counted as that once it is gone durably. */
  free(offset: number, count: number, reason: FreeReason): void {
    const first = Math.floor(offset / this.#o.clusterSize);
    const last = this.#pending.at(-1);
    if (last !== undefined && last.first + last.count === first && last.reason === reason) {
      this.#pending[this.#pending.length - 1] = { first: last.first, count: last.count + count, reason };
    } else {
      this.#pending.push({ first, count, reason });
    }
    if (this.#pending.length > MAX_PENDING_FREES && this.#releasing === undefined) {
      // A failure shows again with the next flush.
      this.flush().catch(() => {});
    }
  }

  get hasPendingFrees(): boolean {
    return this.#pending.length > 0;
  }

  /**
   * Makes everything durable, and counts as free what has been freed before.
   * @throws PolyvisorError of the file.
   */
  async flush(): Promise<void> {
    const freed = this.#pending;
    this.#pending = [];
    try {
      await this.#o.writer.sync();
    } catch (error) {
      this.#pending.unshift(...freed);
      throw error;
    }
    if (freed.length === 0) return;
    const release = (this.#releasing ?? Promise.resolve()).then(() => this.#release(freed));
    const tracked: Promise<void> = release
      .catch(() => {})
      .finally(() => {
        if (this.#releasing === tracked) this.#releasing = undefined;
      });
    this.#releasing = tracked;
  }

  /** Resolves once frees whose flush has ended are counted. */
  async settled(): Promise<void> {
    while (this.#releasing !== undefined) await this.#releasing;
  }

  async #release(freed: readonly PendingFree[]): Promise<void> {
    await this.#o.settle();
    for (const { first, count, reason } of freed) await this.#releaseRun(first, count, reason);
    await this.#o.writer.commit();
  }

  async #releaseRun(first: number, count: number, reason: FreeReason): Promise<void> {
    const { refcounts, cache, clusterSize, file, passDiscard } = this.#o;
    await this.locked(async () => {
      let punch = { first: 0, count: 0 };
      const holes: { first: number; count: number }[] = [];
      await refcounts.add(first, count, -1, (cluster) => {
        cache.invalidate(cluster * clusterSize, clusterSize);
        this.#o.onFreed(cluster);
        if (Math.floor(this.#byteOffset / clusterSize) === cluster) this.#byteOffset = 0;
        if (punch.first + punch.count === cluster) punch.count++;
        else holes.push((punch = { first: cluster, count: 1 }));
      });
      if (passDiscard[reason]) {
        for (const hole of holes) {
          const offset = hole.first * clusterSize;
          const length = Math.min(hole.count * clusterSize, file.size - offset);
          // Giving back space is a courtesy: what fails here costs nothing but space.
          if (length > 0) await file.discard(offset, length).catch(() => {});
        }
      }
      for (const hole of holes) this.#hint = Math.min(this.#hint, hole.first);
    });
  }

  /** Gives back what was reserved ahead; nothing allocates meanwhile. */
  async releasePool(): Promise<void> {
    while (this.#refilling !== undefined) await this.#refilling.catch(() => {});
    const pool = this.#pool;
    this.#pool = [];
    this.#poolClusters = 0;
    this.#reserve = Math.max(1, FIRST_RESERVE_BYTES / this.#o.clusterSize);
    await this.locked(async () => {
      for (const { offset, count } of pool) {
        const first = offset / this.#o.clusterSize;
        await this.#o.refcounts.add(first, count, -1);
        this.#hint = Math.min(this.#hint, first);
      }
    });
  }

  /** Everything that was known about where free clusters are is forgotten (after a repair or a shrink). */
  reset(): void {
    this.#pool = [];
    this.#poolClusters = 0;
    this.#pending = [];
    this.#hint = 0;
    this.#byteOffset = 0;
  }
}
