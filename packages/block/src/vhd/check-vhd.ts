import type { BlockNode } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import type { CheckReport, RepairMode, WorkOptions } from '../graph/format-node.ts';
import { scanVhdTable } from './scan-vhd-table.ts';
import type { FileRange } from './scan-vhd-table.ts';
import { FOOTER_BYTES, parseVhdFooter } from './vhd-header.ts';
import type { VhdDynamic } from './vhd-header.ts';
import type { VhdMap } from './vhd-map.ts';

/**
 * Looks for blocks on each other, on metadata or past the file's end, room that nobody uses, and a footer's copy that
 * is gone. `leaks` and `all` cut off what is unused at the end and write the missing footer. Blocks in wrong places
 * can't be told from right ones: they stay. Nothing else may be under way.
 */
export async function checkVhd(
  file: BlockNode,
  header: VhdDynamic,
  map: VhdMap,
  metadata: readonly FileRange[],
  repair: RepairMode,
  options: WorkOptions & { readonly onFinding?: (line: string) => void } = {},
): Promise<CheckReport> {
  checkCancelled(options.signal);
  let corruptions = 0;
  const finding = (line: string): void => {
    corruptions++;
    options.onFinding?.(line);
  };
  const { end, used } = await scanVhdTable(file, header, metadata, finding);
  let footers = 0;
  const footer = new Uint8Array(FOOTER_BYTES);
  for (const [offset, which] of [
    [0, 'first'],
    [file.size - FOOTER_BYTES, 'last'],
  ] as const) {
    await file.read(offset, footer);
    if (parseVhdFooter(footer) !== undefined) continue;
    // A copy: a crash may have left it behind, and nothing is lost with it.
    footers++;
    options.onFinding?.(`The ${which} footer is damaged`);
  }
  const unused = Math.max(0, Math.ceil((file.size - FOOTER_BYTES - end) / header.blockSize));
  const report = {
    checkErrors: 0,
    imageEndOffset: end + FOOTER_BYTES,
    totalClusters: header.entries,
    allocatedClusters: used,
  };
  const leaks = footers + unused;
  if (repair === 'none' || corruptions > 0 || leaks === 0) {
    return { ...report, corruptions, leaks, corruptionsFixed: 0, leaksFixed: 0 };
  }
  await map.writeFooters(end);
  await map.reload();
  return { ...report, corruptions: 0, leaks: 0, corruptionsFixed: 0, leaksFixed: leaks };
}
