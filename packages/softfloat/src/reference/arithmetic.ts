import { FLAG, ROUNDING } from '../flags.ts';
import { decode, encodeInfinity, encodeZero } from './format.ts';
import type { Datum, Format } from './format.ts';
import { invalid, isNaNDatum, propagate, propagateFma } from './nan.ts';
import { round } from './round.ts';
import type { ReferenceResult } from './round.ts';

type Finite = Extract<Datum, { kind: 'finite' }>;

function exact(bits: bigint): ReferenceResult {
  return { bits, flags: 0 };
}

/** The signed integer n with x = n * 2^unit; `unit` is at most x's exponent. */
function inUnits(x: Finite, unit: bigint): bigint {
  const magnitude = x.significand << (x.exponent - unit);
  return x.sign === 1n ? -magnitude : magnitude;
}

/** Rounds n * 2^unit; an exact zero takes `zeroSign`. */
function roundUnits(
  format: Format,
  options: number,
  rm: number,
  n: bigint,
  unit: bigint,
  zeroSign: bigint,
): ReferenceResult {
  if (n === 0n) return exact(encodeZero(format, zeroSign));
  const sign = n < 0n ? 1n : 0n;
  const magnitude = n < 0n ? -n : n;
  const ratio =
    unit >= 0n
      ? { numerator: magnitude << unit, denominator: 1n }
      : { numerator: magnitude, denominator: 1n << -unit };
  return round(format, options, rm, sign, ratio);
}

/** IEEE 754-2019, 6.3: the sign of x + y that is exactly zero. */
function zeroSumSign(rm: number, x: Finite, y: Finite): bigint {
  const bothZero = x.significand === 0n && y.significand === 0n;
  if (bothZero && x.sign === y.sign) return x.sign;
  return rm === ROUNDING.RDN ? 1n : 0n;
}

function sum(format: Format, options: number, rm: number, x: Datum, y: Datum): ReferenceResult {
  if (x.kind === 'infinity' && y.kind === 'infinity' && x.sign !== y.sign) return invalid(format, options);
  for (const datum of [x, y]) {
    if (datum.kind === 'infinity') return exact(encodeInfinity(format, datum.sign));
  }
  if (x.kind !== 'finite' || y.kind !== 'finite') throw new Error('a NaN was not handled');
  const unit = x.exponent < y.exponent ? x.exponent : y.exponent;
  return roundUnits(format, options, rm, inUnits(x, unit) + inUnits(y, unit), unit, zeroSumSign(rm, x, y));
}

/** The exact product of two numbers, or null for infinity * 0. */
function product(x: Datum, y: Datum): Datum | null {
  if (x.kind === 'nan' || y.kind === 'nan') throw new Error('a NaN was not handled');
  const sign = x.sign ^ y.sign;
  if (x.kind === 'infinity' || y.kind === 'infinity') {
    const hasZero = [x, y].some((datum) => datum.kind === 'finite' && datum.significand === 0n);
    return hasZero ? null : { kind: 'infinity', sign };
  }
  return {
    kind: 'finite',
    sign,
    significand: x.significand * y.significand,
    exponent: x.exponent + y.exponent,
  };
}

export function add(format: Format, options: number, a: bigint, b: bigint, rm: number): ReferenceResult {
  const [x, y] = [decode(format, a), decode(format, b)];
  if (isNaNDatum(x) || isNaNDatum(y)) return propagate(format, options, [x, y]);
  return sum(format, options, rm, x, y);
}

export function sub(format: Format, options: number, a: bigint, b: bigint, rm: number): ReferenceResult {
  const [x, y] = [decode(format, a), decode(format, b)];
  if (isNaNDatum(x) || isNaNDatum(y)) return propagate(format, options, [x, y]);
  return sum(format, options, rm, x, { ...y, sign: y.sign ^ 1n });
}

export function mul(format: Format, options: number, a: bigint, b: bigint, rm: number): ReferenceResult {
  const [x, y] = [decode(format, a), decode(format, b)];
  if (isNaNDatum(x) || isNaNDatum(y)) return propagate(format, options, [x, y]);
  const z = product(x, y);
  if (z === null) return invalid(format, options);
  if (z.kind === 'infinity') return exact(encodeInfinity(format, z.sign));
  if (z.kind !== 'finite') throw new Error('a NaN was not handled');
  return roundUnits(format, options, rm, inUnits(z, z.exponent), z.exponent, z.sign);
}

export function fma(
  format: Format,
  options: number,
  a: bigint,
  b: bigint,
  c: bigint,
  rm: number,
): ReferenceResult {
  const [x, y, z] = [decode(format, a), decode(format, b), decode(format, c)];
  if (isNaNDatum(x) || isNaNDatum(y) || isNaNDatum(z)) return propagateFma(format, options, x, y, z);
  const xy = product(x, y);
  return xy === null ? invalid(format, options) : sum(format, options, rm, xy, z);
}

export function div(format: Format, options: number, a: bigint, b: bigint, rm: number): ReferenceResult {
  const [x, y] = [decode(format, a), decode(format, b)];
  if (isNaNDatum(x) || isNaNDatum(y)) return propagate(format, options, [x, y]);
  const sign = x.sign ^ y.sign;
  if (x.kind === 'infinity') {
    return y.kind === 'infinity' ? invalid(format, options) : exact(encodeInfinity(format, sign));
  }
  if (y.kind === 'infinity') return exact(encodeZero(format, sign));
  if (y.significand === 0n) {
    if (x.significand === 0n) return invalid(format, options);
    return { bits: encodeInfinity(format, sign), flags: FLAG.DZ };
  }
  if (x.significand === 0n) return exact(encodeZero(format, sign));
  const unit = x.exponent < y.exponent ? x.exponent : y.exponent;
  const ratio = {
    numerator: x.significand << (x.exponent - unit),
    denominator: y.significand << (y.exponent - unit),
  };
  return round(format, options, rm, sign, ratio);
}

export function sqrt(format: Format, options: number, a: bigint, rm: number): ReferenceResult {
  const x = decode(format, a);
  if (isNaNDatum(x)) return propagate(format, options, [x]);
  if (x.kind === 'finite' && x.significand === 0n) return exact(a);
  if (x.sign === 1n) return invalid(format, options);
  if (x.kind === 'infinity') return exact(a);
  // x = n * 4^k with n of more than twice the precision: its integer root has every bit that matters, and one
  // more bit stands for whatever the root leaves over.
  const odd = x.exponent & 1n;
  const extra = 2n * format.precision;
  const n = x.significand << (odd + 2n * extra);
  const root = integerSqrt(n);
  const sticky = root * root === n ? 0n : 1n;
  const exponent = (x.exponent - odd) / 2n - extra;
  return roundUnits(format, options, rm, 2n * root + sticky, exponent - 1n, 0n);
}

/** floor(sqrt(n)) by bisection. */
function integerSqrt(n: bigint): bigint {
  let low = 0n;
  let high = 1n << BigInt((n.toString(2).length >> 1) + 1);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle * middle <= n) low = middle;
    else high = middle;
  }
  return low;
}
