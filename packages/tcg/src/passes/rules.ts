import type { Inst, Value } from '../ir/ir.ts';
import type { Op, ValueType } from '../ir/ops.ts';
import { bitsOf } from '../ir/semantics.ts';
import type { Rewriter } from './rewriter.ts';

/**
 * Gives a value that equals `inst`, or -1. Operands are values of `r.out`. Folding of constants came before, so at
 * least one operand is not constant. A rule may add instructions; those that then have no use are removed later.
 */
export type Rule = (r: Rewriter, inst: Inst) => Value;

const NONE = -1;
const first = (inst: Inst): Value => inst.args[0] as Value;
const second = (inst: Inst): Value => inst.args[1] as Value;
const immOf = (r: Rewriter, v: Value): bigint => r.inst(v).imm as bigint;
const isConst = (r: Rewriter, v: Value): boolean => r.facts.constant[v] === 1;
const zero = (r: Rewriter, type: ValueType): Value => r.constant(type, 0n);

/** Index of the one bit that is set, or -1. */
function powerOfTwo(imm: bigint): number {
  return imm !== 0n && (imm & (imm - 1n)) === 0n ? imm.toString(2).length - 1 : NONE;
}

/** Moves a constant first operand to the second place; `mirrored` is the op that then means the same. */
const constantRight =
  (mirrored: Op, rule: Rule): Rule =>
  (r, inst) =>
    isConst(r, first(inst)) ? r.binary(mirrored, inst.type, second(inst), first(inst)) : rule(r, inst);

/** `op(op(x, c1), c2)` as `op(x, c1 op c2)`. */
function reassociate(r: Rewriter, inst: Inst, combine: (a: bigint, b: bigint) => bigint): Value {
  const [a, b] = [first(inst), second(inst)];
  const inner = r.inst(a);
  if (!isConst(r, b) || inner.op !== inst.op || !isConst(r, second(inner))) return NONE;
  const c = r.constant(inst.type, combine(immOf(r, second(inner)), immOf(r, b)));
  return r.binary(inst.op, inst.type, first(inner), c);
}

/** A value with the same low 32 bits that is cheaper or earlier: extensions and masks that only change the rest. */
function low32(r: Rewriter, v: Value): Value {
  const inst = r.inst(v);
  if (inst.op === 'extend32_s' || inst.op === 'extend32_u') return low32(r, first(inst));
  if (inst.op === 'and' && isConst(r, second(inst)) && r.facts.low[second(inst)] === -1)
    return low32(r, first(inst));
  return v;
}

const LOW_FROM_LOW = new Set<Op>(['add', 'sub', 'mul', 'and', 'or', 'xor']);

/** The same for an operation whose low 32 bits depend on its operands' low 32 bits only. */
function demandLow32(r: Rewriter, v: Value): Value {
  const stripped = low32(r, v);
  const inst = r.inst(stripped);
  if (inst.type !== 'i64') return stripped;
  if (LOW_FROM_LOW.has(inst.op)) {
    const [a, b] = [low32(r, first(inst)), low32(r, second(inst))];
    return a === first(inst) && b === second(inst) ? stripped : r.binary(inst.op, 'i64', a, b);
  }
  if (inst.op === 'shl') {
    const k = r.facts.shift(second(inst), 64);
    const a = low32(r, first(inst));
    if (k >= 0 && a !== first(inst)) return r.binary('shl', 'i64', a, second(inst));
  }
  return stripped;
}

/** A `pc` whose distance from other ones is known. */
const isPlace = (r: Rewriter, v: Value): boolean => r.facts.placed && r.inst(v).op === 'pc';
/** Whether two values are the same address of the code. */
const isSame = (r: Rewriter, a: Value, b: Value): boolean =>
  a === b || (isPlace(r, a) && isPlace(r, b) && immOf(r, a) === immOf(r, b));

const add: Rule = constantRight('add', (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  if (r.facts.is(b, 0)) return a;
  if (isPlace(r, a) && isConst(r, b)) {
    const imm = BigInt.asUintN(bitsOf(inst.type), immOf(r, a) + immOf(r, b));
    return r.append({ op: 'pc', type: inst.type, args: [], imm });
  }
  // What lazily computed flags do: the operand that a subtraction had.
  if (isSubOf(r, a, b)) return r.operand(a, 0);
  if (isSubOf(r, b, a)) return r.operand(b, 0);
  return reassociate(r, inst, (x, y) => x + y);
});

/** Whether `v` is something minus `by`. */
const isSubOf = (r: Rewriter, v: Value, by: Value): boolean =>
  r.inst(v).op === 'sub' && r.operand(v, 1) === by;

const sub: Rule = (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  if (a === b) return zero(r, inst.type);
  if (isPlace(r, a) && isPlace(r, b)) return r.constant(inst.type, immOf(r, a) - immOf(r, b));
  if (r.inst(a).op === 'add') {
    if (r.operand(a, 1) === b) return r.operand(a, 0);
    if (r.operand(a, 0) === b) return r.operand(a, 1);
  }
  return isConst(r, b) ? r.binary('add', inst.type, a, r.constant(inst.type, -immOf(r, b))) : NONE;
};

const mul: Rule = constantRight('mul', (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  if (!isConst(r, b)) return NONE;
  if (r.facts.is(b, 0)) return b;
  if (r.facts.is(b, 1)) return a;
  const k = powerOfTwo(immOf(r, b));
  return k > 0 ? r.binary('shl', inst.type, a, r.constant(inst.type, BigInt(k))) : NONE;
});

const divU: Rule = (r, inst) => {
  const k = isConst(r, second(inst)) ? powerOfTwo(immOf(r, second(inst))) : NONE;
  return k >= 0 ? r.binary('shr_u', inst.type, first(inst), r.constant(inst.type, BigInt(k))) : NONE;
};
const remU: Rule = (r, inst) => {
  const b = second(inst);
  if (!isConst(r, b) || powerOfTwo(immOf(r, b)) < 0) return NONE;
  return r.binary('and', inst.type, first(inst), r.constant(inst.type, immOf(r, b) - 1n));
};
const divS: Rule = (r, inst) => (r.facts.is(second(inst), 1) ? first(inst) : NONE);

const and: Rule = constantRight('and', (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  const f = r.facts;
  if (a === b) return a;
  const low = (f.zeroLow[a] as number) | (f.zeroLow[b] as number);
  const high = (f.zeroHigh[a] as number) | (f.zeroHigh[b] as number);
  if (low === -1 && high === -1) return zero(r, inst.type);
  if (!isConst(r, b)) return NONE;
  // Every bit that the mask clears is zero already.
  const cleared = ~(f.low[b] as number) & ~(f.zeroLow[a] as number);
  const clearedHigh = inst.type === 'i32' ? 0 : ~(f.high[b] as number) & ~(f.zeroHigh[a] as number);
  if (cleared === 0 && clearedHigh === 0) return a;
  return reassociate(r, inst, (x, y) => x & y);
});

const or: Rule = constantRight('or', (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  if (a === b || r.facts.is(b, 0)) return a;
  if (r.facts.is(b, -1)) return b;
  return reassociate(r, inst, (x, y) => x | y);
});

const xor: Rule = constantRight('xor', (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  if (a === b) return zero(r, inst.type);
  if (r.facts.is(b, 0)) return a;
  if (r.facts.is(b, 1) && r.facts.isBoolean(a)) {
    if (inst.type === 'i32') return r.unary('eqz', 'i32', a);
    const inner = r.inst(a);
    if (inner.op === 'extend_u') return r.unary('extend_u', 'i64', r.unary('eqz', 'i32', first(inner)));
  }
  return reassociate(r, inst, (x, y) => x ^ y);
});

/** A shift amount without a mask that the shift applies anyway. */
function unmasked(r: Rewriter, inst: Inst): Value {
  const amount = r.inst(second(inst));
  if (amount.op !== 'and' || !isConst(r, second(amount))) return NONE;
  const bits = bitsOf(inst.type) - 1;
  const mask = r.facts.low[second(amount)] as number;
  return (mask & bits) === bits ? r.binary(inst.op, inst.type, first(inst), first(amount)) : NONE;
}

/** A shift of the same kind inside, both by constants: their sum; `limit` is what it may reach at most. */
function joinShifts(r: Rewriter, inst: Inst, k: number): number {
  const inner = r.inst(first(inst));
  if (inner.op !== inst.op) return NONE;
  const j = r.facts.shift(second(inner), bitsOf(inst.type));
  return j < 0 ? NONE : j + k;
}

const SIGN_EXTENSION: Partial<Record<number, Op>> = { 8: 'extend8_s', 16: 'extend16_s', 32: 'extend32_s' };

const shift =
  (rule: (r: Rewriter, inst: Inst, k: number) => Value): Rule =>
  (r, inst) => {
    const k = r.facts.shift(second(inst), bitsOf(inst.type));
    if (k === 0) return first(inst);
    if (r.facts.is(first(inst), 0)) return first(inst);
    return k < 0 ? unmasked(r, inst) : rule(r, inst, k);
  };

const shl: Rule = shift((r, inst, k) => {
  const total = joinShifts(r, inst, k);
  if (total < 0) return NONE;
  if (total >= bitsOf(inst.type)) return zero(r, inst.type);
  return r.binary('shl', inst.type, r.operand(first(inst), 0), r.constant(inst.type, BigInt(total)));
});

const shrU: Rule = shift((r, inst, k) => {
  const bits = bitsOf(inst.type);
  const inner = r.inst(first(inst));
  if (inner.op === 'shl' && r.facts.shift(second(inner), bits) === k) {
    if (bits === 64 && k === 32) return r.unary('extend32_u', 'i64', first(inner));
    return r.binary('and', inst.type, first(inner), r.constant(inst.type, (1n << BigInt(bits - k)) - 1n));
  }
  const total = joinShifts(r, inst, k);
  if (total < 0) return NONE;
  if (total >= bits) return zero(r, inst.type);
  return r.binary('shr_u', inst.type, first(inner), r.constant(inst.type, BigInt(total)));
});

const shrS: Rule = shift((r, inst, k) => {
  const bits = bitsOf(inst.type);
  if (r.facts.signBits(first(inst)) === bits) return first(inst);
  const inner = r.inst(first(inst));
  const extension = SIGN_EXTENSION[bits - k];
  if (inner.op === 'shl' && extension !== undefined && r.facts.shift(second(inner), bits) === k)
    return r.unary(extension, inst.type, first(inner));
  const total = joinShifts(r, inst, k);
  if (total < 0) return NONE;
  return r.binary('shr_s', inst.type, first(inner), r.constant(inst.type, BigInt(Math.min(total, bits - 1))));
});

const rotate: Rule = shift(() => NONE);

/** Sign extension from `bits`: nothing to do when the value is that narrow; inner extensions don't matter. */
const extendSigned =
  (bits: 8 | 16 | 32, op: Op): Rule =>
  (r, inst) => {
    const a = first(inst);
    if (r.facts.signBits(a) > r.facts.width(a) - bits) return a;
    if (bits === 32) {
      const low = demandLow32(r, a);
      return low === a ? NONE : r.unary(op, inst.type, low);
    }
    const inner = r.inst(a);
    const wider =
      inner.op === 'extend32_s' || inner.op === 'extend32_u' || (inner.op === 'extend16_s' && bits === 8);
    return wider ? r.unary(op, inst.type, first(inner)) : NONE;
  };

const extend32U: Rule = (r, inst) => {
  const a = first(inst);
  if (r.facts.zeroHigh[a] === -1) return a;
  const low = demandLow32(r, a);
  return low === a ? NONE : r.unary('extend32_u', 'i64', low);
};

const wrap: Rule = (r, inst) => {
  const inner = r.inst(first(inst));
  if (inner.op === 'extend_s' || inner.op === 'extend_u') return first(inner);
  const low = demandLow32(r, first(inst));
  return low === first(inst) ? NONE : r.unary('wrap', 'i32', low);
};

const widen =
  (op: 'extend32_s' | 'extend32_u'): Rule =>
  (r, inst) => {
    const inner = r.inst(first(inst));
    return inner.op === 'wrap' ? r.unary(op, 'i64', first(inner)) : NONE;
  };

const INVERSE: Partial<Record<Op, Op>> = {
  eq: 'ne',
  ne: 'eq',
  lt_s: 'ge_s',
  ge_s: 'lt_s',
  lt_u: 'ge_u',
  ge_u: 'lt_u',
  gt_s: 'le_s',
  le_s: 'gt_s',
  gt_u: 'le_u',
  le_u: 'gt_u',
};

const eqz: Rule = (r, inst) => {
  const a = first(inst);
  const inner = r.inst(a);
  if (inner.op === 'extend_u' || inner.op === 'extend_s') return r.unary('eqz', 'i32', first(inner));
  if (inst.type === 'i64') return NONE;
  const inverse = INVERSE[inner.op];
  if (inverse !== undefined) return r.binary(inverse, inner.type, first(inner), second(inner));
  // Not of not: only when the inner operand is a truth value itself.
  if (inner.op === 'eqz')
    return inner.type === 'i32' && r.facts.isBoolean(first(inner)) ? first(inner) : NONE;
  return NONE;
};

/** `x` is not zero, as i32. */
function nonZero(r: Rewriter, type: ValueType, v: Value): Value {
  const inner = r.inst(v);
  if (type === 'i64')
    return inner.op === 'extend_u' || inner.op === 'extend_s' ? nonZero(r, 'i32', first(inner)) : NONE;
  return r.facts.isBoolean(v) ? v : NONE;
}

/** Both sides equal: the comparison's value. A choice between constants compared with a constant: a choice of results. */
const comparison = (equal: 0 | 1, mirrored: Op, rule: Rule): Rule =>
  constantRight(mirrored, (r, inst) => {
    const [a, b] = [first(inst), second(inst)];
    if (isSame(r, a, b)) return r.constant('i32', BigInt(equal));
    const choice = r.inst(a);
    if (choice.op === 'select' && isConst(r, b)) {
      const [c, x, y] = choice.args as [Value, Value, Value];
      const plain = (v: Value): boolean =>
        isConst(r, v) || (isPlace(r, v) && (inst.op === 'eq' || inst.op === 'ne'));
      if (plain(x) && plain(y)) {
        const [ifTrue, ifFalse] = [r.binary(inst.op, inst.type, x, b), r.binary(inst.op, inst.type, y, b)];
        return r.add({ op: 'select', type: 'i32', args: [c, ifTrue, ifFalse] });
      }
    }
    return rule(r, inst);
  });

const nothing: Rule = () => NONE;

const eq: Rule = comparison(1, 'eq', (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  if (r.facts.is(b, 0)) return r.unary('eqz', inst.type, a);
  if (r.facts.is(b, 1) && r.facts.isBoolean(a)) {
    const truth = nonZero(r, inst.type, a);
    if (truth !== NONE) return truth;
  }
  return differ(r, a, b) ? r.constant('i32', 0n) : NONE;
});
const ne: Rule = comparison(0, 'ne', (r, inst) => {
  const [a, b] = [first(inst), second(inst)];
  if (r.facts.is(b, 0)) {
    const truth = nonZero(r, inst.type, a);
    if (truth !== NONE) return truth;
    const inner = r.inst(a);
    if (inst.type === 'i64' && (inner.op === 'extend_u' || inner.op === 'extend_s'))
      return r.binary('ne', 'i32', first(inner), r.constant('i32', 0n));
  }
  return differ(r, a, b) ? r.constant('i32', 1n) : NONE;
});

/** Whether a constant has a bit that is known to be zero in the other value. */
function differ(r: Rewriter, a: Value, b: Value): boolean {
  const f = r.facts;
  if (isPlace(r, a) && isPlace(r, b)) return immOf(r, a) !== immOf(r, b);
  if (f.constant[b] === 0) return false;
  if (((f.low[b] as number) & (f.zeroLow[a] as number)) !== 0) return true;
  return r.inst(b).type === 'i64' && ((f.high[b] as number) & (f.zeroHigh[a] as number)) !== 0;
}

const ltU: Rule = comparison(0, 'gt_u', (r, inst) => {
  if (r.facts.is(second(inst), 0)) return r.constant('i32', 0n);
  return r.facts.is(second(inst), 1) ? r.unary('eqz', inst.type, first(inst)) : NONE;
});
const geU: Rule = comparison(1, 'le_u', (r, inst) =>
  r.facts.is(second(inst), 0) ? r.constant('i32', 1n) : NONE,
);
const gtU: Rule = comparison(0, 'lt_u', (r, inst) =>
  r.facts.is(second(inst), 0) ? r.binary('ne', inst.type, first(inst), second(inst)) : NONE,
);
const leU: Rule = comparison(1, 'ge_u', (r, inst) =>
  r.facts.is(second(inst), 0) ? r.unary('eqz', inst.type, first(inst)) : NONE,
);

/** A condition that is zero exactly when `v` (i32) is, without a comparison with zero around it. */
export function condition(r: Rewriter, v: Value): Value {
  const inst = r.inst(v);
  if (inst.op === 'ne' && inst.type === 'i32' && r.facts.is(second(inst), 0))
    return condition(r, first(inst));
  return v;
}

const select: Rule = (r, inst) => {
  const [c, a, b] = inst.args as [Value, Value, Value];
  if (isConst(r, c)) return r.facts.is(c, 0) ? b : a;
  if (a === b) return a;
  const test = r.inst(c);
  const plain = condition(r, c);
  if (plain !== c) return r.add({ op: 'select', type: inst.type, args: [plain, a, b] });
  if (test.op === 'eqz' && test.type === 'i32')
    return r.add({ op: 'select', type: inst.type, args: [first(test), b, a] });
  // The same choice inside was made already.
  const [left, right] = [r.inst(a), r.inst(b)];
  if (left.op === 'select' && left.args[0] === c)
    return r.add({ op: 'select', type: inst.type, args: [c, left.args[1] as Value, b] });
  if (right.op === 'select' && right.args[0] === c)
    return r.add({ op: 'select', type: inst.type, args: [c, a, right.args[2] as Value] });
  const boolean = inst.type === 'i32' || inst.type === 'i64';
  if (boolean && r.facts.isBoolean(c)) {
    const widened = (v: Value): Value => (inst.type === 'i32' ? v : r.unary('extend_u', 'i64', v));
    if (r.facts.is(a, 1) && r.facts.is(b, 0)) return widened(c);
    if (r.facts.is(a, 0) && r.facts.is(b, 1)) return widened(r.unary('eqz', 'i32', c));
  }
  return NONE;
};

const inverseOf =
  (op: Op): Rule =>
  (r, inst) =>
    r.inst(first(inst)).op === op ? r.operand(first(inst), 0) : NONE;

/** Simplifications by op; an op without a row is never touched, not even folded. */
export const RULES: Partial<Record<Op, Rule>> = {
  add,
  sub,
  mul,
  div_u: divU,
  rem_u: remU,
  div_s: divS,
  rem_s: nothing,
  mulh_s: nothing,
  mulh_u: nothing,
  mulh_su: nothing,
  and,
  or,
  xor,
  shl,
  shr_u: shrU,
  shr_s: shrS,
  rotl: rotate,
  rotr: rotate,
  clz: nothing,
  ctz: nothing,
  popcnt: nothing,
  bswap: inverseOf('bswap'),
  extend8_s: extendSigned(8, 'extend8_s'),
  extend16_s: extendSigned(16, 'extend16_s'),
  extend32_s: extendSigned(32, 'extend32_s'),
  extend32_u: extend32U,
  eqz,
  eq,
  ne,
  lt_s: comparison(0, 'gt_s', nothing),
  gt_s: comparison(0, 'lt_s', nothing),
  le_s: comparison(1, 'ge_s', nothing),
  ge_s: comparison(1, 'le_s', nothing),
  lt_u: ltU,
  ge_u: geU,
  gt_u: gtU,
  le_u: leU,
  select,
  wrap,
  extend_s: widen('extend32_s'),
  extend_u: widen('extend32_u'),
  // Reinterpretations undo each other; integers come back exactly, so these hold for every NaN.
  f32_bits: inverseOf('bits_f32'),
  f64_bits: inverseOf('bits_f64'),
  bits_f32: inverseOf('f32_bits'),
  bits_f64: inverseOf('f64_bits'),
};
