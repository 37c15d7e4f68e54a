import type { Builder, Op, Value } from '@polyvisor/tcg';
import { X } from '../state.ts';
import { extended, registers, word, words } from './base.ts';
import type { Translate, Translations } from './translation.ts';

type Int = 'i32' | 'i64';

const isZero = (b: Builder, type: Int, value: Value): Value => b.op('eqz', type, value);

/**
 * A divisor that the host can divide by: 1 in place of 0 (the caller selects the result) and, signed, in place
 * of -1 when the dividend is the smallest number, which gives the results that the ISA asks for on overflow.
 */
function safeDivisor(b: Builder, type: Int, signed: boolean, dividend: Value, divisor: Value): Value {
  const zero = isZero(b, type, divisor);
  if (!signed) return b.select(type, zero, b.const(type, 1), divisor);
  const smallest = b.const(type, type === 'i32' ? -(1n << 31n) : -(1n << 63n));
  const overflow = b.op(
    'and',
    'i32',
    b.op('eq', type, dividend, smallest),
    b.op('eq', type, divisor, b.const(type, -1)),
  );
  return b.select(type, b.op('or', 'i32', zero, overflow), b.const(type, 1), divisor);
}

function quotient(b: Builder, type: Int, op: 'div_s' | 'div_u', dividend: Value, divisor: Value): Value {
  const result = b.op(op, type, dividend, safeDivisor(b, type, op === 'div_s', dividend, divisor));
  return b.select(type, isZero(b, type, divisor), b.const(type, -1), result);
}

function remainder(b: Builder, type: Int, op: 'rem_s' | 'rem_u', dividend: Value, divisor: Value): Value {
  const result = b.op(op, type, dividend, safeDivisor(b, type, op === 'rem_s', dividend, divisor));
  return b.select(type, isZero(b, type, divisor), dividend, result);
}

type Divide<O extends Op> = (b: Builder, type: Int, op: O, dividend: Value, divisor: Value) => Value;

const long =
  <O extends Op>(divide: Divide<O>, op: O): Translate =>
  (b, o) =>
    b.put(X, o.rd, divide(b, 'i64', op, b.get(X, o.rs1), b.get(X, o.rs2)));

const short =
  <O extends Op>(divide: Divide<O>, op: O): Translate =>
  (b, o) =>
    b.put(X, o.rd, extended(b, divide(b, 'i32', op, word(b, o.rs1), word(b, o.rs2))));

/** RV64M. */
export const MULTIPLY_TRANSLATIONS: Translations = {
  cold: ['mulh', 'mulhsu', 'rem', 'remw', 'div', 'divw'],
  translate: {
    mul: registers('mul'),
    mulh: registers('mulh_s'),
    mulhsu: registers('mulh_su'),
    mulhu: registers('mulh_u'),
    mulw: words('mul'),
    div: long(quotient, 'div_s'),
    divu: long(quotient, 'div_u'),
    rem: long(remainder, 'rem_s'),
    remu: long(remainder, 'rem_u'),
    divw: short(quotient, 'div_s'),
    divuw: short(quotient, 'div_u'),
    remw: short(remainder, 'rem_s'),
    remuw: short(remainder, 'rem_u'),
  },
};
