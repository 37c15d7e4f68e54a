import type { BlockNode } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import type { CheckReport, RepairMode, WorkOptions } from '../graph/format-node.ts';
import { compactVdi, copy } from './compact-vdi.ts';
import { scanVdiTable, walkVdiTable } from './scan-vdi-table.ts';
import { VDI_FREE } from './vdi-header.ts';
import type { VdiMap } from './vdi-map.ts';

const MOST_REPAIRS = 256;

/**
 * Looks for block numbers out of range or used twice, gaps, and a wrong count. `leaks` closes gaps and cuts off
 * unused room; `all` also frees what is out of range (it has no data) and gives blocks that share a place one each.
 * Nothing else may be under way.
 */
export async function checkVdi(
  file: BlockNode,
  map: VdiMap,
  repair: RepairMode,
  options: WorkOptions & { readonly onFinding?: (line: string) => void } = {},
): Promise<CheckReport> {
  const { header } = map;
  checkCancelled(options.signal);
  let corruptions = 0;
  const table = await scanVdiTable(file, header, undefined, (line) => {
    corruptions++;
    options.onFinding?.(line);
  });
  const stride = header.blockSize + header.blockExtra;
  const end = header.dataOffset + table.end * stride;
  let leaks = table.gapCount + Math.max(0, Math.ceil((file.size - end) / stride));
  if (header.allocated !== table.used) {
    options.onFinding?.(`ERROR: allocated blocks mismatch, is ${table.used}, should be ${header.allocated}`);
    // Too small a count would have the next writer use a place twice; too large a one only wastes room.
    if (header.allocated < table.end) corruptions++;
    else if (leaks === 0) leaks = 1;
  }
  let corruptionsFixed = 0;
  let leaksFixed = 0;
  // A table full of errors is no table: each repair may cost a block.
  if (repair === 'all' && corruptions > 0 && corruptions <= MOST_REPAIRS) {
    await repairEntries(file, map);
    corruptionsFixed = corruptions;
  }
  if (repair !== 'none' && (leaks > 0 || corruptionsFixed > 0)) {
    if (corruptionsFixed === corruptions) {
      await closeGaps(file, map);
      leaksFixed = leaks;
    }
  }
  if (repair !== 'none') await map.reload();
  return {
    corruptions: corruptions - corruptionsFixed,
    leaks: leaks - leaksFixed,
    checkErrors: 0,
    corruptionsFixed,
    leaksFixed,
    imageEndOffset: end,
    totalClusters: header.blocks,
    allocatedClusters: table.used,
  };
}

async function repairEntries(file: BlockNode, map: VdiMap): Promise<void> {
  const { header } = map;
  const stride = header.blockSize + header.blockExtra;
  const wrong: { block: number; index: number }[] = [];
  const good = new Set<number>();
  const { end } = await scanVdiTable(file, header, (block) => good.add(block));
  await walkVdiTable(file, header, (block, index) => {
    if (!good.has(block)) wrong.push({ block, index });
  });
  const limit = Math.ceil((file.size - header.dataOffset) / stride);
  let next = end;
  for (const { block, index } of wrong) {
    let entry = VDI_FREE;
    if (index < limit && next < header.blocks) {
      entry = next++;
      await copy(file, header.dataOffset + index * stride, header.dataOffset + entry * stride, stride);
      await file.flush();
    }
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, entry, true);
    await file.write(header.tableOffset + block * 4, bytes);
  }
  await file.flush();
}

async function closeGaps(file: BlockNode, map: VdiMap): Promise<void> {
  const { header } = map;
  const allocated = await compactVdi(file, header, Infinity);
  await map.changeHeader({ allocated });
  await file.flush();
  const end = header.dataOffset + allocated * (header.blockSize + header.blockExtra);
  if (file.size > end) await file.resize?.(end, { shrink: true });
  await file.flush();
}
