import { moveValues, renameTerminator, visitEdges } from '../ir/edges.ts';
import { blockKey, type Block, type Region } from '../ir/ir.ts';

/**
 * Joins each block that has one predecessor, which goes nowhere else, to that predecessor; drops blocks that can't
 * be reached. In place.
 */
export function mergeBlocks(region: Region): void {
  const entries = new Map<bigint, number>([[region.entry, 2]]);
  const queue = [region.entry];
  const reached = new Set<bigint>(queue);
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    visitEdges(region, region.blocks.get(key) as Block, (to) => {
      entries.set(to, (entries.get(to) ?? 0) + 1);
      if (reached.has(to) || !region.blocks.has(to)) return;
      reached.add(to);
      queue.push(to);
    });
  }
  for (const key of [...region.blocks.keys()]) if (!reached.has(key)) region.blocks.delete(key);
  for (const [key, block] of region.blocks) {
    for (let t = block.terminator; t.kind === 'goto' && t.mode === undefined; t = block.terminator) {
      const to = blockKey(region, t.target as bigint, block.mode);
      const next = region.blocks.get(to);
      if (next === undefined || entries.get(to) !== 1 || to === key) break;
      const by = block.insts.length;
      moveValues(next.insts, by);
      for (const inst of next.insts) block.insts.push(inst);
      block.terminator = renameTerminator(next.terminator, (v) => v + by);
      block.instructions += next.instructions;
      region.blocks.delete(to);
    }
  }
}
