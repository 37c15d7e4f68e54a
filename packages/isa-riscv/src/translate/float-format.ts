import { ENV, type Builder, type Op, type Operand, type Value } from '@polyvisor/tcg';
import { HELPERS } from '../helpers.ts';
import { CAUSE } from '../mode.ts';
import { F, stateOffset } from '../state.ts';

/** A floating-point format as registers hold it. Values pass between translations as bits, zero-extended. */
export interface StoredFormat {
  readonly name: 'f16' | 'f32' | 'f64';
  readonly bits: 'i32' | 'i64';
  readonly signBit: bigint;
  readonly magnitude: bigint;
  /** Register as bits; what is narrower than the register and not NaN-boxed counts as the default NaN. */
  readonly get: (b: Builder, register: Operand) => Value;
  readonly put: (b: Builder, register: Operand, bits: Value) => void;
}

/** A format that the host calculates in. */
export interface FloatFormat extends StoredFormat {
  readonly name: 'f32' | 'f64';
  readonly infinity: bigint;
  readonly smallestNormal: bigint;
}

/** What stands above a boxed half or single. */
const UPPER_ONES = { f16: 0xffffffffffff0000n, f32: 0xffffffff00000000n } as const;
type Boxed = keyof typeof UPPER_ONES;

/** Bits of a narrow format (in an i64, anything above them) as a register holds them. */
export const boxed = (b: Builder, format: Boxed, bits: Value): Value =>
  b.op('or', 'i64', bits, b.i64(UPPER_ONES[format]));

/** Low bits of a register, or the default NaN where it isn't boxed. */
function unboxed(
  b: Builder,
  register: Operand,
  format: Boxed,
  low: (word: Value) => Value,
  nan: number,
): Value {
  const whole = b.get(F, register);
  const isBoxed = b.op('ge_u', 'i64', whole, b.i64(UPPER_ONES[format]));
  return b.select('i32', isBoxed, low(b.op('wrap', 'i32', whole)), b.i32(nan));
}

const putBoxed =
  (format: Boxed): StoredFormat['put'] =>
  (b, register, bits) =>
    b.put(F, register, boxed(b, format, b.op('extend_u', 'i64', bits)));

export const F16: StoredFormat = {
  name: 'f16',
  bits: 'i32',
  signBit: 1n << 15n,
  magnitude: (1n << 15n) - 1n,
  get: (b, register) =>
    unboxed(b, register, 'f16', (word) => b.op('and', 'i32', word, b.i32(0xffff)), 0x7e00),
  put: putBoxed('f16'),
};

export const F32: FloatFormat = {
  name: 'f32',
  bits: 'i32',
  signBit: 1n << 31n,
  magnitude: (1n << 31n) - 1n,
  infinity: 0x7f800000n,
  smallestNormal: 0x00800000n,
  get: (b, register) => unboxed(b, register, 'f32', (word) => word, 0x7fc00000),
  put: putBoxed('f32'),
};

export const F64: FloatFormat = {
  name: 'f64',
  bits: 'i64',
  signBit: 1n << 63n,
  magnitude: (1n << 63n) - 1n,
  infinity: 0x7ff0000000000000n,
  smallestNormal: 0x0010000000000000n,
  get: (b, register) => b.get(F, register),
  put: (b, register, bits) => b.put(F, register, bits),
};

export const toFloat = (b: Builder, format: FloatFormat, bits: Value): Value =>
  b.op(`bits_${format.name}`, format.name, bits);
export const toBits = (b: Builder, format: FloatFormat, float: Value): Value =>
  b.op(`${format.name}_bits` as Op, format.bits, float);

const magnitude = (b: Builder, format: FloatFormat, bits: Value): Value =>
  b.op('and', format.bits, bits, b.const(format.bits, format.magnitude));

/** Neither infinite nor a NaN. */
export const isFinite = (b: Builder, format: FloatFormat, bits: Value): Value =>
  b.op('lt_u', format.bits, magnitude(b, format, bits), b.const(format.bits, format.infinity));

/**
 * Finite and above the smallest normal: such a result stems from no invalid operation, division by zero,
 * overflow or tiny value, so that inexact is the only flag that it may have raised.
 */
export const isSafe = (b: Builder, format: FloatFormat, bits: Value): Value => {
  const least = b.const(format.bits, format.smallestNormal + 1n);
  const range = b.const(format.bits, format.infinity - format.smallestNormal - 1n);
  return b.op('lt_u', format.bits, b.op('sub', format.bits, magnitude(b, format, bits), least), range);
};

/** Neither operand is a NaN. */
export const ordered = (b: Builder, format: FloatFormat, x: Value, y: Value): Value =>
  b.op('and', 'i32', b.op('feq', format.name, x, x), b.op('feq', format.name, y, y));

export const negated = (b: Builder, format: StoredFormat, bits: Value): Value =>
  b.op('xor', format.bits, bits, b.const(format.bits, format.signBit));

const FRM = stateOffset('frm');
const LAST_ROUNDING_MODE = 4;

/** Rounding modes, as instructions and frm number them. */
export const RNE = 0;
export const RTZ = 1;

/** Address of the status block that softfloat's functions take. */
export const status = (b: Builder): Value => b.op('add', 'i32', b.env(), b.i32(ENV.fpFlags));

/** Not 0 when the inexact flag is already set, so that nobody can tell whether an operation raises it. */
export const inexactIsSticky = (b: Builder): Value =>
  b.op('and', 'i32', b.loadEnv('i32', ENV.fpFlags), b.i32(1));

/** Where an instruction's rounding mode comes from: its own operand, or frm, which may hold a reserved one. */
export interface Rounding {
  readonly mode: (b: Builder, operand: Operand) => Value;
  /** Raises illegal instruction for a reserved mode. */
  readonly check: (b: Builder, mode: Value) => void;
}

export const STATIC_ROUNDING: Rounding = { mode: (b, operand) => b.imm(operand, 'i32'), check: () => {} };

export const DYNAMIC_ROUNDING: Rounding = {
  mode: (b) => b.loadEnv('i32', FRM),
  check: (b, mode) =>
    b.if(b.op('gt_u', 'i32', mode, b.i32(LAST_ROUNDING_MODE)), () =>
      b.callVoid(HELPERS.raise, b.env(), b.i32(CAUSE.illegalInstruction), b.i64(0)),
    ),
};
