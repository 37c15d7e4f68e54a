import type { CheckReport, RepairMode, WorkOptions } from '../graph/format-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import { checkFlags, checkMappings } from './check-mappings.ts';
import { checkBitmapReferences } from './bitmap-directory.ts';
import { ClusterCounts } from './cluster-counts.ts';
import { AUTOCLEAR_BITMAPS, INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DIRTY } from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';
import type { Qcow2Parts } from './qcow2-node.ts';
import { rebuildRefcounts } from './rebuild-refcounts.ts';

/** A {@link CheckReport} being made. */
export type Findings = { -readonly [K in keyof CheckReport]-?: NonNullable<CheckReport[K]> };

/** What the steps of a check share. */
export interface CheckWork {
  readonly image: Qcow2Image;
  readonly repair: RepairMode;
  readonly counts: ClusterCounts;
  readonly report: Findings;
  readonly say: (line: string) => void;
  readonly options: WorkOptions;
  /** The file ends with this cluster; references beyond it are corruptions. */
  readonly fileClusters: number;
}

/** How a check is run. */
export type CheckOptions = WorkOptions & { readonly onFinding?: (line: string) => void };

/** Looks at all references in the image and compares them with its refcounts. Nothing else is under way. */
export async function checkQcow2(
  parts: Qcow2Parts,
  repair: RepairMode,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const { image } = parts;
  const { header } = image;
  // Reserved clusters would be leaks.
  if (!image.readOnly && image.isPrepared) await image.quiesce();
  const say = options.onFinding ?? ((): void => {});
  let report = await scan(image, repair, options, say);
  if (repair === 'none') return report;
  image.forgetMetadata();
  await image.writer.sync();
  const repaired = report.leaksFixed + report.corruptionsFixed > 0;
  if (repaired) {
    // What one repair changed may be what another one needs; and it must hold.
    const first = report;
    image.cache.clear();
    const second = await scan(image, 'none', options, (): void => {});
    report = {
      ...second,
      corruptions: first.corruptions,
      leaks: first.leaks,
      corruptionsFixed: first.corruptionsFixed,
      leaksFixed: first.leaksFixed,
    };
    report.corruptions = second.corruptions + first.corruptionsFixed;
    report.leaks = second.leaks + first.leaksFixed;
  }
  const sound = report.checkErrors === 0 && report.corruptions === report.corruptionsFixed;
  if (sound && !image.readOnly) {
    if ((header.incompatible & INCOMPATIBLE_CORRUPT) !== 0) await image.clearCorrupt();
    if ((header.incompatible & INCOMPATIBLE_DIRTY) !== 0 && !image.writer.lazyRefcounts) {
      await image.setIncompatible(INCOMPATIBLE_DIRTY, false);
    }
    image.allocator.reset();
  }
  return remaining(report);
}

/** As qemu-img: what was fixed is not counted as found. */
function remaining(report: Findings): CheckReport {
  return {
    ...report,
    corruptions: report.corruptions - report.corruptionsFixed,
    leaks: report.leaks - report.leaksFixed,
  };
}

async function scan(
  image: Qcow2Image,
  repair: RepairMode,
  options: CheckOptions,
  say: (line: string) => void,
): Promise<Findings> {
  const { clusterSize, file, header } = image;
  const work: CheckWork = {
    image,
    repair,
    counts: new ClusterCounts(image.name),
    report: {
      corruptions: 0,
      leaks: 0,
      checkErrors: 0,
      corruptionsFixed: 0,
      leaksFixed: 0,
      imageEndOffset: 0,
      totalClusters: Math.ceil(header.size / clusterSize),
      allocatedClusters: 0,
      fragmentedClusters: 0,
      compressedClusters: 0,
    },
    say,
    options,
    fileClusters: Math.ceil(file.size / clusterSize),
  };
  count(work, 0, clusterSize);
  await checkMappings(work);
  if (header.snapshotCount > 0) {
    count(work, header.snapshotsOffset, image.snapshotTableBytes);
  }
  if (header.crypto !== undefined) count(work, header.crypto.offset, header.crypto.length);
  if (header.bitmaps !== undefined && (header.autoclear & AUTOCLEAR_BITMAPS) !== 0) {
    await checkBitmapReferences(work);
  }
  count(work, image.refcounts.tableOffset, image.refcounts.table.length);
  const rebuild = checkBlocks(work);
  const needsRebuild = await compare(work, rebuild);
  if (needsRebuild && repair === 'all') {
    say('Rebuilding refcount structure');
    await rebuildRefcounts(image, work.counts);
    work.report.corruptionsFixed = work.report.corruptions;
    work.report.leaksFixed = work.report.leaks;
  }
  await checkFlags(work);
  return work.report;
}

/** Notes references to all clusters that a range of the file touches. @returns false: it isn't there. */
export function count(work: CheckWork, offset: number, length: number): boolean {
  const { image, counts, report, say, fileClusters } = work;
  if (length === 0) return true;
  const first = Math.floor(offset / image.clusterSize);
  const last = Math.floor((offset + length - 1) / image.clusterSize);
  if (last > fileClusters || offset > Number.MAX_SAFE_INTEGER - length) {
    say(
      `ERROR: counting reference for region exceeding the end of the file by one cluster or more: offset 0x${offset.toString(16)} size 0x${length.toString(16)}`,
    );
    report.corruptions++;
    return false;
  }
  for (let cluster = first; cluster <= last; cluster++) counts.add(cluster);
  return true;
}

/** @returns whether the structure itself is damaged. */
function checkBlocks(work: CheckWork): boolean {
  const { image, counts, report, say } = work;
  const { refcounts, clusterSize } = image;
  let rebuild = false;
  for (let i = 0; i < refcounts.table.length / 8; i++) {
    const offset = refcounts.blockAt(i);
    if (offset === 0) continue;
    if (offset % clusterSize !== 0) {
      say(`ERROR refcount block ${i} is not cluster aligned; refcount table entry corrupted`);
      report.corruptions++;
      rebuild = true;
      continue;
    }
    if (offset / clusterSize >= work.fileClusters) {
      say(`${work.repair === 'all' ? 'Repairing' : 'ERROR'} refcount block ${i} is outside image`);
      report.corruptions++;
      rebuild = true;
      continue;
    }
    count(work, offset, clusterSize);
    if (counts.get(offset / clusterSize) !== 1) {
      say(`ERROR refcount block ${i} refcount=${counts.get(offset / clusterSize)}`);
      report.corruptions++;
      rebuild = true;
    }
  }
  return rebuild;
}

/** @returns whether the refcounts must be built anew. */
async function compare(work: CheckWork, damaged: boolean): Promise<boolean> {
  const { image, counts, report, repair, say } = work;
  const { refcounts, clusterSize } = image;
  let rebuild = damaged;
  let highest = counts.highest;
  const end = Math.max(work.fileClusters, counts.highest + 1, 1);
  const structureOk = !damaged;
  let looked = 0;
  for (let cluster = 0; cluster < end;) {
    if ((looked++ & 63) === 0) {
      checkCancelled(work.options.signal);
      work.options.progress?.(cluster, end);
    }
    const index = Math.floor(cluster / refcounts.blockEntries);
    const block = refcounts.blockAt(index);
    const there = block !== 0 && block % clusterSize === 0 && block / clusterSize < work.fileClusters;
    if (!there) {
      // Sparse files may be huge: what neither counts nor is counted is not looked at.
      let next = index + 1;
      while (next * 8 < refcounts.table.length && refcounts.blockAt(next) === 0) next++;
      const stop = next * 8 < refcounts.table.length ? Math.min(end, next * refcounts.blockEntries) : end;
      for (cluster = counts.nextCounted(cluster); cluster < stop; cluster = counts.nextCounted(cluster + 1)) {
        const references = counts.get(cluster);
        if (references === 0) continue;
        say(`ERROR cluster ${cluster} refcount=0 reference=${references}`);
        report.corruptions++;
        rebuild = true;
      }
      cluster = stop;
      continue;
    }
    const { slice, index: at, count: entries } = await refcounts.run(cluster);
    if (slice === undefined) {
      cluster += entries;
      continue;
    }
    const n = Math.min(entries, end - cluster);
    const fixes: number[] = [];
    for (let i = 0; i < n; i++) {
      const stored = refcounts.width.get(slice.view, at + i);
      const references = counts.get(cluster + i);
      if (stored > 0 && cluster + i > highest) highest = cluster + i;
      if (stored === references) continue;
      const fix =
        structureOk &&
        references <= refcounts.width.max &&
        (stored > references ? repair !== 'none' : repair === 'all' && stored > 0);
      say(
        `${fix ? 'Repairing' : stored < references ? 'ERROR' : 'Leaked'} cluster ${cluster + i} refcount=${stored} reference=${references}`,
      );
      if (stored < references) {
        report.corruptions++;
        if (fix) report.corruptionsFixed++;
        else if (stored === 0) rebuild = true;
      } else {
        report.leaks++;
        if (fix) report.leaksFixed++;
      }
      if (fix) fixes.push(i);
    }
    for (const i of fixes) {
      const { slice: now, index: place } = await refcounts.run(cluster + i);
      refcounts.setIn(now!, place, counts.get(cluster + i));
    }
    if (fixes.length > 0) await image.writer.commit();
    cluster += n;
  }
  report.imageEndOffset = (highest + 1) * clusterSize;
  return rebuild;
}
