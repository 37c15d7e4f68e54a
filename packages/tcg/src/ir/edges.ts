import {
  blockKey,
  changedMode,
  nextPcOf,
  type Block,
  type Inst,
  type Region,
  type Target,
  type Terminator,
  type Value,
} from './ir.ts';

/** Sees each place that a block's code may go on at. `continuation`: after a guest call has returned. */
export type EdgeVisitor = (
  key: bigint,
  kind: 'jump' | 'continuation',
  from: Terminator,
  pc: bigint,
  mode: number,
) => void;

type Modes = { readonly mode: number };

function visitTerminator(region: Modes, block: Block, t: Terminator, next: bigint, visit: EdgeVisitor): void {
  const mode = 'mode' in t ? changedMode(block.mode, t.mode) : block.mode;
  const jump = (target: Target): void => {
    const pc = target === 'next' ? next : (target as bigint);
    visit(blockKey(region, pc, mode), 'jump', t, pc, mode);
  };
  switch (t.kind) {
    case 'goto':
      return jump(t.target);
    case 'branch':
      jump(t.taken);
      return jump(t.notTaken);
    case 'call':
      return visit(blockKey(region, next, mode), 'continuation', t, next, mode);
    case 'indirect':
      if (t.hint === 'call') visit(blockKey(region, next, mode), 'continuation', t, next, mode);
  }
}

/**
 * Visits all edges of a block, `leave`s first, whether or not they name a block of the region.
 * Targets are absolute (no interpreter handlers).
 */
export function visitEdges(region: Modes, block: Block, visit: EdgeVisitor): void {
  let next = block.pc;
  for (const inst of block.insts) {
    if (inst.op === 'insn') next = (inst.imm as bigint) + BigInt(inst.width as number);
    else if (inst.op === 'leave') visitTerminator(region, block, inst.leave as Terminator, next, visit);
  }
  visitTerminator(region, block, block.terminator, nextPcOf(block), visit);
}

/** Keys of a block's successors inside the region, each once. */
export function successors(region: Region, block: Block): bigint[] {
  const keys: bigint[] = [];
  visitEdges(region, block, (key) => {
    if (region.blocks.has(key) && !keys.includes(key)) keys.push(key);
  });
  return keys;
}

/** The terminator with its value renamed, itself when it has none. */
export function renameTerminator(t: Terminator, rename: (v: Value) => Value): Terminator {
  if (t.kind === 'branch') return { ...t, condition: rename(t.condition) };
  if (t.kind === 'indirect') return { ...t, pc: rename(t.pc) };
  return t;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Adds `by` to all operands, in place: the instructions were moved. */
export function moveValues(insts: readonly Inst[], by: number): void {
  for (const inst of insts) {
    const args = inst.args as Value[];
    for (let i = 0; i < args.length; i++) args[i] = (args[i] as Value) + by;
    if (inst.leave !== undefined) (inst as Mutable<Inst>).leave = renameTerminator(inst.leave, (v) => v + by);
  }
}
