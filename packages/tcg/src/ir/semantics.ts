import { fusedMultiplyAdd } from './fused-multiply-add.ts';
import type { Op, ValueType } from './ops.ts';

/**
 * Meaning of a pure op on constants. Operands and results are bit patterns: unsigned, below 2^bits of their type
 * (floats too). `bits` is the width of the operation's type.
 */
export type Semantics = (bits: 32 | 64, a: bigint, b: bigint, c: bigint) => bigint;

/** Width of a type in bits. */
export const bitsOf = (type: ValueType): 32 | 64 => (type === 'i32' || type === 'f32' ? 32 : 64);

const scratch = new DataView(new ArrayBuffer(8));

/** Number with these bits, as a float of that width. */
export function floatOf(bits: 32 | 64, pattern: bigint): number {
  if (bits === 32) {
    scratch.setUint32(0, Number(pattern));
    return scratch.getFloat32(0);
  }
  scratch.setBigUint64(0, pattern);
  return scratch.getFloat64(0);
}

/** Bits of a number rounded to a float of that width. */
export function patternOf(bits: 32 | 64, value: number): bigint {
  if (bits === 32) {
    scratch.setFloat32(0, value);
    return BigInt(scratch.getUint32(0));
  }
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

const signed = (bits: number, v: bigint): bigint => BigInt.asIntN(bits, v);
const wrapTo = (bits: number, v: bigint): bigint => BigInt.asUintN(bits, v);
const bool = (v: boolean): bigint => (v ? 1n : 0n);
const count = (bits: number, v: bigint): bigint => v & BigInt(bits - 1);

function leadingZeros(bits: number, v: bigint): bigint {
  return BigInt(bits - (v === 0n ? 0 : v.toString(2).length));
}
function trailingZeros(bits: number, v: bigint): bigint {
  return v === 0n ? BigInt(bits) : BigInt((v & -v).toString(2).length - 1);
}
function ones(v: bigint): bigint {
  let n = 0n;
  for (; v !== 0n; v &= v - 1n) n++;
  return n;
}
function swapBytes(bits: number, v: bigint): bigint {
  let r = 0n;
  for (let i = 0; i < bits; i += 8) r = (r << 8n) | ((v >> BigInt(i)) & 0xffn);
  return r;
}

/** The divisor, checked: front ends promise what the op table demands. */
function divisor(v: bigint): bigint {
  if (v === 0n) throw new RangeError('division by zero in IR');
  return v;
}
function quotient(bits: number, a: bigint, b: bigint): bigint {
  const q = signed(bits, a) / divisor(signed(bits, b));
  if (q !== signed(bits, q)) throw new RangeError('signed division overflows in IR');
  return wrapTo(bits, q);
}
function remainder(bits: number, a: bigint, b: bigint): bigint {
  quotient(bits, a, b);
  return wrapTo(bits, signed(bits, a) % signed(bits, b));
}

const float1 =
  (f: (a: number) => number): Semantics =>
  (bits, a) =>
    patternOf(bits, f(floatOf(bits, a)));
const float2 =
  (f: (a: number, b: number) => number): Semantics =>
  (bits, a, b) =>
    patternOf(bits, f(floatOf(bits, a), floatOf(bits, b)));
const floatCompare =
  (f: (a: number, b: number) => boolean): Semantics =>
  (bits, a, b) =>
    bool(f(floatOf(bits, a), floatOf(bits, b)));

/** Ties to even; a result of zero keeps the sign. */
function nearest(v: number): number {
  if (!Number.isFinite(v) || Math.abs(v) >= 2 ** 52) return v;
  const magnitude = Math.abs(v) + 2 ** 52 - 2 ** 52;
  return v < 0 || Object.is(v, -0) ? -magnitude : magnitude;
}

const truncate =
  (from: 32 | 64, isSigned: boolean): Semantics =>
  (bits, a) => {
    const v = floatOf(from, a);
    if (Number.isNaN(v)) return 0n;
    const low = isSigned ? -(2 ** (bits - 1)) : 0;
    const high = isSigned ? 2 ** (bits - 1) : 2 ** bits;
    if (v <= low) return wrapTo(bits, BigInt(low));
    if (v >= high) return wrapTo(bits, BigInt(high) - 1n);
    return wrapTo(bits, BigInt(Math.trunc(v)));
  };

/** A 64-bit integer as the nearest f32: through f64 it would round twice, so the lost bits become a sticky one. */
function integerToFloat(bits: 32 | 64, v: bigint): bigint {
  if (bits === 64) return patternOf(64, Number(v));
  const magnitude = v < 0n ? -v : v;
  const excess = BigInt(Math.max(0, magnitude.toString(2).length - 40));
  const sticky = (magnitude & ((1n << excess) - 1n)) !== 0n ? 1n : 0n;
  const reduced = Number(((magnitude >> excess) | sticky) << excess);
  return patternOf(32, v < 0n ? -reduced : reduced);
}

/** Every pure op that computes from its operands alone: the reference for evaluator and constant folding. */
export const SEMANTICS: Partial<Record<Op, Semantics>> = {
  add: (n, a, b) => wrapTo(n, a + b),
  sub: (n, a, b) => wrapTo(n, a - b),
  mul: (n, a, b) => wrapTo(n, a * b),
  div_s: quotient,
  div_u: (_, a, b) => a / divisor(b),
  rem_s: remainder,
  rem_u: (_, a, b) => a % divisor(b),
  mulh_s: (n, a, b) => wrapTo(n, (signed(n, a) * signed(n, b)) >> BigInt(n)),
  mulh_u: (n, a, b) => (a * b) >> BigInt(n),
  mulh_su: (n, a, b) => wrapTo(n, (signed(n, a) * b) >> BigInt(n)),
  and: (_, a, b) => a & b,
  or: (_, a, b) => a | b,
  xor: (_, a, b) => a ^ b,
  shl: (n, a, b) => wrapTo(n, a << count(n, b)),
  shr_s: (n, a, b) => wrapTo(n, signed(n, a) >> count(n, b)),
  shr_u: (n, a, b) => a >> count(n, b),
  rotl: (n, a, b) => wrapTo(n, (a << count(n, b)) | (a >> (BigInt(n) - count(n, b)))),
  rotr: (n, a, b) => wrapTo(n, (a >> count(n, b)) | (a << (BigInt(n) - count(n, b)))),
  clz: leadingZeros,
  ctz: trailingZeros,
  popcnt: (_, a) => ones(a),
  bswap: swapBytes,
  extend8_s: (n, a) => wrapTo(n, signed(8, a)),
  extend16_s: (n, a) => wrapTo(n, signed(16, a)),
  extend32_s: (n, a) => wrapTo(n, signed(32, a)),
  extend32_u: (_, a) => a & 0xffffffffn,
  eqz: (_, a) => bool(a === 0n),
  eq: (_, a, b) => bool(a === b),
  ne: (_, a, b) => bool(a !== b),
  lt_s: (n, a, b) => bool(signed(n, a) < signed(n, b)),
  lt_u: (_, a, b) => bool(a < b),
  le_s: (n, a, b) => bool(signed(n, a) <= signed(n, b)),
  le_u: (_, a, b) => bool(a <= b),
  gt_s: (n, a, b) => bool(signed(n, a) > signed(n, b)),
  gt_u: (_, a, b) => bool(a > b),
  ge_s: (n, a, b) => bool(signed(n, a) >= signed(n, b)),
  ge_u: (_, a, b) => bool(a >= b),
  select: (_, c, a, b) => (c !== 0n ? a : b),

  wrap: (_, a) => a & 0xffffffffn,
  extend_s: (_, a) => wrapTo(64, signed(32, a)),
  extend_u: (_, a) => a,
  bits_f32: (_, a) => a,
  bits_f64: (_, a) => a,
  f32_bits: (_, a) => a,
  f64_bits: (_, a) => a,
  promote: (_, a) => patternOf(64, floatOf(32, a)),
  demote: (_, a) => patternOf(32, floatOf(64, a)),
  convert_i32_s: (n, a) => integerToFloat(n, signed(32, a)),
  convert_i32_u: (n, a) => integerToFloat(n, a),
  convert_i64_s: (n, a) => integerToFloat(n, signed(64, a)),
  convert_i64_u: (n, a) => integerToFloat(n, a),
  trunc_f32_s: truncate(32, true),
  trunc_f32_u: truncate(32, false),
  trunc_f64_s: truncate(64, true),
  trunc_f64_u: truncate(64, false),

  // One operation in f64 rounded to f32 equals the f32 operation for these (53 >= 2 * 24 + 2).
  fadd: float2((a, b) => a + b),
  fsub: float2((a, b) => a - b),
  fmul: float2((a, b) => a * b),
  fdiv: float2((a, b) => a / b),
  fsqrt: float1(Math.sqrt),
  fabs: (n, a) => a & ((1n << BigInt(n - 1)) - 1n),
  fneg: (n, a) => a ^ (1n << BigInt(n - 1)),
  fnearest: float1(nearest),
  ftrunc: float1(Math.trunc),
  ffloor: float1(Math.floor),
  fceil: float1(Math.ceil),
  fma: (n, a, b, c) => fusedMultiplyAdd(n, a, b, c),
  feq: floatCompare((a, b) => a === b),
  flt: floatCompare((a, b) => a < b),
  fle: floatCompare((a, b) => a <= b),
};
