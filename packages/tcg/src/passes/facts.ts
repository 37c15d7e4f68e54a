import { PAGE_SIZE } from '../env.ts';
import type { Inst } from '../ir/ir.ts';
import { opRow, type Op } from '../ir/ops.ts';

/**
 * What is known of each value of a block, in arrays indexed by value: constants, bits known to be zero, and how many
 * of the top bits are copies of the sign bit. 64-bit masks are kept as two int32 halves: no BigInt, no allocation.
 * For i32 values the high half of a constant is its sign extension, and the high half of `zero` is all ones.
 */
export class Facts {
  /** Outside interpreter handlers: `pc` values are known within their page, and their distances from each other. */
  placed = false;
  /** 1 for integer constants. */
  constant = new Uint8Array(256);
  low = new Int32Array(256);
  high = new Int32Array(256);
  zeroLow = new Int32Array(256);
  zeroHigh = new Int32Array(256);
  private sign = new Uint8Array(256);
  private wide = new Uint8Array(256);

  private grow(): void {
    const length = this.constant.length * 2;
    const bytes = (old: Uint8Array): Uint8Array<ArrayBuffer> => {
      const n = new Uint8Array(length);
      n.set(old);
      return n;
    };
    const words = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const n = new Int32Array(length);
      n.set(old);
      return n;
    };
    this.constant = bytes(this.constant);
    this.sign = bytes(this.sign);
    this.wide = bytes(this.wide);
    this.low = words(this.low);
    this.high = words(this.high);
    this.zeroLow = words(this.zeroLow);
    this.zeroHigh = words(this.zeroHigh);
  }

  /** How many top bits equal the sign bit, itself included: at least 1, at most the width. */
  signBits(v: number): number {
    const zeros =
      (this.wide[v] as number) === 0
        ? Math.clz32(~(this.zeroLow[v] as number))
        : (this.zeroHigh[v] as number) === -1
          ? 32 + Math.clz32(~(this.zeroLow[v] as number))
          : Math.clz32(~(this.zeroHigh[v] as number));
    return Math.max(zeros, this.sign[v] as number);
  }

  /** Whether the value is the constant `n` (sign-extended). */
  is(v: number, n: number): boolean {
    return this.constant[v] === 1 && this.low[v] === n && this.high[v] === n >> 31;
  }

  /** Whether the value is 0 or 1. */
  isBoolean(v: number): boolean {
    return ((this.zeroLow[v] as number) | 1) === -1 && this.zeroHigh[v] === -1;
  }

  /** A constant shift count below `bits`, else -1. */
  shift(v: number, bits: number): number {
    return this.constant[v] === 1 ? (this.low[v] as number) & (bits - 1) : -1;
  }

  /** Derives what is known of value `v`, which `inst` makes. Operands are known already. */
  learn(v: number, inst: Inst): void {
    if (v >= this.constant.length) this.grow();
    const row = opRow(inst.op);
    const wide = row.result === 'T' ? inst.type === 'i64' : false;
    this.constant[v] = 0;
    this.sign[v] = 1;
    this.wide[v] = wide ? 1 : 0;
    this.zeroLow[v] = 0;
    this.zeroHigh[v] = wide ? 0 : -1;
    if (row.result === 'i32' && row.effect === 'pure' && inst.op !== 'env') this.zeroLow[v] = -2;
    else LEARN[inst.op]?.(this, v, inst);
  }

  /** Sets the bits known to be zero. */
  setZero(v: number, low: number, high: number): void {
    this.zeroLow[v] = low;
    this.zeroHigh[v] = this.wide[v] === 1 ? high : -1;
  }
  setSign(v: number, bits: number): void {
    this.sign[v] = Math.max(1, bits);
  }
  width(v: number): 32 | 64 {
    return this.wide[v] === 1 ? 64 : 32;
  }
}

const PAGE_MASK = BigInt(PAGE_SIZE - 1);

type Learn = (f: Facts, v: number, inst: Inst) => void;

const arg = (inst: Inst, i: number): number => inst.args[i] as number;
/** How many low bits are known to be zero. */
const lowZeros = (f: Facts, v: number): number => {
  const low = f.zeroLow[v] as number;
  return low === -1 ? 32 + bitIndex(~(f.zeroHigh[v] as number)) : bitIndex(~low);
};
/** Index of the lowest set bit; 32 for none. */
const bitIndex = (x: number): number => (x === 0 ? 32 : 31 - Math.clz32(x & -x));

/** A half with its `n` low bits set. */
const lowMask = (n: number): number => (n >= 32 ? -1 : (1 << n) - 1);

/** Value of `bytes` bytes, extended: to what a load gives. */
const narrow = (f: Facts, v: number, bytes: number, signed: boolean): void => {
  const bits = bytes * 8;
  const width = f.width(v);
  if (bits >= width) return;
  if (signed) f.setSign(v, width - bits + 1);
  else if (bits === 32) f.setZero(v, 0, -1);
  else f.setZero(v, -1 << bits, -1);
};

const extend =
  (bits: number): Learn =>
  (f, v, inst) =>
    f.setSign(v, Math.max(f.width(v) - bits + 1, f.signBits(arg(inst, 0))));

const sum: Learn = (f, v, inst) => {
  const [a, b] = [arg(inst, 0), arg(inst, 1)];
  f.setSign(v, Math.min(f.signBits(a), f.signBits(b)) - 1);
  // Low bits that are zero in both stay zero: alignment of addresses.
  const zeros = Math.min(lowZeros(f, a), lowZeros(f, b));
  if (zeros > 0) f.setZero(v, lowMask(zeros), lowMask(Math.max(0, zeros - 32)));
};

const LEARN: Partial<Record<Op, Learn>> = {
  const: (f, v, inst) => {
    if (inst.type !== 'i32' && inst.type !== 'i64') return;
    const imm = inst.imm as bigint;
    f.constant[v] = 1;
    // Most constants are small: the quick way first.
    const low = imm <= 0x7fffffffn ? Number(imm) : Number(BigInt.asIntN(32, imm));
    const high =
      inst.type === 'i32' ? low >> 31 : imm <= 0x7fffffffn ? 0 : Number(BigInt.asIntN(32, imm >> 32n));
    f.low[v] = low;
    f.high[v] = high;
    f.setZero(v, ~low, ~high);
    if (high === low >> 31 && inst.type === 'i64') f.setSign(v, 32 + Math.clz32(low < 0 ? ~low : low));
    else
      f.setSign(
        v,
        Math.clz32(high < 0 ? ~(inst.type === 'i32' ? low : high) : inst.type === 'i32' ? low : high),
      );
  },
  pc: (f, v, inst) => {
    if (f.placed) f.setZero(v, ~Number((inst.imm as bigint) & PAGE_MASK) & (PAGE_SIZE - 1), 0);
  },
  load: (f, v, inst) => narrow(f, v, inst.mem?.width ?? 8, inst.mem?.signed ?? false),
  atomic_rmw: (f, v, inst) => narrow(f, v, inst.mem?.width ?? 8, inst.mem?.signed ?? false),
  atomic_cas: (f, v, inst) => narrow(f, v, inst.mem?.width ?? 8, inst.mem?.signed ?? false),
  load_env: (f, v, inst) => narrow(f, v, inst.width ?? 8, false),
  add: sum,
  sub: sum,
  and: (f, v, inst) => {
    const [a, b] = [arg(inst, 0), arg(inst, 1)];
    f.setZero(
      v,
      (f.zeroLow[a] as number) | (f.zeroLow[b] as number),
      (f.zeroHigh[a] as number) | (f.zeroHigh[b] as number),
    );
    f.setSign(v, Math.min(f.signBits(a), f.signBits(b)));
  },
  or: (f, v, inst) => bothZero(f, v, inst),
  xor: (f, v, inst) => bothZero(f, v, inst),
  shl: (f, v, inst) => {
    const k = f.shift(arg(inst, 1), f.width(v));
    if (k < 0) return;
    const a = arg(inst, 0);
    f.setSign(v, f.signBits(a) - k);
    const [low, high] = [f.zeroLow[a] as number, f.zeroHigh[a] as number];
    if (k === 0) f.setZero(v, low, high);
    else if (k < 32) f.setZero(v, (low << k) | ((1 << k) - 1), (high << k) | (low >>> (32 - k)));
    else f.setZero(v, -1, k === 32 ? low : (low << (k - 32)) | ((1 << (k - 32)) - 1));
  },
  shr_u: (f, v, inst) => {
    const width = f.width(v);
    const k = f.shift(arg(inst, 1), width);
    if (k <= 0) return;
    const a = arg(inst, 0);
    const [low, high] = [f.zeroLow[a] as number, f.zeroHigh[a] as number];
    const top = k === 32 ? 0 : -1 << (32 - (k & 31));
    if (width === 32) f.setZero(v, (low >>> k) | top, -1);
    else if (k < 32) f.setZero(v, (low >>> k) | (high << (32 - k)), (high >>> k) | top);
    else f.setZero(v, k === 32 ? high : (high >>> (k - 32)) | top, -1);
  },
  shr_s: (f, v, inst) => {
    const k = f.shift(arg(inst, 1), f.width(v));
    if (k >= 0) f.setSign(v, Math.min(f.width(v), f.signBits(arg(inst, 0)) + k));
  },
  clz: (f, v) => f.setZero(v, ~0x7f, -1),
  ctz: (f, v) => f.setZero(v, ~0x7f, -1),
  popcnt: (f, v) => f.setZero(v, ~0x7f, -1),
  extend8_s: extend(8),
  extend16_s: extend(16),
  extend32_s: extend(32),
  extend32_u: (f, v, inst) => f.setZero(v, f.zeroLow[arg(inst, 0)] as number, -1),
  select: (f, v, inst) => {
    const [a, b] = [arg(inst, 1), arg(inst, 2)];
    if (inst.type === 'f32' || inst.type === 'f64') return;
    f.setSign(v, Math.min(f.signBits(a), f.signBits(b)));
    f.setZero(
      v,
      (f.zeroLow[a] as number) & (f.zeroLow[b] as number),
      (f.zeroHigh[a] as number) & (f.zeroHigh[b] as number),
    );
  },
  wrap: (f, v, inst) => {
    f.setZero(v, f.zeroLow[arg(inst, 0)] as number, -1);
    f.setSign(v, f.signBits(arg(inst, 0)) - 32);
  },
  extend_s: (f, v, inst) => {
    const a = arg(inst, 0);
    const low = f.zeroLow[a] as number;
    f.setZero(v, low, low >> 31);
    f.setSign(v, 32 + f.signBits(a));
  },
  extend_u: (f, v, inst) => f.setZero(v, f.zeroLow[arg(inst, 0)] as number, -1),
};

function bothZero(f: Facts, v: number, inst: Inst): void {
  const [a, b] = [arg(inst, 0), arg(inst, 1)];
  f.setZero(
    v,
    (f.zeroLow[a] as number) & (f.zeroLow[b] as number),
    (f.zeroHigh[a] as number) & (f.zeroHigh[b] as number),
  );
  f.setSign(v, Math.min(f.signBits(a), f.signBits(b)));
}
