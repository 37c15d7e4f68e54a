import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { SnapshotCapability, SnapshotInfo } from '../graph/format-node.ts';
import { compressedPlace } from './cluster-lookup.ts';
import {
  COMPRESSED,
  COPIED,
  entryOffset,
  INCOMPATIBLE_DIRTY,
  MAX_OFFSET,
  MAX_SNAPSHOTS,
  roundUp,
  set64,
  viewOf,
} from './qcow2-format.ts';
import { Qcow2Image } from './qcow2-image.ts';
import type { Qcow2Parts } from './qcow2-node.ts';
import { l1EntriesFor } from './resize-qcow2.ts';
import type { StoredSnapshot } from './snapshot-table.ts';
import { serializeSnapshotTable } from './snapshot-table.ts';

type Exclusively = <T>(body: () => Promise<T>) => Promise<T>;

/** Internal snapshots. */
export class Qcow2Snapshots implements SnapshotCapability {
  readonly #p: Qcow2Parts;
  readonly #exclusively: Exclusively;
  readonly #openView: (image: Qcow2Image) => BlockNode;

  /** @param openView makes a node of an image whose file belongs to this one. */
  constructor(parts: Qcow2Parts, exclusively: Exclusively, openView: (image: Qcow2Image) => BlockNode) {
    this.#p = parts;
    this.#exclusively = exclusively;
    this.#openView = openView;
  }

  async list(): Promise<readonly SnapshotInfo[]> {
    return this.#p.image.snapshots.map((snapshot) => this.#info(snapshot));
  }

  #info(snapshot: StoredSnapshot): SnapshotInfo {
    const { id, name, vmStateBytes, seconds, nanoseconds, vmClockNs, icount } = snapshot;
    return {
      id,
      name,
      vmStateBytes,
      seconds,
      nanoseconds,
      vmClockNs,
      size: snapshot.diskSize ?? this.#p.image.header.size,
      ...(icount === undefined ? {} : { icount }),
    };
  }

  #find(idOrName: string): StoredSnapshot {
    const { snapshots, name } = this.#p.image;
    const found =
      snapshots.find((each) => each.id === idOrName) ?? snapshots.find((each) => each.name === idOrName);
    if (found === undefined) {
      throw new PolyvisorError('not-found', { what: 'snapshot not found', which: `${name}: ${idOrName}` });
    }
    return found;
  }

  create(
    name: string,
    now: {
      readonly seconds: number;
      readonly nanoseconds: number;
      readonly vmStateBytes?: number;
      readonly vmClockNs?: bigint;
      readonly icount?: bigint;
    },
  ): Promise<SnapshotInfo> {
    const { image } = this.#p;
    return this.#changing(async () => {
      if (image.snapshots.length >= MAX_SNAPSHOTS) {
        throw new PolyvisorError('limit', { what: 'too many snapshots', which: image.name });
      }
      if (new TextEncoder().encode(name).length > 0xffff) {
        throw new PolyvisorError('invalid-argument', {
          what: 'snapshot name is too long',
          which: image.name,
        });
      }
      const { l1, clusterSize, file, allocator } = image;
      const bytes = l1.bytes.slice();
      const clusters = Math.ceil(bytes.length / clusterSize);
      let offset = 0;
      if (clusters > 0) {
        offset = (await allocator.allocateAdjacent(clusters)).offset;
        const padded = new Uint8Array(clusters * clusterSize);
        padded.set(bytes);
        await file.write(offset, padded);
      }
      await this.#addReferences(bytes, 1);
      await this.#refreshFlags();
      const snapshot: StoredSnapshot = {
        l1Offset: offset,
        l1Size: l1.size,
        id: String(
          image.snapshots.reduce((most, { id }) => Math.max(most, Number.parseInt(id, 10) || 0), 0) + 1,
        ),
        name,
        seconds: now.seconds,
        nanoseconds: now.nanoseconds,
        vmClockNs: now.vmClockNs ?? 0n,
        vmStateBytes: now.vmStateBytes ?? 0,
        diskSize: image.header.size,
        icount: now.icount,
        moreExtra: new Uint8Array(0),
      };
      await this.#replaceTable([...image.snapshots, snapshot]);
      await this.#dropVmState();
      return this.#info(snapshot);
    });
  }

  /** The saved machine state belongs to the snapshot now. */
  async #dropVmState(): Promise<void> {
    const { image, eraser } = this.#p;
    const start = Math.ceil(image.header.size / image.tableReach) * image.tableReach;
    const end = image.l1.size * image.tableReach;
    if (end > start) await eraser.discard(start, end - start, { full: true, reason: 'snapshot' });
  }

  apply(idOrName: string): Promise<void> {
    const { image, bitmaps } = this.#p;
    return this.#changing(async () => {
      const snapshot = this.#find(idOrName);
      const { clusterSize, file, allocator, cache, l1 } = image;
      const size = snapshot.diskSize ?? image.header.size;
      bitmaps.checkResizable(size);
      const entries = Math.max(snapshot.l1Size, l1EntriesFor(size, image.tableReach, image.name));
      const bytes = new Uint8Array(entries * 8);
      await file.read(snapshot.l1Offset, bytes.subarray(0, snapshot.l1Size * 8));
      const run = await allocator.allocateAdjacent(Math.max(1, Math.ceil(bytes.length / clusterSize)));
      await this.#addReferences(bytes, 1);
      // Nothing of it is this disk's alone until the flags have been made anew.
      for (let i = 0; i < entries; i++) bytes[i * 8]! &= 0x7f;
      const padded = new Uint8Array(run.count * clusterSize);
      padded.set(bytes);
      await file.write(run.offset, padded);
      await image.writer.sync();
      const old = { offset: l1.offset, bytes: l1.bytes };
      await this.#switchTo(run.offset, bytes, size);
      cache.clear();
      image.forgetMetadata();
      await this.#dropReferences(old.bytes);
      const oldClusters = Math.ceil(old.bytes.length / clusterSize);
      if (oldClusters > 0) allocator.free(old.offset, oldClusters, 'snapshot');
      await allocator.flush();
      await allocator.settled();
      await this.#refreshFlags();
      if (image.dataFileIsRaw) await image.data.resize?.(size, { shrink: true });
      bitmaps.resize(size);
      image.onChange?.(0, size);
    });
  }

  /** Size and L1 table of the disk in one write. */
  async #switchTo(offset: number, bytes: Uint8Array, size: number): Promise<void> {
    const { image } = this.#p;
    const fields = new Uint8Array(24);
    const view = viewOf(fields);
    set64(view, 0, size);
    view.setUint32(8, image.header.cryptMethod);
    view.setUint32(12, bytes.length / 8);
    set64(view, 16, offset);
    await image.file.write(24, fields);
    await image.file.flush();
    image.header.size = size;
    image.header.l1Offset = offset;
    image.header.l1Size = bytes.length / 8;
    image.l1.replace(offset, bytes);
  }

  delete(idOrName: string): Promise<void> {
    const { image } = this.#p;
    return this.#changing(async () => {
      const snapshot = this.#find(idOrName);
      const bytes = await this.#readL1(snapshot);
      await this.#replaceTable(image.snapshots.filter((each) => each !== snapshot));
      await this.#dropReferences(bytes);
      const clusters = Math.ceil(bytes.length / image.clusterSize);
      if (clusters > 0) image.allocator.free(snapshot.l1Offset, clusters, 'snapshot');
      await image.allocator.flush();
      await image.allocator.settled();
      await this.#refreshFlags();
    });
  }

  async #readL1({ l1Offset, l1Size }: StoredSnapshot): Promise<Uint8Array> {
    const { file, clusterSize, name } = this.#p.image;
    if (l1Offset + l1Size * 8 > roundUp(file.size, clusterSize)) {
      throw new PolyvisorError('corrupt', {
        what: "snapshot's L1 table is beyond the end of the file",
        which: name,
      });
    }
    const bytes = new Uint8Array(l1Size * 8);
    if (bytes.length > 0) await file.read(l1Offset, bytes);
    return bytes;
  }

  async open(idOrName: string): Promise<BlockNode> {
    const { image } = this.#p;
    const snapshot = this.#find(idOrName);
    await image.writer.commit();
    const { header } = image;
    const size = snapshot.diskSize ?? header.size;
    const view = new Qcow2Image({
      file: image.file,
      data: image.data,
      backing: image.backing,
      header: { ...header, size, l1Offset: snapshot.l1Offset, l1Size: snapshot.l1Size, bitmaps: undefined },
      readOnly: true,
      l1: await this.#readL1(snapshot),
      refcountTable: new Uint8Array(0),
      snapshots: { snapshots: [], bytes: 0 },
      cipher: image.cipher,
      cacheBytes: 1024 * 1024,
      passDiscard: { request: false, snapshot: false, other: false },
      lazyRefcounts: false,
    });
    return this.#openView(view);
  }

  /** Refcounts and flags disagree for a while: a crash meanwhile is repaired when the image is opened again. */
  #changing<T>(body: () => Promise<T>): Promise<T> {
    const { image } = this.#p;
    return this.#exclusively(async () => {
      if (image.hasDataFile) {
        throw new PolyvisorError('unsupported', {
          what: 'images with an external data file have no snapshots',
          which: image.name,
        });
      }
      const marks = image.header.version === 3 && !image.writer.lazyRefcounts;
      if (marks) await image.setIncompatible(INCOMPATIBLE_DIRTY, true);
      const result = await body();
      await image.quiesce();
      if (marks) await image.setIncompatible(INCOMPATIBLE_DIRTY, false);
      return result;
    });
  }

  /** A new table takes the old one's place with one write to the header. */
  async #replaceTable(snapshots: readonly StoredSnapshot[]): Promise<void> {
    const { image } = this.#p;
    const { clusterSize, file, header, allocator } = image;
    const bytes = serializeSnapshotTable(snapshots);
    const clusters = Math.ceil(bytes.length / clusterSize);
    let offset = 0;
    if (clusters > 0) {
      offset = (await allocator.allocateAdjacent(clusters)).offset;
      const padded = new Uint8Array(clusters * clusterSize);
      padded.set(bytes);
      await file.write(offset, padded);
    }
    await image.writer.sync();
    const fields = new Uint8Array(12);
    viewOf(fields).setUint32(0, snapshots.length);
    set64(viewOf(fields), 4, offset);
    const old = { offset: header.snapshotsOffset, bytes: image.snapshotTableBytes };
    await file.write(60, fields);
    await file.flush();
    header.snapshotCount = snapshots.length;
    header.snapshotsOffset = offset;
    image.snapshots = snapshots;
    image.snapshotTableBytes = bytes.length;
    image.forgetMetadata();
    if (old.bytes > 0) allocator.free(old.offset, Math.ceil(old.bytes / clusterSize), 'snapshot');
  }

  /** One reference more to all that an L1 table refers to. */
  async #addReferences(l1: Uint8Array, delta: 1): Promise<void> {
    const { image } = this.#p;
    const { clusterSize, refcounts, allocator } = image;
    await this.#eachReference(l1, async (offset, count) => {
      await allocator.locked(() => refcounts.add(offset / clusterSize, count, delta));
    });
    await image.writer.sync();
  }

  async #dropReferences(l1: Uint8Array): Promise<void> {
    const { allocator } = this.#p.image;
    await this.#eachReference(l1, async (offset, count) => {
      allocator.free(offset, count, 'snapshot');
    });
  }

  /** Calls `visit` for all runs of clusters, tables and data, that an L1 table refers to. */
  async #eachReference(
    l1: Uint8Array,
    visit: (offset: number, clusters: number) => Promise<void>,
  ): Promise<void> {
    const { image } = this.#p;
    const { clusterSize, entryBytes, file, header } = image;
    const view = viewOf(l1);
    const table = new Uint8Array(clusterSize);
    const entries = viewOf(table);
    for (let i = 0; i < l1.length; i += 8) {
      const tableOffset = entryOffset(view.getUint32(i), view.getUint32(i + 4));
      if (tableOffset === 0) continue;
      this.#checkPlace(tableOffset, 'L2 table');
      await image.writer.commit();
      await file.read(tableOffset, table);
      await visit(tableOffset, 1);
      let run = { offset: 0, count: 0 };
      for (let at = 0; at < clusterSize; at += entryBytes) {
        const high = entries.getUint32(at);
        const low = entries.getUint32(at + 4);
        let next: { offset: number; count: number };
        if ((high & COMPRESSED) !== 0) {
          const { offset, bytes } = compressedPlace(high, low, header.clusterBits);
          const first = Math.floor(offset / clusterSize);
          next = {
            offset: first * clusterSize,
            count: Math.floor((offset + bytes - 1) / clusterSize) - first + 1,
          };
        } else {
          const offset = entryOffset(high, low);
          if (offset === 0) continue;
          this.#checkPlace(offset, 'cluster');
          next = { offset, count: 1 };
        }
        if (next.offset === run.offset + run.count * clusterSize && run.count > 0) {
          run = { offset: run.offset, count: run.count + next.count };
          continue;
        }
        if (run.count > 0) await visit(run.offset, run.count);
        run = next;
      }
      if (run.count > 0) await visit(run.offset, run.count);
    }
  }

  #checkPlace(offset: number, what: string): void {
    const { clusterSize } = this.#p.image;
    if (offset % clusterSize !== 0 || offset > MAX_OFFSET - clusterSize) {
      this.#p.image.corrupt(`${what} offset 0x${offset.toString(16)} unaligned or too large`);
    }
  }

  /** Makes the flags of the active tables say which clusters are this disk's alone. */
  async #refreshFlags(): Promise<void> {
    const { image } = this.#p;
    const { l1, clusterSize, refcounts, entryBytes, cache, sliceEntries, writer } = image;
    for (let i = 0; i < l1.size; i++) {
      const table = l1.tableAt(i);
      if (table === 0) continue;
      this.#checkPlace(table, 'L2 table');
      const alone = (await refcounts.get(table / clusterSize)) === 1;
      if (alone !== l1.isCopied(i)) l1.set(i, table, alone);
      for (let at = table; at < table + clusterSize; at += cache.sliceBytes) {
        for (let entry = 0; entry < sliceEntries; entry++) {
          const { view } = await cache.load(at);
          const high = view.getUint32(entry * entryBytes);
          const host = entryOffset(high, view.getUint32(entry * entryBytes + 4));
          if ((high & COMPRESSED) !== 0 || host === 0) continue;
          this.#checkPlace(host, 'cluster');
          const copied = (await refcounts.get(host / clusterSize)) === 1;
          if (copied === ((high & COPIED) !== 0)) continue;
          const slice = await cache.load(at);
          slice.view.setUint32(entry * entryBytes, (copied ? high | COPIED : high & ~COPIED) >>> 0);
          writer.markTable(slice);
        }
      }
      await writer.commit();
    }
    await writer.sync();
  }
}
