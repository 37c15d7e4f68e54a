import type { BlockNode } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import type { CheckReport, RepairMode, WorkOptions } from '../graph/format-node.ts';
import { batEntriesOf, scanBat } from './scan-bat.ts';
import { MIB, VhdxHeaders } from './vhdx-header.ts';
import type { VhdxMap } from './vhdx-map.ts';
import { damagedRegionTables, writeRegions } from './vhdx-regions.ts';

/**
 * Looks for table entries that contradict each other or the file, unused room, and damaged copies of headers and
 * region tables. `leaks` and `all` cut off what is unused at the end and write damaged copies anew. (A log is
 * replayed when the image is opened for writing.) Nothing else may be under way.
 */
export async function checkVhdx(
  file: BlockNode,
  headers: VhdxHeaders,
  map: VhdxMap,
  repair: RepairMode,
  options: WorkOptions & { readonly onFinding?: (line: string) => void } = {},
): Promise<CheckReport> {
  checkCancelled(options.signal);
  let corruptions = 0;
  const finding = (line: string): void => {
    corruptions++;
    options.onFinding?.(line);
  };
  const { logOffset, logLength } = headers.current;
  const log = logLength > 0 ? [{ offset: logOffset, length: logLength }] : [];
  const scan = await scanBat(file, map.regions.bat, map.layout, [...map.regions.all, ...log], finding);
  const damagedHeaders = await VhdxHeaders.damaged(file);
  const damagedTables = await damagedRegionTables(file);
  // Copies: a power cut may have left one behind, and nothing is lost with it.
  const damaged = damagedHeaders + damagedTables;
  if (damaged > 0) options.onFinding?.(`${damaged} of the headers and region tables are damaged`);
  const unusedAtEnd = Math.max(0, Math.floor((file.size - scan.end) / MIB));
  let leaksFixed = 0;
  if (repair !== 'none' && corruptions === 0 && damaged + unusedAtEnd > 0) {
    if (damagedTables > 0) await writeRegions(file, map.regions.table);
    // Twice: each goes to the other place.
    if (damagedHeaders > 0) for (let i = 0; i < 2; i++) await headers.update({});
    if (unusedAtEnd > 0) await file.resize?.(scan.end, { shrink: true });
    await file.flush();
    leaksFixed = damaged + unusedAtEnd;
    await map.reload();
  }
  return {
    corruptions,
    // Room between blocks is no leak: programs leave some, QEMU 4 MiB before the first block.
    leaks: leaksFixed > 0 ? 0 : damaged,
    checkErrors: 0,
    corruptionsFixed: 0,
    leaksFixed,
    imageEndOffset: scan.end,
    totalClusters: Math.min(map.layout.blocks, batEntriesOf(map.layout)),
    allocatedClusters: scan.used,
  };
}
