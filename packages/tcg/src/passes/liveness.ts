import type { Block, HelperDef, RegisterRef } from '../ir/ir.ts';
import { opRow } from '../ir/ops.ts';
import { observesRegisters } from './dead-code.ts';
import type { RegionGraph } from './graph.ts';
import { slotOf } from './simplify.ts';

/** What a block does to a register before anything can see it. */
interface Summary {
  /** Overwritten before it is read or seen: one bit per register. */
  readonly kills: Uint32Array;
  /** Neither read, seen nor overwritten. */
  readonly passes: Uint32Array;
}

/** Registers that the region writes, numbered. */
function numberRegisters(graph: RegionGraph): Map<number, number> {
  const ids = new Map<number, number>();
  for (const block of graph.blocks)
    for (const inst of block.insts) {
      if (inst.op !== 'put') continue;
      const slot = slotOf(inst.reg as RegisterRef);
      if (slot >= 0 && !ids.has(slot)) ids.set(slot, ids.size);
    }
  return ids;
}

function summarize(block: Block, ids: ReadonlyMap<number, number>, words: number): Summary {
  const kills = new Uint32Array(words);
  const passes = new Uint32Array(words).fill(0xffffffff);
  let depth = 0;
  for (const inst of block.insts) {
    if (inst.op === 'if') depth++;
    else if (inst.op === 'end') depth--;
    else if (inst.op === 'get' || inst.op === 'put') {
      const id = ids.get(slotOf(inst.reg as RegisterRef));
      if (id === undefined) continue;
      const [word, bit] = [id >> 5, 1 << (id & 31)];
      if (((passes[word] as number) & bit) === 0) continue;
      // A write in one part of an `if` decides nothing: what was there may still be seen.
      if (inst.op === 'put' && depth > 0) continue;
      passes[word] = (passes[word] as number) & ~bit;
      if (inst.op === 'put') kills[word] = (kills[word] as number) | bit;
    } else if (
      inst.op === 'leave' ||
      opRow(inst.op).effect === 'memory' ||
      (inst.helper !== undefined && observesRegisters(inst.helper as HelperDef))
    ) {
      return { kills, passes: passes.fill(0) };
    }
  }
  return { kills, passes };
}

/**
 * For each block, the offsets of registers that every way behind it overwrites before anything sees them.
 * Ways end at region exits, calls and loop headers, where all registers are seen.
 * @param everyBlock blocks may be left at their start (counting regions): nothing is dead between blocks.
 */
export function deadRegisters(graph: RegionGraph, everyBlock: boolean): number[][] {
  const count = graph.blocks.length;
  if (everyBlock) return graph.blocks.map(() => []);
  const ids = numberRegisters(graph);
  const words = (ids.size + 31) >> 5;
  const summaries = graph.blocks.map((b) => summarize(b, ids, words));
  // Every cycle has a header, where nothing is dead: one walk against the order settles it, as long as the only
  // edges that go back lead to headers.
  const deadIn: Uint32Array[] = [];
  const result: number[][] = [];
  for (let i = count - 1; i >= 0; i--) {
    const out = new Uint32Array(words);
    const targets = graph.successors[i] as readonly number[];
    if (graph.leaves[i] === false && targets.length > 0) {
      out.fill(0xffffffff);
      for (const to of targets) {
        const into = deadIn[to];
        for (let w = 0; w < words; w++) out[w] = (out[w] as number) & (into?.[w] ?? 0);
      }
    }
    const { kills, passes } = summaries[i] as Summary;
    const into = new Uint32Array(words);
    if (graph.header[i] === false)
      for (let w = 0; w < words; w++)
        into[w] = (kills[w] as number) | ((passes[w] as number) & (out[w] as number));
    deadIn[i] = into;
    const offsets: number[] = [];
    for (const [slot, id] of ids)
      if ((((out[id >> 5] as number) >>> (id & 31)) & 1) === 1) offsets.push(slot);
    result[i] = offsets;
  }
  return result;
}
