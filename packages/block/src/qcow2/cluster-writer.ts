import type { WriteOptions } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import { PIECE_BYTES } from '../graph/parallel.ts';
import type { HostRun } from './allocator.ts';
import {
  COMPRESSED_CLUSTER,
  ClusterLookup,
  NORMAL,
  UNALLOCATED,
  UNALLOCATED_WITH_HOST,
  ZERO_PLAIN,
  ZERO_WITH_HOST,
} from './cluster-lookup.ts';
import { all } from './cluster-reader.ts';
import type { ClusterReader } from './cluster-reader.ts';
import type { CompressedClusters } from './compressed-clusters.ts';
import type { InFlight } from './in-flight.ts';
import { copiedHigh } from './l2-tables.ts';
import type { L2Tables } from './l2-tables.ts';
import { SUBCLUSTERS } from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';

const MAX_PARTS = 16;
/** Up to so many bytes, data and what surrounds it in its clusters are put into one buffer and written at once. */
const MERGE_BYTES = 256 * 1024;

/** What a {@link ClusterWriter} works with. */
export interface ClusterWriterParts {
  readonly image: Qcow2Image;
  readonly tables: L2Tables;
  readonly reader: ClusterReader;
  readonly compressed: CompressedClusters;
  readonly inFlight: InFlight;
}

/** Writes guest ranges: in place where that may be, else into clusters of its own. */
export class ClusterWriter {
  readonly #image: Qcow2Image;
  readonly #tables: L2Tables;
  readonly #reader: ClusterReader;
  readonly #compressed: CompressedClusters;
  readonly #inFlight: InFlight;
  readonly #lookup: ClusterLookup;
  #dataHighWater: number;

  constructor(parts: ClusterWriterParts) {
    this.#image = parts.image;
    this.#tables = parts.tables;
    this.#reader = parts.reader;
    this.#compressed = parts.compressed;
    this.#inFlight = parts.inFlight;
    this.#lookup = new ClusterLookup(parts.image);
    this.#dataHighWater = parts.image.data.size;
  }

  /** Ranges have been checked. When it resolves, data and the metadata that shows it have been written to the files. */
  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    const image = this.#image;
    const lookup = this.#lookup;
    const { clusterSize } = image;
    const { length } = source;
    const parts: Promise<void>[] = [];
    try {
      for (let done = 0; done < length;) {
        const at = offset + done;
        const first = Math.floor(at / clusterSize);
        const wanted = Math.min(length - done, PIECE_BYTES);
        const blocked = this.#inFlight.blocking(first, Math.ceil((at + wanted) / clusterSize));
        if (blocked !== undefined) {
          await blocked;
          continue;
        }
        if (!lookup.find(at, wanted)) {
          await image.cache.load(lookup.missing);
          continue;
        }
        const inPlace = lookup.kind === NORMAL && (lookup.copied || image.hasDataFile);
        if (!inPlace && !this.#tables.isWritable(at)) {
          await this.#tables.ensureWritable(at);
          continue;
        }
        const run = lookup.length;
        const bytes = run === length ? source : source.subarray(done, done + run);
        parts.push(inPlace ? this.#overwrite(at, bytes) : this.#allocate(at, bytes));
        done += run;
        if (parts.length >= MAX_PARTS && done < length) {
          await all(parts.splice(0));
          checkCancelled(options?.signal);
        }
      }
    } catch (error) {
      await Promise.allSettled(parts);
      throw error;
    }
    await (parts.length === 1 ? parts[0] : all(parts));
  }

  async #overwrite(offset: number, source: Uint8Array): Promise<void> {
    const image = this.#image;
    const { host, slice } = this.#lookup;
    if (!image.hasDataFile) image.checkHostWrite(host, source.length);
    await this.#writeData(host, offset, source);
    // Whoever allocated this cluster may not have shown it yet.
    if (slice!.dirty || slice!.writing) await image.writer.commit();
  }

  async #writeData(host: number, offset: number, source: Uint8Array): Promise<void> {
    const { cipher, data } = this.#image;
    if (cipher === undefined) return data.write(host, source);
    const copy = source.slice();
    await cipher.encrypt(cipher.numbering === 'host' ? host : offset, copy);
    return data.write(host, copy);
  }

  /** Writes a run of one kind that has no place of its own yet. Nothing before the first wait may wait. */
  async #allocate(offset: number, source: Uint8Array): Promise<void> {
    const { kind, host, copied, slice, index } = this.#lookup;
    const image = this.#image;
    const { clusterSize } = image;
    const first = Math.floor(offset / clusterSize);
    const end = Math.ceil((offset + source.length) / clusterSize);
    const done = this.#inFlight.begin(first, end);
    try {
      const placed =
        kind === ZERO_WITH_HOST || kind === UNALLOCATED_WITH_HOST || (image.extended && kind === NORMAL);
      if (image.extended && placed) {
        await this.#writeSubclusters(offset, source, slice!.view, index);
      } else if (placed && copied) {
        const start = host - (offset % clusterSize);
        if (!image.hasDataFile) image.checkHostWrite(start, (end - first) * clusterSize);
        const run = { offset: start, count: end - first, fresh: false, generation: 0 };
        await this.#fill(run, first, offset, source, kind, false);
      } else {
        const parts: Promise<void>[] = [];
        try {
          for (let cluster = first; cluster < end;) {
            const run = image.hasDataFile
              ? this.#inDataFile(cluster, end - cluster)
              : (image.allocator.take(end - cluster) ?? (await image.allocator.allocate(end - cluster)));
            parts.push(this.#fill(run, cluster, offset, source, kind, !image.hasDataFile));
            cluster += run.count;
          }
        } catch (error) {
          await Promise.allSettled(parts);
          throw error;
        }
        await all(parts);
      }
    } finally {
      done();
    }
    await image.writer.commit();
  }

  #inDataFile(cluster: number, count: number): HostRun {
    const { clusterSize } = this.#image;
    const offset = cluster * clusterSize;
    const fresh = offset >= this.#dataHighWater;
    const end = offset + count * clusterSize;
    if (end > this.#dataHighWater && !fresh) return { offset, count: 1, fresh, generation: 0 };
    this.#dataHighWater = Math.max(this.#dataHighWater, end);
    return { offset, count, fresh, generation: 0 };
  }

  /** Writes the part of `source` that lies in the run's clusters, with what surrounds it, and shows it. */
  async #fill(
    run: HostRun,
    cluster: number,
    offset: number,
    source: Uint8Array,
    kind: number,
    owned: boolean,
  ): Promise<void> {
    const image = this.#image;
    const { clusterSize, unit } = image;
    const guest = cluster * clusterSize;
    const from = Math.max(offset, guest);
    const to = Math.min(offset + source.length, guest + run.count * clusterSize);
    const data = source.subarray(from - offset, to - offset);
    // Old contents of compressed clusters go with their entry; others' subclusters are kept by not touching them.
    const granule = kind === COMPRESSED_CLUSTER || kind === NORMAL ? clusterSize : unit;
    const start = Math.floor(from / granule) * granule;
    const end = Math.ceil(to / granule) * granule;
    try {
      const safe = await this.#writeAround(run, guest, { start, from, to, end }, data, kind);
      if (!safe) image.writer.dependOnData();
      await this.#link(run, cluster, start, end, kind);
    } catch (error) {
      if (owned) image.allocator.unallocate(run);
      throw error;
    }
  }

  /** @returns whether a power cut that loses the data, but not the entry, leaves what was there before or zeroes. */
  async #writeAround(
    run: HostRun,
    guest: number,
    {
      start,
      from,
      to,
      end,
    }: { readonly start: number; readonly from: number; readonly to: number; readonly end: number },
    data: Uint8Array,
    kind: number,
  ): Promise<boolean> {
    const image = this.#image;
    const host = run.offset - guest;
    const zeroes =
      kind === ZERO_PLAIN ||
      kind === ZERO_WITH_HOST ||
      (isUnallocated(kind) && !this.#hasBackingAt(start, end));
    const safe = run.fresh && zeroes && image.cipher === undefined;
    if (safe || (start === from && to === end)) {
      await this.#writeData(host + from, from, data);
      return safe;
    }
    if (end - start <= MERGE_BYTES) {
      const merged = new Uint8Array(end - start);
      if (!zeroes) {
        await all([
          this.#readOld(start, merged.subarray(0, from - start)),
          this.#readOld(to, merged.subarray(to - start)),
        ]);
      }
      merged.set(data, from - start);
      await this.#writeData(host + start, start, merged);
      return false;
    }
    await all([
      this.#copyOld(host, start, from, zeroes),
      this.#writeData(host + from, from, data),
      this.#copyOld(host, to, end, zeroes),
    ]);
    return false;
  }

  async #copyOld(host: number, from: number, to: number, zeroes: boolean): Promise<void> {
    if (from === to) return;
    const bytes = new Uint8Array(to - from);
    if (!zeroes) await this.#readOld(from, bytes);
    await this.#writeData(host + from, from, bytes);
  }

  /** What the guest sees at an offset; beyond the disk's end zeroes. */
  async #readOld(offset: number, target: Uint8Array): Promise<void> {
    const { header } = this.#image;
    if (target.length === 0) return;
    const inDisk = offset >= header.size ? target.length : Math.min(target.length, header.size - offset);
    await this.#reader.read(offset, target.subarray(0, inDisk));
    target.fill(0, inDisk);
  }

  #hasBackingAt(start: number, end: number): boolean {
    const { backing, header } = this.#image;
    return backing !== undefined && start < Math.min(backing.size, header.size) && end > 0;
  }

  /** Makes the entries of the run's clusters refer to it; `start` to `end` is what has been written. */
  async #link(run: HostRun, cluster: number, start: number, end: number, kind: number): Promise<void> {
    const image = this.#image;
    const { clusterSize, unit, extended, writer } = image;
    const guest = cluster * clusterSize;
    let place = this.#tables.peek(guest);
    while (place === undefined) {
      await this.#tables.load(guest);
      place = this.#tables.peek(guest);
    }
    const { slice, index } = place;
    writer.dependOn(run.generation);
    if (kind === COMPRESSED_CLUSTER) this.#compressed.forget();
    for (let i = 0; i < run.count; i++) {
      const host = run.offset + i * clusterSize;
      const high = copiedHigh(host);
      const low = host >>> 0;
      if (kind !== UNALLOCATED && kind !== ZERO_PLAIN) {
        const entry = slice.view.getUint32((index + i) * image.entryBytes + 4);
        const oldHigh = slice.view.getUint32((index + i) * image.entryBytes);
        const same = (oldHigh & 0x00ff_ffff) === (high & 0x00ff_ffff) && (entry & ~0x1ff) >>> 0 === low;
        if (!same || (oldHigh & 0x4000_0000) !== 0) this.#tables.freeEntry(oldHigh, entry, 'other');
      }
      if (!extended) {
        this.#tables.set(slice, index + i, high, low);
        continue;
      }
      const base = guest + i * clusterSize;
      const mask = unitMask(Math.max(0, start - base) / unit, Math.min(clusterSize, end - base) / unit);
      const zeroBits = kind === COMPRESSED_CLUSTER ? 0 : slice.view.getUint32((index + i) * 16 + 8);
      this.#tables.set(slice, index + i, high, low, (zeroBits & ~mask) >>> 0, mask);
    }
  }

  /** Extended entries whose cluster has its place in the file already, or shares one. */
  async #writeSubclusters(offset: number, source: Uint8Array, view: DataView, index: number): Promise<void> {
    const { clusterSize } = this.#image;
    const olds: { high: number; low: number; zero: number; alloc: number }[] = [];
    const first = Math.floor(offset / clusterSize);
    const last = Math.floor((offset + source.length - 1) / clusterSize);
    for (let i = 0; i <= last - first; i++) {
      const at = (index + i) * 16;
      olds.push({
        high: view.getUint32(at),
        low: view.getUint32(at + 4),
        zero: view.getUint32(at + 8),
        alloc: view.getUint32(at + 12),
      });
    }
    for (const [i, old] of olds.entries()) {
      const guest = (first + i) * clusterSize;
      const from = Math.max(offset, guest);
      const to = Math.min(offset + source.length, guest + clusterSize);
      await this.#writeSubclustersOf(guest, from, source.subarray(from - offset, to - offset), old);
    }
  }

  async #writeSubclustersOf(
    guest: number,
    from: number,
    data: Uint8Array,
    old: { readonly high: number; readonly low: number; readonly zero: number; readonly alloc: number },
  ): Promise<void> {
    const image = this.#image;
    const { clusterSize, unit } = image;
    const oldHost = (old.high & 0x00ff_ffff) * 0x1_0000_0000 + ((old.low & ~0x1ff) >>> 0);
    const keep = (old.high & 0x8000_0000) !== 0 || image.hasDataFile;
    const run = keep
      ? { offset: oldHost, count: 1, fresh: false, generation: 0 }
      : await image.allocator.allocate(1);
    try {
      if (keep && !image.hasDataFile) image.checkHostWrite(oldHost, clusterSize);
      const firstUnit = Math.floor((from - guest) / unit);
      const endUnit = Math.ceil((from - guest + data.length) / unit);
      const covered = unitMask(firstUnit, endUnit);
      // In a place of its own, data of other subclusters must be brought along.
      const copied = keep ? 0 : (old.alloc & ~covered) >>> 0;
      const bytes = new Uint8Array((endUnit - firstUnit) * unit);
      const start = guest + firstUnit * unit;
      const end = start + bytes.length;
      await all([
        this.#readOld(start, bytes.subarray(0, from - start)),
        this.#readOld(from + data.length, bytes.subarray(bytes.length - (end - from - data.length))),
      ]);
      bytes.set(data, from - start);
      await this.#writeData(run.offset + firstUnit * unit, start, bytes);
      for (let sub = 0; sub < SUBCLUSTERS; sub++) {
        if (((copied >>> sub) & 1) === 0) continue;
        let next = sub + 1;
        while (next < SUBCLUSTERS && ((copied >>> next) & 1) !== 0) next++;
        const moved = new Uint8Array((next - sub) * unit);
        await this.#readOld(guest + sub * unit, moved);
        await this.#writeData(run.offset + sub * unit, guest + sub * unit, moved);
        sub = next;
      }
      image.writer.dependOnData();
      image.writer.dependOn(run.generation);
      let place = this.#tables.peek(guest);
      while (place === undefined) {
        await this.#tables.load(guest);
        place = this.#tables.peek(guest);
      }
      if (!keep) this.#tables.freeOld(place.slice, place.index, 'other');
      const alloc = (old.alloc | covered) >>> 0;
      this.#tables.set(
        place.slice,
        place.index,
        copiedHigh(run.offset),
        run.offset >>> 0,
        (old.zero & ~alloc) >>> 0,
        alloc,
      );
    } catch (error) {
      if (!keep) image.allocator.unallocate(run);
      throw error;
    }
  }
}

function isUnallocated(kind: number): boolean {
  return kind === UNALLOCATED || kind === UNALLOCATED_WITH_HOST;
}

/** Bits `from` to below `to`. */
export function unitMask(from: number, to: number): number {
  if (to - from >= 32) return 0xffff_ffff;
  return (((1 << (to - from)) - 1) << from) >>> 0;
}
