import { PAGE_SIZE } from '../env.ts';
import type { Block, Inst, RegisterRef, Terminator, Value } from '../ir/ir.ts';
import { opRow } from '../ir/ops.ts';
import { bitsOf, SEMANTICS } from '../ir/semantics.ts';

/** A number, or (`placed`) an address of the code, which moves with it. */
interface Plain {
  readonly imm: bigint;
  readonly placed: boolean;
}
/** A value seen through: known, or one of two by a condition that is visible at the block's end. */
type Known = Plain | { readonly condition: Value; readonly ifTrue: Plain; readonly ifFalse: Plain };

const isChoice = (k: Known | undefined): k is Exclude<Known, Plain> => k !== undefined && 'condition' in k;

/** What is below a page stays as it is when code moves. */
const PAGE_MASK = BigInt(PAGE_SIZE - 1);

/** A pure op's value, when it is a number or an address that moves with the code. */
function compute(inst: Inst, args: readonly (Plain | undefined)[]): Plain | undefined {
  const [x, y, z] = args;
  const bits = bitsOf(inst.type);
  if (args.every((arg) => arg?.placed !== true)) {
    const imm = SEMANTICS[inst.op]?.(bits, x?.imm ?? 0n, y?.imm ?? 0n, z?.imm ?? 0n);
    return imm === undefined ? undefined : { imm, placed: false };
  }
  if (x === undefined || y === undefined) return undefined;
  const sum = (imm: bigint, placed: boolean): Plain => ({ imm: BigInt.asUintN(bits, imm), placed });
  if (inst.op === 'sub') return x.placed ? sum(x.imm - y.imm, !y.placed) : undefined;
  if (inst.op === 'eq' || inst.op === 'ne') {
    // Two addresses keep their distance; an address and a number that differ below a page always do.
    const differ = x.placed && y.placed ? x.imm !== y.imm : ((x.imm ^ y.imm) & PAGE_MASK) !== 0n || undefined;
    return differ === undefined ? undefined : { imm: differ === (inst.op === 'ne') ? 1n : 0n, placed: false };
  }
  if (x.placed && y.placed) return undefined;
  if (inst.op === 'add') return sum(x.imm + y.imm, true);
  const other = x.placed ? y.imm : x.imm;
  if (inst.op === 'and' && (other | PAGE_MASK) === BigInt.asUintN(bits, -1n)) return sum(x.imm & y.imm, true);
  return inst.op === 'or' && other <= PAGE_MASK ? sum(x.imm | y.imm, true) : undefined;
}

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
  if (inst.op === 'const' || inst.op === 'pc') return { imm: inst.imm as bigint, placed: inst.op === 'pc' };
  if (depth === 0) return undefined;
  if (inst.op === 'get') {
    const from = lastPut(block, inst.reg as RegisterRef, value);
    return from === undefined ? undefined : see(block, from, depth - 1);
  }
  if (SEMANTICS[inst.op] === undefined || opRow(inst.op).effect !== 'pure') return undefined;
  if (/^(div|rem)/.test(inst.op)) return undefined;
  if (inst.op === 'select') {
    const [condition, a, b] = inst.args as [Value, Value, Value];
    const chosen = see(block, condition, depth - 1);
    const ifTrue = see(block, a, depth - 1);
    const ifFalse = see(block, b, depth - 1);
    if (chosen === undefined) {
      if (ifTrue === undefined || ifFalse === undefined || isChoice(ifTrue) || isChoice(ifFalse))
        return undefined;
      return { condition, ifTrue, ifFalse };
    }
    return alike([chosen, ifTrue, ifFalse], ([c, x, y]) =>
      c === undefined || c.placed ? undefined : c.imm !== 0n ? x : y,
    );
  }
  const args: Known[] = [];
  for (const arg of inst.args) {
    const known = see(block, arg, depth - 1);
    if (known === undefined) return undefined;
    args.push(known);
  }
  return alike(args, (plain) => compute(inst, plain));
}

/** Applies `f` to what is known, for both ways that one condition can go; other conditions must not take part. */
function alike(
  known: readonly (Known | undefined)[],
  f: (args: readonly (Plain | undefined)[]) => Plain | undefined,
): Known | undefined {
  const choice = known.find(isChoice);
  const side = (way: 'ifTrue' | 'ifFalse'): Plain | undefined =>
    f(known.map((k) => (isChoice(k) ? (k.condition === choice?.condition ? k[way] : undefined) : k)));
  const foreign = known.some((k) => isChoice(k) && k.condition !== choice?.condition);
  const ifTrue = side('ifTrue');
  if (choice === undefined) return ifTrue;
  const ifFalse = side('ifFalse');
  if (foreign || ifTrue === undefined || ifFalse === undefined) return undefined;
  return { condition: choice.condition, ifTrue, ifFalse };
}

/**
 * A computed transfer to an address relative to the code, or one of two, becomes a direct one: `auipc` and `jalr`, and jumps
 * that went through a delay slot. The block's instructions stay as they are. A constant is no place in
 * code that may run at any address. Assumes that no value was moved out of its `if`.
 * @returns the terminator to use, which may be the block's own.
 */
export function resolveIndirect(block: Block): Terminator {
  const t = block.terminator;
  if (t.kind !== 'indirect') return t;
  const mode = t.mode === undefined ? {} : { mode: t.mode };
  const known = see(block, t.pc, DEPTH);
  if (known === undefined) return t;
  if (!isChoice(known)) {
    if (!known.placed) return t;
    if (t.hint === 'call') return { kind: 'call', target: known.imm, ...mode };
    return t.hint === 'jump' ? { kind: 'goto', target: known.imm, ...mode } : t;
  }
  if (t.hint !== 'jump' || !known.ifTrue.placed || !known.ifFalse.placed) return t;
  return {
    kind: 'branch',
    condition: known.condition,
    taken: known.ifTrue.imm,
    notTaken: known.ifFalse.imm,
    ...mode,
  };
}
