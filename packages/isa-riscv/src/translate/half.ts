import type { Builder, HelperDef, Value } from '@polyvisor/tcg';
import { SOFTFLOAT, type IntegerFormat } from '../helpers.ts';
import { F, X } from '../state.ts';
import { access, address } from './base.ts';
import { boxed, F16, F32, F64, negated, status, type StoredFormat } from './float-format.ts';
import {
  INTEGER_SUFFIXES,
  INTEGERS,
  ofBits,
  putInteger,
  rounded,
  type Entry,
  type Rounded,
} from './float.ts';
import type { Translate, Translations } from './translation.ts';

const SOFT = SOFTFLOAT.f16;

type Source = 'fs1' | 'fs2' | 'fs3';

/** softfloat's function of some registers, in the instruction's rounding mode. */
const calculated =
  (helper: HelperDef, from: StoredFormat, to: StoredFormat, ...sources: Source[]): Rounded =>
  (rounding) =>
  (b, o) => {
    const operands = sources.map((source) => from.get(b, o[source]));
    const mode = rounding.mode(b, o.rm);
    rounding.check(b, mode);
    to.put(b, o.fd, b.call(helper, status(b), ...operands, mode));
  };

const arithmetic = (name: 'add' | 'sub' | 'mul' | 'div' | 'sqrt'): Entry[] => {
  const sources: Source[] = name === 'sqrt' ? ['fs1'] : ['fs1', 'fs2'];
  return rounded(`f${name}.h`, calculated(SOFT[name], F16, F16, ...sources));
};

const fused =
  (negateProduct: boolean, negateAddend: boolean): Rounded =>
  (rounding) =>
  (b, o) => {
    const signed = (negate: boolean, bits: Value): Value => (negate ? negated(b, F16, bits) : bits);
    const x = signed(negateProduct, F16.get(b, o.fs1));
    const y = F16.get(b, o.fs2);
    const z = signed(negateAddend, F16.get(b, o.fs3));
    const mode = rounding.mode(b, o.rm);
    rounding.check(b, mode);
    F16.put(b, o.fd, b.call(SOFT.fma, status(b), x, y, z, mode));
  };

const extremum =
  (helper: HelperDef): Translate =>
  (b, o) =>
    F16.put(b, o.fd, b.call(helper, status(b), F16.get(b, o.fs1), F16.get(b, o.fs2)));

const compare =
  (helper: HelperDef): Translate =>
  (b, o) => {
    const result = b.call(helper, status(b), F16.get(b, o.fs1), F16.get(b, o.fs2));
    b.put(X, o.rd, b.op('extend_u', 'i64', result));
  };

const toInteger =
  (integer: IntegerFormat): Rounded =>
  (rounding) =>
  (b, o) => {
    const mode = rounding.mode(b, o.rm);
    rounding.check(b, mode);
    const value = b.call(SOFT.to[integer], status(b), F16.get(b, o.fs1), mode);
    putInteger(b, o.rd, INTEGERS[integer], value);
  };

const fromInteger =
  (integer: IntegerFormat): Rounded =>
  (rounding) =>
  (b, o) => {
    const whole = b.get(X, o.rs1);
    const value = INTEGERS[integer].type === 'i32' ? b.op('wrap', 'i32', whole) : whole;
    const mode = rounding.mode(b, o.rm);
    rounding.check(b, mode);
    F16.put(b, o.fd, b.call(SOFT.from[integer], status(b), value, mode));
  };

const box = (b: Builder, bits: Value): Value => boxed(b, 'f16', bits);

/** Zfh, apart from what `requireFp` emits before each. softfloat's own way through f64 is short: nothing is inlined. */
export const HALF_TRANSLATIONS: Translations = {
  cold: 'all',
  translate: Object.fromEntries<Translate>([
    ['flh', (b, o) => b.put(F, o.fd, box(b, b.load('i64', access(2, false), address(b, o))))],
    ['fsh', (b, o) => b.store('i64', access(2, false), address(b, o), b.get(F, o.fs2))],
    ['fmv.x.h', (b, o) => b.put(X, o.rd, b.op('extend16_s', 'i64', b.get(F, o.fs1)))],
    ['fmv.h.x', (b, o) => b.put(F, o.fd, box(b, b.get(X, o.rs1)))],
    ...(['add', 'sub', 'mul', 'div', 'sqrt'] as const).flatMap(arithmetic),
    ...rounded('fmadd.h', fused(false, false)),
    ...rounded('fmsub.h', fused(false, true)),
    ...rounded('fnmsub.h', fused(true, false)),
    ...rounded('fnmadd.h', fused(true, true)),
    ...ofBits('h', F16),
    ['fmin.h', extremum(SOFT.min)],
    ['fmax.h', extremum(SOFT.max)],
    ['feq.h', compare(SOFT.eq)],
    ['flt.h', compare(SOFT.lt)],
    ['fle.h', compare(SOFT.le)],
    ...INTEGER_SUFFIXES.flatMap(([suffix, integer]) => [
      ...rounded(`fcvt.${suffix}.h`, toInteger(integer)),
      ...rounded(`fcvt.h.${suffix}`, fromInteger(integer)),
    ]),
    ...rounded('fcvt.s.h', calculated(SOFTFLOAT.half.toF32, F16, F32, 'fs1')),
    ...rounded('fcvt.d.h', calculated(SOFTFLOAT.half.toF64, F16, F64, 'fs1')),
    ...rounded('fcvt.h.s', calculated(SOFTFLOAT.half.fromF32, F32, F16, 'fs1')),
    ...rounded('fcvt.h.d', calculated(SOFTFLOAT.half.fromF64, F64, F16, 'fs1')),
  ]),
};
