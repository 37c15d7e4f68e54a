import { set64, viewOf, ZERO } from './qcow2-format.ts';
import { COMPRESSED, COPIED, entryOffset } from './qcow2-format.ts';
import { compressedPlace } from './cluster-lookup.ts';
import type { Slice } from './metadata-cache.ts';
import type { FreeReason } from './allocator.ts';
import type { Qcow2Image } from './qcow2-image.ts';

/** Slices of a new table that are put into the cache right away. */
const MAX_CREATED_SLICES = 16;

/** Changes L2 tables. */
export class L2Tables {
  readonly #image: Qcow2Image;
  readonly #making = new Map<number, Promise<void>>();

  constructor(image: Qcow2Image) {
    this.#image = image;
  }

  /** Whether entries for this offset may be changed: their table is there and this disk's alone. */
  isWritable(offset: number): boolean {
    const { l1, tableReach } = this.#image;
    const index = Math.floor(offset / tableReach);
    return index < l1.size && l1.isCopied(index) && l1.tableAt(index) !== 0;
  }

  /** Makes it so. */
  ensureWritable(offset: number): Promise<void> {
    const index = Math.floor(offset / this.#image.tableReach);
    let making = this.#making.get(index);
    if (making === undefined) {
      making = this.#make(index).finally(() => this.#making.delete(index));
      this.#making.set(index, making);
    }
    return making;
  }

  async #make(index: number): Promise<void> {
    const { l1, allocator, clusterSize, file, cache, writer } = this.#image;
    if (index < l1.size && l1.isCopied(index) && l1.tableAt(index) !== 0) return;
    if (index >= l1.size) await this.growL1(index + 1);
    const old = l1.tableAt(index);
    if (old % clusterSize !== 0) this.#image.corrupt(`L2 table offset 0x${old.toString(16)} unaligned`);
    const run = await allocator.allocate(1);
    try {
      if (old !== 0) {
        const bytes = new Uint8Array(clusterSize);
        await file.read(old, bytes);
        cache.invalidate(run.offset, clusterSize);
        await file.write(run.offset, bytes);
        writer.dependOnTables();
      } else if (!run.fresh) {
        cache.invalidate(run.offset, clusterSize);
        await file.writeZeroes(run.offset, clusterSize);
        writer.dependOnTables();
      } else if (clusterSize / cache.sliceBytes <= MAX_CREATED_SLICES) {
        for (let at = 0; at < clusterSize; at += cache.sliceBytes) cache.create(run.offset + at);
      }
    } catch (error) {
      allocator.unallocate(run);
      throw error;
    }
    this.#image.noteMetadata(run.offset, clusterSize);
    writer.dependOn(run.generation);
    l1.set(index, run.offset, true);
    if (old !== 0) allocator.free(old, 1, 'other');
  }

  /** Makes the active L1 table longer: another one takes its place. */
  async growL1(entries: number): Promise<void> {
    const image = this.#image;
    const { l1, clusterSize, allocator, file, writer } = image;
    if (entries <= l1.size) return;
    const length = Math.ceil((entries * 8) / clusterSize) * clusterSize;
    const run = await allocator.allocateAdjacent(length / clusterSize);
    // Entries that are not written yet refer to tables that are: both must be there before the header changes.
    await writer.commit();
    const bytes = new Uint8Array(entries * 8);
    const padded = new Uint8Array(length);
    bytes.set(l1.bytes);
    padded.set(l1.bytes);
    await file.write(run.offset, padded);
    await writer.sync();
    const old = { offset: l1.offset, clusters: Math.ceil((l1.size * 8) / clusterSize) };
    await image.moveL1(run.offset, bytes);
    image.noteMetadata(run.offset, length);
    if (old.clusters > 0) allocator.free(old.offset, old.clusters, 'other');
  }

  /** Where the entry for a cluster is. The slice may be dropped as soon as the caller waits. */
  peek(offset: number): { readonly slice: Slice; readonly index: number } | undefined {
    const { slice: at, index } = this.#place(offset);
    const slice = this.#image.cache.peek(at);
    return slice === undefined ? undefined : { slice, index };
  }

  async load(offset: number): Promise<void> {
    await this.#image.cache.load(this.#place(offset).slice);
  }

  #place(offset: number): { readonly slice: number; readonly index: number } {
    const { l1, tableReach, clusterSize, sliceEntries, cache } = this.#image;
    const table = l1.tableAt(Math.floor(offset / tableReach));
    const entry = Math.floor((offset % tableReach) / clusterSize);
    const index = entry % sliceEntries;
    return { slice: table + ((entry - index) / sliceEntries) * cache.sliceBytes, index };
  }

  /** Sets an entry and marks its slice. @param zeroBits, allocBits for extended entries. */
  set(slice: Slice, index: number, high: number, low: number, zeroBits = 0, allocBits = 0): void {
    const { entryBytes, writer } = this.#image;
    const at = index * entryBytes;
    slice.view.setUint32(at, high);
    slice.view.setUint32(at + 4, low);
    if (entryBytes === 16) {
      slice.view.setUint32(at + 8, zeroBits);
      slice.view.setUint32(at + 12, allocBits);
    }
    if (!slice.dirty) writer.markTable(slice);
  }

  /** Takes back what an entry refers to, because it is about to be overwritten. */
  freeOld(slice: Slice, index: number, reason: FreeReason): void {
    const { entryBytes } = this.#image;
    this.freeEntry(
      slice.view.getUint32(index * entryBytes),
      slice.view.getUint32(index * entryBytes + 4),
      reason,
    );
  }

  freeEntry(high: number, low: number, reason: FreeReason): void {
    const { clusterSize, allocator, header, hasDataFile } = this.#image;
    if (hasDataFile) return;
    if ((high & COMPRESSED) !== 0) {
      const { offset, bytes } = compressedPlace(high, low, header.clusterBits);
      const first = Math.floor(offset / clusterSize);
      const last = Math.floor((offset + bytes - 1) / clusterSize);
      allocator.free(first * clusterSize, last - first + 1, reason);
      return;
    }
    const host = entryOffset(high, low);
    if (host !== 0 && host % clusterSize === 0) allocator.free(host, 1, reason);
  }
}

/** Upper half of an entry that refers to a cluster that is this disk's alone. */
export function copiedHigh(host: number): number {
  return (COPIED | Math.floor(host / 0x1_0000_0000)) >>> 0;
}

/** Whether a slice's entry says that the whole cluster is zero and has no place in the file. */
export const ZERO_ENTRY_LOW = ZERO;

export function bytesOf64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  set64(viewOf(bytes), 0, value);
  return bytes;
}
