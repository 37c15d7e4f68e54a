import { checkCancelled } from '../graph/check-range.ts';
import { count } from './check-qcow2.ts';
import type { CheckWork } from './check-qcow2.ts';
import { compressedPlace } from './cluster-lookup.ts';
import { COMPRESSED, COPIED, entryOffset, MAX_OFFSET, OFFSET_LOW, TWO_32, viewOf } from './qcow2-format.ts';

interface Walk {
  readonly work: CheckWork;
  readonly active: boolean;
  /** Where the next cluster would lie if nothing were fragmented. */
  next: number;
}

/** Follows the active L1 table and those of all snapshots, counting references. */
export async function checkMappings(work: CheckWork): Promise<void> {
  const { image, report, say } = work;
  const active: Walk = { work, active: true, next: 0 };
  count(work, image.l1.offset, image.l1.size * 8);
  await walkL1(active, image.l1.bytes);
  for (const snapshot of image.snapshots) {
    if (snapshot.l1Offset % image.clusterSize !== 0) {
      say(
        `ERROR snapshot ${snapshot.id} (${snapshot.name}) l1_offset=${snapshot.l1Offset}: L1 table is not cluster aligned; snapshot table entry corrupted`,
      );
      report.corruptions++;
      continue;
    }
    if (!count(work, snapshot.l1Offset, snapshot.l1Size * 8)) continue;
    const there = Math.min(snapshot.l1Size * 8, Math.max(0, image.file.size - snapshot.l1Offset));
    const l1 = new Uint8Array(there - (there % 8));
    if (l1.length > 0) await image.file.read(snapshot.l1Offset, l1);
    await walkL1({ work, active: false, next: 0 }, l1);
  }
}

async function walkL1(walk: Walk, l1: Uint8Array): Promise<void> {
  const { image, report, say, options } = walk.work;
  const view = viewOf(l1);
  const table = new Uint8Array(image.clusterSize);
  for (let i = 0; i * 8 < l1.length; i++) {
    const high = view.getUint32(i * 8);
    const low = view.getUint32(i * 8 + 4);
    const offset = entryOffset(high, low);
    if (offset === 0) continue;
    checkCancelled(options.signal);
    if ((high & 0x7f00_0000) !== 0 || (low & 0x1ff) !== 0) {
      say(`ERROR found L1 entry with reserved bits set: ${hex(high, low)}`);
      report.corruptions++;
    }
    if (!count(walk.work, offset, image.clusterSize)) continue;
    if (offset % image.clusterSize !== 0) {
      say(`ERROR l2_offset=${offset.toString(16)}: Table is not cluster aligned; L1 entry corrupted`);
      report.corruptions++;
      continue;
    }
    await image.file.read(offset, table);
    walkL2(walk, viewOf(table));
  }
}

function walkL2(walk: Walk, view: DataView): void {
  const { image, report, say } = walk.work;
  const { clusterSize, entryBytes, extended, hasDataFile, header } = image;
  for (let at = 0; at < view.byteLength; at += entryBytes) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if (high === 0 && low === 0 && !extended) continue;
    const zeroBits = extended ? view.getUint32(at + 8) : 0;
    const allocBits = extended ? view.getUint32(at + 12) : 0;
    if ((high & COMPRESSED) !== 0) {
      if ((high & COPIED) !== 0) {
        say(
          `ERROR: coffset=0x${hex(high & ~COPIED & ~COMPRESSED, low)}: copied flag must never be set for compressed clusters`,
        );
        report.corruptions++;
      }
      if (hasDataFile) {
        say(`ERROR compressed cluster ${at / entryBytes} with data file, entry=0x${hex(high, low)}`);
        report.corruptions++;
        continue;
      }
      const { offset, bytes } = compressedPlace(high, low, header.clusterBits);
      // The last sector need not be there in full.
      const length = Math.max(1, Math.min(bytes, walk.work.fileClusters * clusterSize - offset));
      count(walk.work, offset, length);
      if (walk.active) {
        report.allocatedClusters++;
        report.compressedClusters++;
        report.fragmentedClusters++;
      }
      continue;
    }
    const offset = entryOffset(high, low);
    const reserved = (high & 0x3f00_0000) !== 0 || (low & ~OFFSET_LOW & (extended ? 0x1ff : 0x1fe)) !== 0;
    if (reserved) {
      say(`ERROR found l2 entry with reserved bits set: ${hex(high, low)}`);
      report.corruptions++;
    }
    if (extended && ((zeroBits & allocBits) !== 0 || (allocBits !== 0 && offset === 0 && !hasDataFile))) {
      say(
        `ERROR offset=${offset.toString(16)}: Invalid cluster entry found  (L2 entry: 0x${hex(high, low)})`,
      );
      report.corruptions++;
      continue;
    }
    if (offset === 0) continue;
    if (walk.active) {
      report.allocatedClusters++;
      if (walk.next !== 0 && offset !== walk.next) report.fragmentedClusters++;
      walk.next = offset + clusterSize;
    }
    if (offset % clusterSize !== 0 || offset > MAX_OFFSET - clusterSize) {
      say(`ERROR offset=${offset.toString(16)}: Cluster is not properly aligned; L2 entry corrupted.`);
      report.corruptions++;
    }
    if (!hasDataFile) count(walk.work, offset, clusterSize);
  }
}

function hex(high: number, low: number): string {
  return (
    (high >>> 0) * TWO_32 + low < TWO_32 ? low : BigInt(high >>> 0) * 0x1_0000_0000n + BigInt(low)
  ).toString(16);
}

/** Flags in the active tables against the refcounts as they are stored: those are right by now if they may be. */
export async function checkFlags(work: CheckWork): Promise<void> {
  const { image } = work;
  const { l1, clusterSize, cache, sliceEntries, entryBytes, refcounts, hasDataFile, writer } = image;
  for (let i = 0; i < l1.size; i++) {
    const table = l1.tableAt(i);
    if (table === 0 || table % clusterSize !== 0 || table / clusterSize >= work.fileClusters) continue;
    checkCancelled(work.options.signal);
    const tableCount = await storedCount(work, table / clusterSize);
    if (tableCount !== undefined && (tableCount === 1) !== l1.isCopied(i)) {
      const entry = l1.isCopied(i) ? 0x8000_0000 + Math.floor(table / TWO_32) : Math.floor(table / TWO_32);
      flagFinding(
        work,
        `OFLAG_COPIED L2 cluster: l1_index=${i} l1_entry=${hex(entry, table >>> 0)} refcount=${tableCount}`,
      );
      if (work.repair === 'all') l1.set(i, table, tableCount === 1);
    }
    for (let at = table; at < table + clusterSize; at += cache.sliceBytes) {
      let slice = await cache.load(at);
      for (let index = 0; index < sliceEntries; index++) {
        const high = slice.view.getUint32(index * entryBytes);
        const low = slice.view.getUint32(index * entryBytes + 4);
        if ((high & COMPRESSED) !== 0) continue;
        const host = entryOffset(high, low);
        if (hasDataFile) {
          const allocated = host !== 0 || (high & COPIED) !== 0;
          if (!allocated || (high & COPIED) !== 0) continue;
          flagFinding(work, `OFLAG_COPIED data cluster: l2_entry=${hex(high, low)} refcount=1`);
        } else {
          if (host === 0 || host % clusterSize !== 0 || host / clusterSize >= work.fileClusters) continue;
          const cluster = host / clusterSize;
          let stored = refcounts.peek(cluster);
          if (stored === undefined) {
            stored = await storedCount(work, cluster);
            slice = await cache.load(at);
          }
          if (stored === undefined || (stored === 1) === ((high & COPIED) !== 0)) continue;
          flagFinding(work, `OFLAG_COPIED data cluster: l2_entry=${hex(high, low)} refcount=${stored}`);
          if (work.repair === 'all') {
            slice.view.setUint32(index * entryBytes, (stored === 1 ? high | COPIED : high & ~COPIED) >>> 0);
            writer.markTable(slice);
          }
          continue;
        }
        if (work.repair === 'all') {
          slice.view.setUint32(index * entryBytes, (high | COPIED) >>> 0);
          writer.markTable(slice);
        }
      }
      if (slice.dirty) await writer.commit();
    }
  }
}

function flagFinding({ repair, report, say }: CheckWork, what: string): void {
  say(`${repair === 'all' ? 'Repairing' : 'ERROR'} ${what}`);
  report.corruptions++;
  if (repair === 'all') report.corruptionsFixed++;
}

/** Undefined: its refcount can't be read. */
async function storedCount(work: CheckWork, cluster: number): Promise<number | undefined> {
  const { refcounts, clusterSize } = work.image;
  const block = refcounts.blockAt(Math.floor(cluster / refcounts.blockEntries));
  if (block === 0) return 0;
  if (block % clusterSize !== 0 || block / clusterSize >= work.fileClusters) return undefined;
  return refcounts.get(cluster);
}
