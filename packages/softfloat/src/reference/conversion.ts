import { FLAG } from '../flags.ts';
import { decode, encodeInfinity, encodeZero } from './format.ts';
import type { Datum, Format } from './format.ts';
import { convertNaN, invalidInteger, isNaNDatum, propagate } from './nan.ts';
import { round, roundToInteger } from './round.ts';
import type { Ratio, ReferenceResult } from './round.ts';

function ratioOf(x: Extract<Datum, { kind: 'finite' }>): Ratio {
  return x.exponent >= 0n
    ? { numerator: x.significand << x.exponent, denominator: 1n }
    : { numerator: x.significand, denominator: 1n << -x.exponent };
}

export function toFormat(from: Format, to: Format, options: number, a: bigint, rm: number): ReferenceResult {
  const x = decode(from, a);
  if (isNaNDatum(x)) return convertNaN(from, to, options, x);
  if (x.kind === 'infinity') return { bits: encodeInfinity(to, x.sign), flags: 0 };
  if (x.significand === 0n) return { bits: encodeZero(to, x.sign), flags: 0 };
  return round(to, options, rm, x.sign, ratioOf(x));
}

export function toInteger(
  format: Format,
  width: bigint,
  signed: boolean,
  options: number,
  a: bigint,
  rm: number,
): ReferenceResult {
  const x = decode(format, a);
  if (isNaNDatum(x)) return invalidInteger(options, width, signed, null);
  if (x.kind === 'infinity') return invalidInteger(options, width, signed, x.sign);
  const { value, inexact } = roundToInteger(ratioOf(x), x.sign, rm);
  const integer = x.sign === 1n ? -value : value;
  const lowest = signed ? -(1n << (width - 1n)) : 0n;
  const highest = (1n << (signed ? width - 1n : width)) - 1n;
  if (integer < lowest || integer > highest) return invalidInteger(options, width, signed, x.sign);
  return { bits: BigInt.asUintN(Number(width), integer), flags: inexact ? FLAG.NX : 0 };
}

export function fromInteger(
  format: Format,
  width: bigint,
  signed: boolean,
  options: number,
  a: bigint,
  rm: number,
): ReferenceResult {
  const integer = signed ? BigInt.asIntN(Number(width), a) : a;
  if (integer === 0n) return { bits: 0n, flags: 0 };
  const ratio = { numerator: integer < 0n ? -integer : integer, denominator: 1n };
  return round(format, options, rm, integer < 0n ? 1n : 0n, ratio);
}

/** roundToIntegral; `exact` raises NX when the value changes (IEEE 754-2019, 5.9). */
export function roundToIntegral(
  format: Format,
  options: number,
  a: bigint,
  rm: number,
  exact: boolean,
): ReferenceResult {
  const x = decode(format, a);
  if (isNaNDatum(x)) return propagate(format, options, [x]);
  if (x.kind === 'infinity' || x.significand === 0n) return { bits: a, flags: 0 };
  const { value, inexact } = roundToInteger(ratioOf(x), x.sign, rm);
  const flags = exact && inexact ? FLAG.NX : 0;
  if (value === 0n) return { bits: encodeZero(format, x.sign), flags };
  const { bits } = round(format, options, rm, x.sign, { numerator: value, denominator: 1n });
  return { bits, flags };
}
