import { PolyvisorError } from '@polyvisor/contracts';
import type { IoOptions, ZeroOptions } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import { PIECE_BYTES } from '../graph/parallel.ts';
import type { FreeReason } from './allocator.ts';
import {
  ClusterLookup,
  UNALLOCATED,
  UNALLOCATED_WITH_HOST,
  ZERO_PLAIN,
  ZERO_WITH_HOST,
} from './cluster-lookup.ts';
import type { ClusterWriter } from './cluster-writer.ts';
import { unitMask } from './cluster-writer.ts';
import type { CompressedClusters } from './compressed-clusters.ts';
import type { InFlight } from './in-flight.ts';
import type { L2Tables } from './l2-tables.ts';
import type { Slice } from './metadata-cache.ts';
import { COMPRESSED, entryOffset, roundDown, roundUp, ZERO } from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';

const ALL_UNITS = 0xffff_ffff;

/** What a {@link ClusterEraser} works with. */
export interface ClusterEraserParts {
  readonly image: Qcow2Image;
  readonly tables: L2Tables;
  readonly writer: ClusterWriter;
  readonly compressed: CompressedClusters;
  readonly inFlight: InFlight;
}

/** How clusters are given up. */
export interface DiscardMode extends IoOptions {
  /** They become unallocated, whatever the backing file holds; else they read as zeroes where the version can. */
  readonly full?: boolean;
  readonly reason?: FreeReason;
}

/** Writes zeroes and discards by changing entries. */
export class ClusterEraser {
  readonly #p: ClusterEraserParts;
  readonly #lookup: ClusterLookup;

  constructor(parts: ClusterEraserParts) {
    this.#p = parts;
    this.#lookup = new ClusterLookup(parts.image);
  }

  /** Ranges have been checked. @throws PolyvisorError `unsupported`: not fast, where only that will do. */
  async writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    const { image } = this.#p;
    const end = offset + length;
    const atDiskEnd = end === image.header.size;
    const byEntry = image.header.version === 3 || image.backing === undefined;
    const first = roundUp(offset, image.unit);
    const last = atDiskEnd ? roundUp(end, image.unit) : roundDown(end, image.unit);
    if (!byEntry || first >= last) {
      await this.#writePlain(offset, end, options);
    } else {
      await this.#writePlain(offset, first, options);
      if (image.hasDataFile && image.dataFileIsRaw) {
        await image.data.writeZeroes(first, Math.min(last, end) - first, options);
      }
      await this.#zeroUnits(first, last, options);
      await this.#writePlain(last, end, options);
    }
    await image.writer.commit();
  }

  /** Zeroes as data, except where the range reads as zeroes already. */
  async #writePlain(offset: number, end: number, options: ZeroOptions): Promise<void> {
    const { image, writer } = this.#p;
    for (let at = offset; at < end;) {
      if (!this.#lookup.find(at, Math.min(end - at, PIECE_BYTES))) {
        await image.cache.load(this.#lookup.missing);
        continue;
      }
      const { kind, length } = this.#lookup;
      const unallocated = kind === UNALLOCATED || kind === UNALLOCATED_WITH_HOST;
      const zero =
        kind === ZERO_PLAIN ||
        kind === ZERO_WITH_HOST ||
        (unallocated && (image.backing === undefined || at >= image.backing.size));
      if (!zero) {
        if (options.onlyFast === true) {
          throw new PolyvisorError('unsupported', {
            what: "zeroes can't be written fast here",
            which: image.name,
          });
        }
        await writer.write(at, new Uint8Array(length), options);
        checkCancelled(options.signal);
      }
      at += length;
    }
  }

  async #zeroUnits(start: number, end: number, options: ZeroOptions): Promise<void> {
    const { image } = this.#p;
    const unmap = options.mayUnmap === true;
    const { clusterSize, extended } = image;
    await this.#eachSlice(start, end, true, options, (slice, index, guest) => {
      const from = Math.max(start, guest) - guest;
      const to = Math.min(end, guest + clusterSize) - guest;
      if (!extended) this.#zeroStandard(slice, index, unmap);
      else return this.#zeroExtended(slice, index, from, to, unmap);
      return true;
    });
  }

  #zeroStandard(slice: Slice, index: number, unmap: boolean): void {
    const { image, tables } = this.#p;
    const high = slice.view.getUint32(index * 8);
    const low = slice.view.getUint32(index * 8 + 4);
    const compressed = (high & COMPRESSED) !== 0;
    if (image.header.version === 2) {
      // There is no backing file: what is unallocated reads as zeroes.
      if (high === 0 && low === 0) return;
      this.#free(slice, index, 'request');
      tables.set(slice, index, 0, 0);
      return;
    }
    const placed = !compressed && (entryOffset(high, low) !== 0 || (image.hasDataFile && high !== 0));
    if (placed && !unmap) {
      if ((low & ZERO) === 0) tables.set(slice, index, high, (low | ZERO) >>> 0);
      return;
    }
    if (!placed && !compressed && (low & ZERO) !== 0) return;
    this.#free(slice, index, 'request');
    tables.set(slice, index, 0, ZERO);
  }

  /** @returns false: entries of compressed clusters can't be zero in part. */
  #zeroExtended(slice: Slice, index: number, from: number, to: number, unmap: boolean): boolean {
    const { image, tables } = this.#p;
    const { clusterSize, unit } = image;
    const at = index * 16;
    const high = slice.view.getUint32(at);
    const low = slice.view.getUint32(at + 4);
    const compressed = (high & COMPRESSED) !== 0;
    const whole = to - from === clusterSize;
    if (compressed && !whole) return false;
    const zero = compressed ? 0 : slice.view.getUint32(at + 8);
    const alloc = compressed ? 0 : slice.view.getUint32(at + 12);
    if (whole && (unmap || compressed)) {
      if (zero === ALL_UNITS && high === 0 && low === 0) return true;
      this.#free(slice, index, 'request');
      tables.set(slice, index, 0, 0, ALL_UNITS, 0);
      return true;
    }
    const mask = unitMask(from / unit, to / unit);
    tables.set(slice, index, high, low, (zero | mask) >>> 0, (alloc & ~mask) >>> 0);
    return true;
  }

  #free(slice: Slice, index: number, reason: FreeReason): void {
    const { image, tables, compressed } = this.#p;
    if ((slice.view.getUint32(index * image.entryBytes) & COMPRESSED) >>> 0 !== 0) compressed.forget();
    tables.freeOld(slice, index, reason);
  }

  /** Gives up whole clusters in the range; what is smaller at its ends stays. */
  async discard(offset: number, length: number, mode: DiscardMode = {}): Promise<void> {
    const { image } = this.#p;
    const { clusterSize, header, hasDataFile } = image;
    const end = offset + length;
    const first = roundUp(offset, clusterSize);
    const last = end >= header.size ? roundUp(end, clusterSize) : roundDown(end, clusterSize);
    const full = mode.full ?? false;
    // Unallocated clusters of this version would show the backing file's old data.
    if (header.version === 2 && image.backing !== undefined && !full) return;
    if (first >= last) return;
    await this.#eachSlice(first, last, false, mode, (slice, index) => {
      this.#discardEntry(slice, index, full, mode.reason ?? 'request');
      return true;
    });
    await image.writer.commit();
    if (hasDataFile) {
      const inFile = Math.min(last, image.data.size) - first;
      if (inFile > 0) await image.data.discard(first, inFile, mode);
    }
  }

  #discardEntry(slice: Slice, index: number, full: boolean, reason: FreeReason): void {
    const { image, tables } = this.#p;
    const { entryBytes, extended, header } = image;
    const at = index * entryBytes;
    const high = slice.view.getUint32(at);
    const low = slice.view.getUint32(at + 4);
    const zero = extended ? slice.view.getUint32(at + 8) : 0;
    const alloc = extended ? slice.view.getUint32(at + 12) : 0;
    const empty = high === 0 && (low & ~ZERO) === 0 && alloc === 0;
    if (full || header.version === 2) {
      if (empty && low === 0 && zero === 0) return;
      this.#free(slice, index, reason);
      tables.set(slice, index, 0, 0);
      return;
    }
    if (empty) {
      // Nothing is stored; what is zero stays zero, what is unallocated hides a backing file's data.
      const isZero = extended ? zero === ALL_UNITS : (low & ZERO) !== 0;
      if (isZero || image.backing === undefined) return;
    }
    this.#free(slice, index, reason);
    if (extended) tables.set(slice, index, 0, 0, ALL_UNITS, 0);
    else tables.set(slice, index, 0, ZERO);
  }

  /**
   * Visits the entries of all clusters that the range touches, in tables that may be changed.
   * @param create makes tables where there is none; else those ranges are left alone unless a backing file shows there.
   * @param change gives false where the entry can't express it: zeroes are written instead.
   */
  async #eachSlice(
    start: number,
    end: number,
    create: boolean,
    options: ZeroOptions & { readonly full?: boolean },
    change: (slice: Slice, index: number, guest: number) => boolean,
  ): Promise<void> {
    const { image, tables, inFlight } = this.#p;
    const { clusterSize, tableReach, sliceEntries, l1 } = image;
    for (let at = roundDown(start, clusterSize); at < end;) {
      checkCancelled(options.signal);
      const sliceReach = sliceEntries * clusterSize;
      const stop = Math.min(end, (Math.floor(at / sliceReach) + 1) * sliceReach);
      const blocked = inFlight.blocking(Math.floor(at / clusterSize), Math.ceil(stop / clusterSize));
      if (blocked !== undefined) {
        await blocked;
        continue;
      }
      const l1Index = Math.floor(at / tableReach);
      const missing = l1Index >= l1.size || l1.tableAt(l1Index) === 0;
      const shown = image.backing !== undefined && at < image.backing.size && options.full !== true;
      // Version 2 has nothing to say about a cluster but that it is unallocated.
      if (missing && (image.header.version === 2 || (!create && !shown))) {
        at = Math.min(end, (l1Index + 1) * tableReach);
        continue;
      }
      if (!tables.isWritable(at)) {
        await tables.ensureWritable(at);
        continue;
      }
      const place = tables.peek(at);
      if (place === undefined) {
        await tables.load(at);
        continue;
      }
      const refused: number[] = [];
      for (let i = 0; at + i * clusterSize < stop; i++) {
        if (!change(place.slice, place.index + i, at + i * clusterSize)) refused.push(at + i * clusterSize);
      }
      for (const guest of refused) {
        const from = Math.max(start, guest);
        await this.#writePlain(from, Math.min(end, guest + clusterSize, image.header.size), options);
      }
      at = stop;
    }
  }
}
