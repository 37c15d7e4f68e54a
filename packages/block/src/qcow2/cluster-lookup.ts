import {
  COMPRESSED,
  COPIED,
  entryOffset,
  MAX_OFFSET,
  OFFSET_HIGH,
  OFFSET_LOW,
  TWO_32,
  ZERO,
} from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';
import type { Slice } from './metadata-cache.ts';

/** What a run of guest bytes is. */
export const UNALLOCATED = 0;
/** A subcluster that is unallocated in a cluster that has its place in the file. */
export const UNALLOCATED_WITH_HOST = 1;
export const ZERO_PLAIN = 2;
/** Reads as zeroes, but has its place in the file. */
export const ZERO_WITH_HOST = 3;
export const NORMAL = 4;
export const COMPRESSED_CLUSTER = 5;

/**
 * Finds what maps a guest offset. The fields hold the result of the latest {@link find}: take what is needed before
 * waiting for anything.
 */
export class ClusterLookup {
  readonly #image: Qcow2Image;
  kind = UNALLOCATED;
  /** Bytes from the asked offset on that are alike and, if they have a place in the file, adjacent there. */
  length = 0;
  /** Where the asked byte lies; for compressed clusters, where their data begins. */
  host = 0;
  /** The place in the file is this disk's alone: it may be written to. */
  copied = false;
  /** Bytes of compressed data, at most. */
  compressedBytes = 0;
  /** Where the slice lies that must be loaded before asking again. */
  missing = 0;
  slice: Slice | undefined;
  /** The entry of the first cluster within the slice. */
  index = 0;

  constructor(image: Qcow2Image) {
    this.#image = image;
  }

  /**
   * @returns false if the L2 slice at {@link missing} must be loaded first.
   * @throws PolyvisorError `corrupt`: an entry points where it can't.
   */
  find(offset: number, length: number): boolean {
    const image = this.#image;
    const { l1, clusterSize, tableReach, sliceEntries, cache } = image;
    const l1Index = Math.floor(offset / tableReach);
    const within = offset - l1Index * tableReach;
    const table = l1Index < l1.size ? l1.tableAt(l1Index) : 0;
    this.slice = undefined;
    this.host = 0;
    this.copied = false;
    if (table === 0) {
      this.kind = UNALLOCATED;
      this.length = Math.min(length, tableReach - within);
      this.index = 0;
      return true;
    }
    if (table % clusterSize !== 0) {
      image.corrupt(
        `L2 table offset 0x${table.toString(16)} unaligned (L1 index: 0x${l1Index.toString(16)})`,
      );
    }
    if (table > MAX_OFFSET - clusterSize)
      image.corrupt(`L2 table offset 0x${table.toString(16)} is too large`);
    const inCluster = within % clusterSize;
    const l2Index = (within - inCluster) / clusterSize;
    const index = l2Index % sliceEntries;
    const at = table + ((l2Index - index) / sliceEntries) * cache.sliceBytes;
    const slice = cache.peek(at);
    if (slice === undefined) {
      this.missing = at;
      return false;
    }
    this.slice = slice;
    this.index = index;
    const clusters = Math.min(sliceEntries - index, Math.ceil((inCluster + length) / clusterSize));
    if (image.extended) this.#findExtended(slice.view, index, clusters, inCluster, length);
    else this.#findStandard(slice.view, index, clusters, inCluster, length);
    if (image.hasDataFile && hasHost(this.kind) && this.host !== offset) {
      image.corrupt(
        `External data file host cluster 0x${this.host.toString(16)} does not match the guest's 0x${offset.toString(16)}`,
      );
    }
    return true;
  }

  #findStandard(view: DataView, index: number, clusters: number, inCluster: number, length: number): void {
    const { clusterSize, hasDataFile } = this.#image;
    const high = view.getUint32(index * 8);
    const low = view.getUint32(index * 8 + 4);
    if ((high & COMPRESSED) !== 0) {
      this.#compressed(high, low, inCluster, length);
      return;
    }
    const host = entryOffset(high, low);
    const copied = (high & COPIED) !== 0;
    const kind = standardKind(high, low, hasDataFile);
    const placed = kind === NORMAL || kind === ZERO_WITH_HOST;
    if (placed) this.#checkHost(host, index);
    let n = 1;
    if (placed) {
      for (; n < clusters; n++) {
        const nextHigh = view.getUint32((index + n) * 8);
        const nextLow = view.getUint32((index + n) * 8 + 4);
        if (
          ((nextHigh ^ high) & (COMPRESSED | COPIED)) !== 0 ||
          entryOffset(nextHigh, nextLow) !== host + n * clusterSize ||
          ((nextLow ^ low) & ZERO) !== 0
        ) {
          break;
        }
      }
    } else {
      for (; n < clusters; n++) {
        const nextHigh = view.getUint32((index + n) * 8);
        if ((nextHigh & COMPRESSED) !== 0) break;
        if (standardKind(nextHigh, view.getUint32((index + n) * 8 + 4), hasDataFile) !== kind) break;
      }
    }
    this.kind = kind;
    this.copied = copied && placed;
    this.host = placed ? host + inCluster : 0;
    this.length = Math.min(length, n * clusterSize - inCluster);
  }

  #findExtended(view: DataView, index: number, clusters: number, inCluster: number, length: number): void {
    const { clusterSize, unit, hasDataFile } = this.#image;
    const end = Math.min(inCluster + length, clusters * clusterSize);
    let kind = -1;
    let first = 0;
    let copied = false;
    let at = inCluster;
    while (at < end) {
      const n = Math.floor(at / clusterSize);
      const entry = (index + n) * 16;
      const high = view.getUint32(entry);
      const low = view.getUint32(entry + 4);
      if ((high & COMPRESSED) !== 0) {
        if (kind >= 0) break;
        this.#compressed(high, low, inCluster, length);
        return;
      }
      const host = entryOffset(high, low);
      const placed = host !== 0 || (hasDataFile && (high & COPIED) !== 0);
      const sub = Math.floor((at % clusterSize) / unit);
      const zero = ((view.getUint32(entry + 8) >>> sub) & 1) !== 0;
      const data = ((view.getUint32(entry + 12) >>> sub) & 1) !== 0;
      if ((zero && data) || (data && !placed)) {
        this.#image.corrupt(`Invalid L2 bitmap (L2 index: 0x${(index + n).toString(16)})`);
      }
      const here = data
        ? NORMAL
        : zero
          ? placed
            ? ZERO_WITH_HOST
            : ZERO_PLAIN
          : placed
            ? UNALLOCATED_WITH_HOST
            : UNALLOCATED;
      const isCopied = (high & COPIED) !== 0 && placed;
      if (kind < 0) {
        kind = here;
        first = host;
        copied = isCopied;
        if (placed) this.#checkHost(host, index);
      } else if (here !== kind || isCopied !== copied || (placed && host !== first + n * clusterSize)) {
        break;
      }
      at = (Math.floor(at / unit) + 1) * unit;
    }
    this.kind = kind;
    this.copied = copied;
    const placed = kind === NORMAL || kind === ZERO_WITH_HOST || kind === UNALLOCATED_WITH_HOST;
    this.host = placed ? first + inCluster : 0;
    this.length = Math.min(length, at - inCluster);
  }

  #checkHost(host: number, index: number): void {
    const { clusterSize } = this.#image;
    if (host % clusterSize === 0 && host <= MAX_OFFSET - clusterSize * this.#image.sliceEntries) return;
    this.#image.corrupt(
      `Cluster allocation offset 0x${host.toString(16)} unaligned or too large (L2 index: 0x${index.toString(16)})`,
    );
  }

  #compressed(high: number, low: number, inCluster: number, length: number): void {
    const { header, clusterSize, hasDataFile } = this.#image;
    if (hasDataFile) this.#image.corrupt('Compressed cluster entry found in image with data file');
    this.kind = COMPRESSED_CLUSTER;
    const place = compressedPlace(high, low, header.clusterBits);
    this.host = place.offset;
    this.compressedBytes = place.bytes;
    this.length = Math.min(length, clusterSize - inCluster);
  }
}

/** Whether a run of this kind has a place in the file, uncompressed. */
export function hasHost(kind: number): boolean {
  return kind === NORMAL || kind === ZERO_WITH_HOST || kind === UNALLOCATED_WITH_HOST;
}

function standardKind(high: number, low: number, hasDataFile: boolean): number {
  const placed = (high & OFFSET_HIGH) !== 0 || (low & OFFSET_LOW) !== 0;
  if ((low & ZERO) !== 0)
    return placed || (hasDataFile && (high & COPIED) !== 0) ? ZERO_WITH_HOST : ZERO_PLAIN;
  return placed || (hasDataFile && (high & COPIED) !== 0) ? NORMAL : UNALLOCATED;
}

/** Where a compressed cluster's data lies, and how long it is at most. */
export function compressedPlace(
  high: number,
  low: number,
  clusterBits: number,
): { readonly offset: number; readonly bytes: number } {
  const offsetBits = 62 - (clusterBits - 8);
  const offset = (high & (2 ** (offsetBits - 32) - 1)) * TWO_32 + low;
  const sectors = ((high & 0x3fff_ffff) >>> (offsetBits - 32)) + 1;
  return { offset, bytes: sectors * 512 - (offset % 512) };
}
