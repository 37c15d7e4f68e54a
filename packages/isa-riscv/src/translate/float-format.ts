import { ENV, type Builder, type Op, type Operand, type Value } from '@polyvisor/tcg';
import { HELPERS } from '../helpers.ts';
import { CAUSE } from '../mode.ts';
import { F, stateOffset } from '../state.ts';

/** A floating-point format as the translations see it. Values pass between them as bits. */
export interface FloatFormat {
  readonly name: 'f32' | 'f64';
  readonly bits: 'i32' | 'i64';
  readonly signBit: bigint;
  readonly magnitude: bigint;
  readonly infinity: bigint;
  readonly smallestNormal: bigint;
  /** Register as bits; a single that is not NaN-boxed counts as the default NaN. */
  readonly get: (b: Builder, register: Operand) => Value;
  readonly put: (b: Builder, register: Operand, bits: Value) => void;
}

const UPPER_ONES = 0xffffffff00000000n;

/** Bits of a single as a register holds them. */
export const boxed = (b: Builder, single: Value): Value =>
  b.op('or', 'i64', b.op('extend_u', 'i64', single), b.i64(UPPER_ONES));

export const F32: FloatFormat = {
  name: 'f32',
  bits: 'i32',
  signBit: 1n << 31n,
  magnitude: (1n << 31n) - 1n,
  infinity: 0x7f800000n,
  smallestNormal: 0x00800000n,
  get: (b, register) => {
    const whole = b.get(F, register);
    const isBoxed = b.op('ge_u', 'i64', whole, b.i64(UPPER_ONES));
    return b.select('i32', isBoxed, b.op('wrap', 'i32', whole), b.i32(0x7fc00000));
  },
  put: (b, register, bits) => b.put(F, register, boxed(b, bits)),
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

export const negated = (b: Builder, format: FloatFormat, bits: Value): Value =>
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
