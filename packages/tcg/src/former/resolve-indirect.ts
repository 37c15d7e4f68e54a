import type { Block, Inst, RegisterRef, Terminator, Value } from '../ir/ir.ts';
import { opRow } from '../ir/ops.ts';
import { bitsOf, SEMANTICS } from '../ir/semantics.ts';

/** A value seen through: a constant, or one of two constants by a condition that is visible at the block's end. */
type Known = bigint | { readonly condition: Value; readonly ifTrue: bigint; readonly ifFalse: bigint };

/** How far back and how deep it looks: address computations are short. */
const DEPTH = 12;

const sameRegister = (a: RegisterRef, b: RegisterRef): boolean =>
  a.file.name === b.file.name && a.index === b.index;

/** What the last `put` before `at` gave the register; undefined when that is not plain. */
function lastPut(block: Block, reg: RegisterRef, at: number): Value | undefined {
  let depth = 0;
  for (let i = at - 1; i >= 0; i--) {
    const inst = block.insts[i] as Inst;
    if (inst.op === 'end') depth++;
    else if (inst.op === 'if') depth = Math.max(0, depth - 1);
    else if (inst.op === 'put' && sameRegister(inst.reg as RegisterRef, reg))
      return depth === 0 ? inst.args[0] : undefined;
    else if (inst.helper?.effect === 'registers') return undefined;
  }
  return undefined;
}

function see(block: Block, value: Value, depth: number): Known | undefined {
  const inst = block.insts[value] as Inst;
  if (inst.op === 'const') return inst.imm;
  if (depth === 0) return undefined;
  if (inst.op === 'get') {
    const from = lastPut(block, inst.reg as RegisterRef, value);
    return from === undefined ? undefined : see(block, from, depth - 1);
  }
  const semantics = SEMANTICS[inst.op];
  if (semantics === undefined || opRow(inst.op).effect !== 'pure') return undefined;
  if (/^(div|rem)/.test(inst.op)) return undefined;
  if (inst.op === 'select') {
    const [condition, a, b] = inst.args as [Value, Value, Value];
    const chosen = see(block, condition, depth - 1);
    const ifTrue = see(block, a, depth - 1);
    const ifFalse = see(block, b, depth - 1);
    if (chosen === undefined) {
      if (typeof ifTrue !== 'bigint' || typeof ifFalse !== 'bigint') return undefined;
      return { condition, ifTrue, ifFalse };
    }
    return alike([chosen, ifTrue, ifFalse], (c, x, y) => (c !== 0n ? x : y));
  }
  const args: Known[] = [];
  for (const arg of inst.args) {
    const known = see(block, arg, depth - 1);
    if (known === undefined) return undefined;
    args.push(known);
  }
  return alike(args, (x, y, z) => semantics(bitsOf(inst.type), x as bigint, y ?? 0n, z ?? 0n));
}

/** Applies `f` to what is known, for both ways that one condition can go; other conditions must not take part. */
function alike(
  known: readonly (Known | undefined)[],
  f: (...args: (bigint | undefined)[]) => bigint | undefined,
): Known | undefined {
  const choice = known.find((k) => typeof k === 'object');
  const side = (way: 'ifTrue' | 'ifFalse'): bigint | undefined =>
    f(
      ...known.map((k) =>
        typeof k === 'object' ? (k.condition === choice?.condition ? k[way] : undefined) : k,
      ),
    );
  const foreign = known.some((k) => typeof k === 'object' && k.condition !== choice?.condition);
  const ifTrue = side('ifTrue');
  if (choice === undefined) return ifTrue;
  const ifFalse = side('ifFalse');
  if (foreign || ifTrue === undefined || ifFalse === undefined) return undefined;
  return { condition: choice.condition, ifTrue, ifFalse };
}

/**
 * A computed transfer whose pc is a constant, or one of two, becomes a direct one: `auipc` and `jalr`, and jumps
 * that went through a delay slot. The block's instructions stay as they are. Assumes that no value was moved out
 * of its `if`.
 * @returns the terminator to use, which may be the block's own.
 */
export function resolveIndirect(block: Block): Terminator {
  const t = block.terminator;
  if (t.kind !== 'indirect') return t;
  const mode = t.mode === undefined ? {} : { mode: t.mode };
  const known = see(block, t.pc, DEPTH);
  if (known === undefined) return t;
  if (typeof known === 'bigint') {
    if (t.hint === 'call') return { kind: 'call', target: known, ...mode };
    return t.hint === 'jump' ? { kind: 'goto', target: known, ...mode } : t;
  }
  if (t.hint !== 'jump') return t;
  return {
    kind: 'branch',
    condition: known.condition,
    taken: known.ifTrue,
    notTaken: known.ifFalse,
    ...mode,
  };
}
