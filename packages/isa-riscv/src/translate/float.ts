import { OPTION } from '@polyvisor/softfloat/flags';
import { ENV, type Builder, type HelperDef, type Op, type Operand, type Value } from '@polyvisor/tcg';
import { SOFTFLOAT, type IntegerFormat } from '../helpers.ts';
import { F, X } from '../state.ts';
import { access, address } from './base.ts';
import {
  boxed,
  DYNAMIC_ROUNDING,
  F32,
  F64,
  inexactIsSticky,
  isFinite,
  isSafe,
  negated,
  ordered,
  RNE,
  RTZ,
  STATIC_ROUNDING,
  status,
  toBits,
  toFloat,
  type FloatFormat,
  type Rounding,
  type StoredFormat,
} from './float-format.ts';
import type { Operands, Translate, Translations } from './translation.ts';

/** An instruction with a rounding mode. */
export type Rounded = (rounding: Rounding) => Translate;
/** A row of a table of translations. */
export type Entry = readonly [name: string, translate: Translate];

/** Both definitions of an instruction with a rounding mode. */
export const rounded = (name: string, make: Rounded): Entry[] => [
  [name, make(STATIC_ROUNDING)],
  [`${name}.dyn`, make(DYNAMIC_ROUNDING)],
];

type Safe = (b: Builder, format: FloatFormat, bits: Value) => Value;

/** To nearest, and inexact already raised: the host's operation is right wherever its result is safe. */
const nearestSticky = (b: Builder, mode: Value): Value =>
  b.op('and', 'i32', b.op('eqz', 'i32', mode), inexactIsSticky(b));

/** The host's result where it is provably right, else softfloat's. */
function hostOrSoft(
  b: Builder,
  o: Operands,
  format: FloatFormat,
  rounding: Rounding,
  host: { readonly bits: Value; readonly usable: (mode: Value) => Value },
  soft: (mode: Value) => Value,
): void {
  const mode = rounding.mode(b, o.rm);
  b.if(
    host.usable(mode),
    () => format.put(b, o.fd, host.bits),
    () => {
      rounding.check(b, mode);
      format.put(b, o.fd, soft(mode));
    },
  );
}

const binary =
  (format: FloatFormat, op: Op, helper: HelperDef, safe: Safe): Rounded =>
  (rounding) =>
  (b, o) => {
    const x = format.get(b, o.fs1);
    const y = format.get(b, o.fs2);
    const bits = toBits(b, format, b.op(op, format.name, toFloat(b, format, x), toFloat(b, format, y)));
    const usable = (mode: Value): Value => b.op('and', 'i32', nearestSticky(b, mode), safe(b, format, bits));
    hostOrSoft(b, o, format, rounding, { bits, usable }, (mode) => b.call(helper, status(b), x, y, mode));
  };

const squareRoot =
  (format: FloatFormat): Rounded =>
  (rounding) =>
  (b, o) => {
    const x = format.get(b, o.fs1);
    const bits = toBits(b, format, b.op('fsqrt', format.name, toFloat(b, format, x)));
    // A root is never tiny.
    const usable = (mode: Value): Value =>
      b.op('and', 'i32', nearestSticky(b, mode), isFinite(b, format, bits));
    const helper = SOFTFLOAT[format.name].sqrt;
    hostOrSoft(b, o, format, rounding, { bits, usable }, (mode) => b.call(helper, status(b), x, mode));
  };

const fused =
  (format: FloatFormat, negateProduct: boolean, negateAddend: boolean): Rounded =>
  (rounding) =>
  (b, o) => {
    const first = format.get(b, o.fs1);
    const x = negateProduct ? negated(b, format, first) : first;
    const y = format.get(b, o.fs2);
    const last = format.get(b, o.fs3);
    const z = negateAddend ? negated(b, format, last) : last;
    const floats = [x, y, z].map((bits) => toFloat(b, format, bits));
    const bits = toBits(b, format, b.op('fma', format.name, ...floats));
    const usable = (mode: Value): Value => {
      const options = b.loadEnv('i32', ENV.fpOptions);
      const hostFuses = b.op(
        'ne',
        'i32',
        b.op('and', 'i32', options, b.i32(OPTION.HOST_FMA_FUSED)),
        b.i32(0),
      );
      return b.op(
        'and',
        'i32',
        b.op('and', 'i32', nearestSticky(b, mode), hostFuses),
        isSafe(b, format, bits),
      );
    };
    const helper = SOFTFLOAT[format.name].fma;
    hostOrSoft(b, o, format, rounding, { bits, usable }, (mode) => b.call(helper, status(b), x, y, z, mode));
  };

/** fsgnj and its like: `sign` picks the bits whose topmost is the result's sign. */
const signInjection =
  (format: StoredFormat, sign: (b: Builder, x: Value, y: Value) => Value): Translate =>
  (b, o) => {
    const x = format.get(b, o.fs1);
    const others = b.op('and', format.bits, x, b.const(format.bits, format.magnitude));
    const chosen = b.op(
      'and',
      format.bits,
      sign(b, x, format.get(b, o.fs2)),
      b.const(format.bits, format.signBit),
    );
    format.put(b, o.fd, b.op('or', format.bits, others, chosen));
  };

/** fmin, fmax: of zeros, -0 is the smaller; so equal operands are combined by bits. */
const extremum =
  (format: FloatFormat, largest: boolean): Translate =>
  (b, o) => {
    const [x, y] = [format.get(b, o.fs1), format.get(b, o.fs2)];
    const [fx, fy] = [toFloat(b, format, x), toFloat(b, format, y)];
    const helper = SOFTFLOAT[format.name][largest ? 'max' : 'min'];
    b.if(
      ordered(b, format, fx, fy),
      () => {
        const first = largest ? b.op('flt', format.name, fy, fx) : b.op('flt', format.name, fx, fy);
        const different = b.select(format.bits, first, x, y);
        const combined = b.op(largest ? 'and' : 'or', format.bits, x, y);
        format.put(b, o.fd, b.select(format.bits, b.op('feq', format.name, fx, fy), combined, different));
      },
      () => format.put(b, o.fd, b.call(helper, status(b), x, y)),
    );
  };

const compare =
  (format: FloatFormat, op: 'feq' | 'flt' | 'fle', helper: HelperDef): Translate =>
  (b, o) => {
    const [x, y] = [format.get(b, o.fs1), format.get(b, o.fs2)];
    const [fx, fy] = [toFloat(b, format, x), toFloat(b, format, y)];
    const flag = (value: Value): Value => b.op('extend_u', 'i64', value);
    b.if(
      ordered(b, format, fx, fy),
      () => b.put(X, o.rd, flag(b.op(op, format.name, fx, fy))),
      () => b.put(X, o.rd, flag(b.call(helper, status(b), x, y))),
    );
  };

const classify =
  (format: StoredFormat): Translate =>
  (b, o) => {
    const value = b.call(SOFTFLOAT[format.name].classify, status(b), format.get(b, o.fs1));
    b.put(X, o.rd, b.op('extend_u', 'i64', value));
  };

// --- conversions

/** An integer format and the values that fit it. */
export interface IntegerKind {
  readonly type: 'i32' | 'i64';
  readonly signed: boolean;
  /** A value between these, themselves excluded, truncates into range. */
  readonly below: number;
  readonly above: number;
}

/** What fcvt converts from and to. */
export const INTEGERS: Readonly<Record<IntegerFormat, IntegerKind>> = {
  i32: { type: 'i32', signed: true, below: -2147483649, above: 2147483648 },
  u32: { type: 'i32', signed: false, below: -1, above: 4294967296 },
  // -2^63 itself is in range, but no f64 lies just below it: it goes the slow way.
  i64: { type: 'i64', signed: true, below: -9223372036854777856, above: 9223372036854775808 },
  u64: { type: 'i64', signed: false, below: -1, above: 18446744073709551616 },
};

const scratch = new DataView(new ArrayBuffer(8));
const f64Const = (b: Builder, value: number): Value => {
  scratch.setFloat64(0, value);
  return b.const('f64', scratch.getBigUint64(0));
};

/** Results in 32 bits, also unsigned ones, are sign-extended. */
export const putInteger = (b: Builder, register: Operand, kind: IntegerKind, value: Value): void =>
  b.put(X, register, kind.type === 'i32' ? b.op('extend_s', 'i64', value) : value);

/** Float to integer: inline where in range and either integral, or truncated with inexact already raised. */
const toInteger =
  (format: FloatFormat, integer: IntegerFormat): Rounded =>
  (rounding) =>
  (b, o) => {
    const kind = INTEGERS[integer];
    const sign = kind.signed ? 's' : 'u';
    const bits = format.get(b, o.fs1);
    const float = toFloat(b, format, bits);
    const wide = format.name === 'f32' ? b.op('promote', 'f64', float) : float;
    const value = b.op(`trunc_f64_${sign}`, kind.type, wide);
    const mode = rounding.mode(b, o.rm);

    const inRange = b.op(
      'and',
      'i32',
      b.op('flt', 'f64', f64Const(b, kind.below), wide),
      b.op('flt', 'f64', wide, f64Const(b, kind.above)),
    );
    const integral = b.op('feq', 'f64', b.op('ftrunc', 'f64', wide), wide);
    const valid = b.op('le_u', 'i32', mode, b.i32(4));
    const truncates = b.op('and', 'i32', b.op('eq', 'i32', mode, b.i32(RTZ)), inexactIsSticky(b));
    const agreed = b.op('or', 'i32', b.op('and', 'i32', integral, valid), truncates);
    b.if(
      b.op('and', 'i32', inRange, agreed),
      () => putInteger(b, o.rd, kind, value),
      () => {
        rounding.check(b, mode);
        putInteger(b, o.rd, kind, b.call(SOFTFLOAT[format.name].to[integer], status(b), bits, mode));
      },
    );
  };

/** Whether every value of the integer format is one of the float format. */
const isExact = (format: FloatFormat, integer: IntegerFormat): boolean =>
  format.name === 'f64' && INTEGERS[integer].type === 'i32';

const fromInteger =
  (format: FloatFormat, integer: IntegerFormat): Rounded =>
  (rounding) =>
  (b, o) => {
    const kind = INTEGERS[integer];
    const whole = b.get(X, o.rs1);
    const value = kind.type === 'i32' ? b.op('wrap', 'i32', whole) : whole;
    const op: Op = `convert_${kind.type}_${kind.signed ? 's' : 'u'}`;
    const bits = toBits(b, format, b.op(op, format.name, value));
    const mode = rounding.mode(b, o.rm);
    if (isExact(format, integer)) {
      rounding.check(b, mode);
      format.put(b, o.fd, bits);
      return;
    }
    const usable = (m: Value): Value => nearestSticky(b, m);
    const helper = SOFTFLOAT[format.name].from[integer];
    hostOrSoft(b, o, format, rounding, { bits, usable }, (m) => b.call(helper, status(b), value, m));
  };

const narrow: Rounded = (rounding) => (b, o) => {
  const x = F64.get(b, o.fs1);
  const bits = toBits(b, F32, b.op('demote', 'f32', toFloat(b, F64, x)));
  const usable = (mode: Value): Value => b.op('and', 'i32', nearestSticky(b, mode), isSafe(b, F32, bits));
  hostOrSoft(b, o, F32, rounding, { bits, usable }, (mode) => b.call(SOFTFLOAT.narrow, status(b), x, mode));
};

const widen: Rounded = (rounding) => (b, o) => {
  const x = F32.get(b, o.fs1);
  const float = toFloat(b, F32, x);
  const bits = toBits(b, F64, b.op('promote', 'f64', float));
  rounding.check(b, rounding.mode(b, o.rm));
  b.if(
    b.op('feq', 'f32', float, float),
    () => F64.put(b, o.fd, bits),
    () => F64.put(b, o.fd, b.call(SOFTFLOAT.widen, status(b), x, b.i32(RNE))),
  );
};

/** How instructions call the integer formats. */
export const INTEGER_SUFFIXES: readonly (readonly [suffix: string, integer: IntegerFormat])[] = [
  ['w', 'i32'],
  ['wu', 'u32'],
  ['l', 'i64'],
  ['lu', 'u64'],
];

/** What works on bits alone, in any format. */
export const ofBits = (s: 'h' | 's' | 'd', format: StoredFormat): Entry[] => [
  [`fsgnj.${s}`, signInjection(format, (_b, _x, y) => y)],
  [`fsgnjn.${s}`, signInjection(format, (b, _x, y) => negated(b, format, y))],
  [`fsgnjx.${s}`, signInjection(format, (b, x, y) => b.op('xor', format.bits, x, y))],
  [`fclass.${s}`, classify(format)],
];

const ofFormat = (s: 's' | 'd', format: FloatFormat): Entry[] => {
  const soft = SOFTFLOAT[format.name];
  return [
    // Sums and differences that are tiny are exact.
    ...rounded(`fadd.${s}`, binary(format, 'fadd', soft.add, isFinite)),
    ...rounded(`fsub.${s}`, binary(format, 'fsub', soft.sub, isFinite)),
    ...rounded(`fmul.${s}`, binary(format, 'fmul', soft.mul, isSafe)),
    ...rounded(`fdiv.${s}`, binary(format, 'fdiv', soft.div, isSafe)),
    ...rounded(`fsqrt.${s}`, squareRoot(format)),
    ...rounded(`fmadd.${s}`, fused(format, false, false)),
    ...rounded(`fmsub.${s}`, fused(format, false, true)),
    ...rounded(`fnmsub.${s}`, fused(format, true, false)),
    ...rounded(`fnmadd.${s}`, fused(format, true, true)),
    ...ofBits(s, format),
    [`fmin.${s}`, extremum(format, false)],
    [`fmax.${s}`, extremum(format, true)],
    [`feq.${s}`, compare(format, 'feq', soft.eq)],
    [`flt.${s}`, compare(format, 'flt', soft.lt)],
    [`fle.${s}`, compare(format, 'fle', soft.le)],
    ...INTEGER_SUFFIXES.flatMap(([suffix, integer]) => [
      ...rounded(`fcvt.${suffix}.${s}`, toInteger(format, integer)),
      ...rounded(`fcvt.${s}.${suffix}`, fromInteger(format, integer)),
    ]),
  ];
};

/** F and D. All arithmetic is out of the interpreter's main loop; loads, stores and moves are in it. */
const ENTRIES: readonly Entry[] = [
  ['flw', (b, o) => b.put(F, o.fd, boxed(b, 'f32', b.load('i64', access(4, false), address(b, o))))],
  ['fsw', (b, o) => b.store('i64', access(4, false), address(b, o), b.get(F, o.fs2))],
  ['fld', (b, o) => b.put(F, o.fd, b.load('i64', access(8, false), address(b, o)))],
  ['fsd', (b, o) => b.store('i64', access(8, false), address(b, o), b.get(F, o.fs2))],
  ['fmv.x.w', (b, o) => b.put(X, o.rd, b.op('extend32_s', 'i64', b.get(F, o.fs1)))],
  ['fmv.x.d', (b, o) => b.put(X, o.rd, b.get(F, o.fs1))],
  ['fmv.w.x', (b, o) => b.put(F, o.fd, boxed(b, 'f32', b.get(X, o.rs1)))],
  ['fmv.d.x', (b, o) => b.put(F, o.fd, b.get(X, o.rs1))],
  ...ofFormat('s', F32),
  ...ofFormat('d', F64),
  ...rounded('fcvt.s.d', narrow),
  ...rounded('fcvt.d.s', widen),
];

const IN_MAIN_LOOP = new Set(['flw', 'fsw', 'fld', 'fsd', 'fmv.x.d', 'fmv.d.x']);

/** RV64F and RV64D, apart from what `requireFp` emits before each. */
export const FLOAT_TRANSLATIONS: Translations = {
  cold: ENTRIES.map(([name]) => name).filter((name) => !IN_MAIN_LOOP.has(name)),
  translate: Object.fromEntries(ENTRIES),
};
