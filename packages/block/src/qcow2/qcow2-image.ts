import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { Allocator } from './allocator.ts';
import type { PassDiscard } from './allocator.ts';
import type { ClusterCipher } from './cluster-cipher.ts';
import { L1Table } from './l1-table.ts';
import { MetadataCache } from './metadata-cache.ts';
import { MetadataMap } from './metadata-map.ts';
import { MetadataWriter } from './metadata-writer.ts';
import { OperationGate } from './operation-gate.ts';
import {
  AUTOCLEAR_BITMAPS,
  AUTOCLEAR_DATA_FILE_RAW,
  AUTOCLEAR_KNOWN,
  INCOMPATIBLE_CORRUPT,
  INCOMPATIBLE_DATA_FILE,
  INCOMPATIBLE_DIRTY,
  INCOMPATIBLE_EXTENDED_L2,
  set64,
  SUBCLUSTERS,
  viewOf,
} from './qcow2-format.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import { hasLazyRefcounts, serializeHeader } from './qcow2-header.ts';
import { Refcounts } from './refcounts.ts';
import type { SnapshotTable, StoredSnapshot } from './snapshot-table.ts';

const SLICE_BYTES = 4096;

/** What a {@link Qcow2Image} is made of. */
export interface Qcow2ImageParts {
  readonly file: BlockNode;
  /** Where guest data lies: `file`, or the external data file. */
  readonly data: BlockNode;
  readonly backing: BlockNode | undefined;
  readonly header: Qcow2Header;
  readonly readOnly: boolean;
  /** The active L1 table as stored. */
  readonly l1: Uint8Array;
  readonly refcountTable: Uint8Array;
  readonly snapshots: SnapshotTable;
  readonly cipher: ClusterCipher | undefined;
  /** Bytes of L2 slices and refcounts held in memory. */
  readonly cacheBytes: number;
  readonly passDiscard: PassDiscard;
  readonly lazyRefcounts: boolean | undefined;
}

/** The state of an open image that its operations share. */
export class Qcow2Image {
  readonly file: BlockNode;
  readonly data: BlockNode;
  readonly hasDataFile: boolean;
  readonly header: Qcow2Header;
  readonly readOnly: boolean;
  readonly cipher: ClusterCipher | undefined;
  readonly clusterSize: number;
  /** L2 entries tell subclusters apart. */
  readonly extended: boolean;
  /** Bytes of an L2 entry. */
  readonly entryBytes: number;
  /** What can be allocated on its own: the cluster, or its 32nd part. */
  readonly unit: number;
  /** Guest bytes that one L2 table maps. */
  readonly tableReach: number;
  /** Entries in a slice of an L2 table. */
  readonly sliceEntries: number;
  readonly cache: MetadataCache;
  readonly writer: MetadataWriter;
  readonly l1: L1Table;
  readonly gate = new OperationGate();
  backing: BlockNode | undefined;
  refcounts: Refcounts;
  allocator: Allocator;
  snapshots: readonly StoredSnapshot[];
  /** Length of the snapshot table in the file. */
  snapshotTableBytes: number;
  /** Told of every range whose contents change. */
  onChange: ((offset: number, length: number) => void) | undefined;
  /** Done before the first write: bitmaps are marked as in use. */
  beforeFirstWrite: (() => Promise<void>) | undefined;
  readonly #passDiscard: PassDiscard;
  #metadata: MetadataMap | undefined;
  #corrupt: boolean;
  #marking: Promise<void> | undefined;
  #prepared: Promise<void> | undefined;
  #isPrepared = false;
  #lazy: boolean;
  readonly #sizeAtOpen: number;

  constructor(parts: Qcow2ImageParts) {
    const { header, file, data } = parts;
    this.#sizeAtOpen = file.size;
    this.file = file;
    this.data = data;
    this.hasDataFile = (header.incompatible & INCOMPATIBLE_DATA_FILE) !== 0;
    this.header = header;
    this.readOnly = parts.readOnly;
    this.cipher = parts.cipher;
    this.backing = parts.backing;
    this.snapshots = parts.snapshots.snapshots;
    this.snapshotTableBytes = parts.snapshots.bytes;
    this.clusterSize = 2 ** header.clusterBits;
    this.extended = (header.incompatible & INCOMPATIBLE_EXTENDED_L2) !== 0;
    this.entryBytes = this.extended ? 16 : 8;
    this.unit = this.extended ? this.clusterSize / SUBCLUSTERS : this.clusterSize;
    this.tableReach = (this.clusterSize / this.entryBytes) * this.clusterSize;
    const sliceBytes = Math.min(this.clusterSize, SLICE_BYTES);
    this.sliceEntries = sliceBytes / this.entryBytes;
    this.cache = new MetadataCache(file, sliceBytes, parts.cacheBytes);
    this.l1 = new L1Table(header.l1Offset, parts.l1);
    this.writer = new MetadataWriter(file, data, this.l1);
    this.#lazy = parts.lazyRefcounts ?? hasLazyRefcounts(header);
    if (header.version === 2) this.#lazy = false;
    this.writer.lazyRefcounts = this.#lazy;
    this.#passDiscard = parts.passDiscard;
    this.#corrupt = (header.incompatible & INCOMPATIBLE_CORRUPT) !== 0;
    this.refcounts = this.makeRefcounts(header.refcountTableOffset, parts.refcountTable);
    this.allocator = this.#makeAllocator();
  }

  get name(): string {
    return this.file.name;
  }

  /** The data file is a raw image of the disk by itself. */
  get dataFileIsRaw(): boolean {
    return (this.header.autoclear & AUTOCLEAR_DATA_FILE_RAW) !== 0;
  }

  get isCorrupt(): boolean {
    return this.#corrupt;
  }

  makeRefcounts(tableOffset: number, table: Uint8Array, order = this.header.refcountOrder): Refcounts {
    return new Refcounts({
      file: this.file,
      cache: this.cache,
      writer: this.writer,
      clusterSize: this.clusterSize,
      refcountOrder: order,
      tableOffset,
      table,
      moveTable: (offset, clusters) => this.moveRefcountTable(offset, clusters),
      corrupt: (what) => this.corrupt(what),
      noteMetadata: (offset, length) => {
        this.#metadata?.add(offset, length);
        this.allocator.noteUsed(offset + length);
      },
      checkHostWrite: (offset, length) => this.checkHostWrite(offset, length),
      freeTable: (offset, length) => this.allocator.free(offset, length / this.clusterSize, 'other'),
    });
  }

  /** Other refcounts take the place of these (repair, another width). */
  replaceRefcounts(refcounts: Refcounts): void {
    this.refcounts = refcounts;
    this.allocator = this.#makeAllocator();
    this.forgetMetadata();
  }

  #makeAllocator(): Allocator {
    return new Allocator({
      file: this.file,
      refcounts: this.refcounts,
      writer: this.writer,
      cache: this.cache,
      clusterSize: this.clusterSize,
      passDiscard: this.#passDiscard,
      isMetadata: (cluster) => this.metadata.has(cluster),
      onFreed: (cluster) => this.#metadata?.remove(cluster),
      corrupt: (what) => this.corrupt(what),
      settle: () => this.gate.settle(),
    });
  }

  /** Made at the first write, from the tables in memory. */
  get metadata(): MetadataMap {
    if (this.#metadata !== undefined) return this.#metadata;
    const { l1, refcounts, clusterSize } = this;
    const blocks = refcounts.table.length / 8;
    const offsets = new Float64Array(l1.size + blocks);
    let count = 0;
    for (let i = 0; i < l1.size; i++) {
      const offset = l1.tableAt(i);
      if (offset > 0) offsets[count++] = offset;
    }
    for (let i = 0; i < blocks; i++) {
      const offset = refcounts.blockAt(i);
      if (offset > 0) offsets[count++] = offset;
    }
    const map = new MetadataMap(clusterSize, offsets.slice(0, count));
    map.add(0, 1);
    map.add(l1.offset, l1.size * 8);
    map.add(refcounts.tableOffset, refcounts.table.length);
    if (this.header.snapshotCount > 0) map.add(this.header.snapshotsOffset, this.snapshotTableBytes);
    for (const { l1Offset, l1Size } of this.snapshots) if (l1Size > 0) map.add(l1Offset, l1Size * 8);
    const { bitmaps } = this.header;
    if (bitmaps !== undefined && (this.header.autoclear & AUTOCLEAR_BITMAPS) !== 0) {
      map.add(bitmaps.directoryOffset, bitmaps.directorySize);
    }
    this.#metadata = map;
    return map;
  }

  /** Metadata moved: the map is made anew when it is needed. */
  forgetMetadata(): void {
    this.#metadata = undefined;
  }

  noteMetadata(offset: number, length: number): void {
    this.#metadata?.add(offset, length);
  }

  /** A write into the image file that must not touch metadata. @throws PolyvisorError `corrupt` */
  checkHostWrite(offset: number, length: number): void {
    if (this.metadata.overlaps(offset, length)) {
      this.corrupt(
        `Preventing invalid write on metadata (at offset 0x${offset.toString(16)}, ${length} bytes)`,
      );
    }
  }

  /** Writes are refused from now on, and the image says so where its version can. */
  corrupt(what: string): never {
    if (!this.#corrupt && !this.readOnly) {
      this.#corrupt = true;
      if (this.header.version === 3) {
        this.#marking = this.setIncompatible(INCOMPATIBLE_CORRUPT, true).catch(() => {});
      }
    }
    throw new PolyvisorError('corrupt', {
      what: `Image is corrupt: ${what}`,
      which: this.name,
      ...(this.readOnly ? {} : { hint: 'run check on it' }),
    });
  }

  /** Resolves once the mark that {@link corrupt} makes is written. */
  async corruptMarked(): Promise<void> {
    await this.#marking;
  }

  /** A repair made it good. */
  async clearCorrupt(): Promise<void> {
    this.#corrupt = false;
    if ((this.header.incompatible & INCOMPATIBLE_CORRUPT) !== 0) {
      await this.setIncompatible(INCOMPATIBLE_CORRUPT, false);
    }
  }

  /** @throws PolyvisorError `corrupt`: the image is marked so. */
  checkSound(): void {
    if (!this.#corrupt) return;
    throw new PolyvisorError('corrupt', {
      what: 'Image is corrupt; cannot be opened read/write',
      which: this.name,
      hint: 'run check on it',
    });
  }

  /** Whether {@link prepareWrite} has been done. */
  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  /** Before anything is written for the first time: unknown autoclear bits go, lazy refcounts' mark comes. */
  prepareWrite(): Promise<void> {
    this.#prepared ??= this.#prepare().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #prepare(): Promise<void> {
    this.checkSound();
    const { header } = this;
    if (header.version === 3 && (header.autoclearHigh !== 0 || (header.autoclear & ~AUTOCLEAR_KNOWN) !== 0)) {
      header.autoclear &= AUTOCLEAR_KNOWN;
      header.autoclearHigh = 0;
      const bytes = new Uint8Array(8);
      viewOf(bytes).setUint32(4, header.autoclear);
      await this.file.write(88, bytes);
    }
    await this.beforeFirstWrite?.();
    if (this.writer.lazyRefcounts) await this.setIncompatible(INCOMPATIBLE_DIRTY, true);
    this.#isPrepared = true;
  }

  /** Sets or clears a bit of the incompatible features, durably. */
  async setIncompatible(bit: number, on: boolean): Promise<void> {
    const { header } = this;
    header.incompatible = on ? header.incompatible | bit : header.incompatible & ~bit;
    const bytes = new Uint8Array(8);
    viewOf(bytes).setUint32(4, header.incompatible);
    await this.file.write(72, bytes);
    await this.file.flush();
  }

  /** Writes the whole first cluster and flushes. */
  async writeHeader(): Promise<void> {
    const bytes = serializeHeader(this.header, this.name);
    await this.file.write(0, bytes);
    await this.file.flush();
  }

  async moveRefcountTable(offset: number, clusters: number): Promise<void> {
    const bytes = new Uint8Array(12);
    set64(viewOf(bytes), 0, offset);
    viewOf(bytes).setUint32(8, clusters);
    await this.file.write(48, bytes);
    await this.file.flush();
    this.header.refcountTableOffset = offset;
    this.header.refcountTableClusters = clusters;
  }

  /** The header names another active L1 table, which is in the file already. */
  async moveL1(offset: number, bytes: Uint8Array): Promise<void> {
    const fields = new Uint8Array(12);
    viewOf(fields).setUint32(0, bytes.length / 8);
    set64(viewOf(fields), 4, offset);
    await this.file.write(36, fields);
    await this.file.flush();
    this.header.l1Offset = offset;
    this.header.l1Size = bytes.length / 8;
    this.l1.replace(offset, bytes);
  }

  async setHeaderSize(size: number): Promise<void> {
    const bytes = new Uint8Array(8);
    set64(viewOf(bytes), 0, size);
    await this.file.write(24, bytes);
    await this.file.flush();
    this.header.size = size;
  }

  /** Everything is in the file and durable, nothing is reserved: the state in which the whole image may be changed. */
  async quiesce(): Promise<void> {
    await this.allocator.releasePool();
    do {
      await this.flush();
      await this.allocator.settled();
    } while (this.allocator.hasPendingFrees);
    await this.writer.sync();
  }

  /** Makes all that was acknowledged durable. */
  async flush(): Promise<void> {
    await this.corruptMarked();
    await this.allocator.flush();
  }

  /** Leaves the image as it should be found: counts right, marks cleared. */
  async finish(): Promise<void> {
    if (!this.#isPrepared) return;
    await this.quiesce();
    await this.allocator.trim(this.#sizeAtOpen);
    if (this.file.size % 512 !== 0) await this.file.resize?.(Math.ceil(this.file.size / 512) * 512);
    if ((this.header.incompatible & INCOMPATIBLE_DIRTY) !== 0 && !this.#corrupt) {
      await this.setIncompatible(INCOMPATIBLE_DIRTY, false);
    }
    this.#isPrepared = false;
    this.#prepared = undefined;
  }

  /** Whether {@link quiesce} and then clearing the mark is due after changing `lazy_refcounts`. */
  async setLazyRefcounts(on: boolean): Promise<void> {
    this.#lazy = on;
    if (!on) {
      await this.quiesce();
      this.writer.lazyRefcounts = false;
      if ((this.header.incompatible & INCOMPATIBLE_DIRTY) !== 0) {
        await this.setIncompatible(INCOMPATIBLE_DIRTY, false);
      }
    } else {
      this.writer.lazyRefcounts = true;
      if (this.#isPrepared) await this.setIncompatible(INCOMPATIBLE_DIRTY, true);
    }
  }

  get lazyRefcounts(): boolean {
    return this.#lazy;
  }
}
