import { FLAG } from '../flags.ts';
import { decode } from './format.ts';
import type { Datum, Format } from './format.ts';
import { isNaNDatum, isSignaling, propagate } from './nan.ts';
import type { ReferenceResult } from './round.ts';

/** x - y as far as its sign goes: -1, 0 or 1. */
function order(x: Datum, y: Datum): number {
  const [p, q] = [sortKey(x), sortKey(y)];
  return p < q ? -1 : p > q ? 1 : 0;
}

/** Keeps the order of the numbers of one format; exponents are at least -1074. */
function sortKey(x: Datum): bigint {
  if (x.kind === 'nan') throw new Error('a NaN was not handled');
  const magnitude = x.kind === 'infinity' ? 1n << 4096n : x.significand << (x.exponent + 1074n);
  return x.sign === 1n ? -magnitude : magnitude;
}

/** A comparison that raises NV for any NaN if `signaling`, else for signaling ones. */
export function compare(
  format: Format,
  a: bigint,
  b: bigint,
  signaling: boolean,
  holds: (order: number) => boolean,
): ReferenceResult {
  const data = [decode(format, a), decode(format, b)] as const;
  if (data.some(isNaNDatum)) {
    return { bits: 0n, flags: signaling || data.some(isSignaling) ? FLAG.NV : 0 };
  }
  return { bits: holds(order(...data)) ? 1n : 0n, flags: 0 };
}

/** minimumNumber (`wanted` -1) and maximumNumber (1) of IEEE 754-2019, 9.6. */
export function extremum(
  format: Format,
  options: number,
  a: bigint,
  b: bigint,
  wanted: number,
): ReferenceResult {
  const [x, y] = [decode(format, a), decode(format, b)];
  const flags = isSignaling(x) || isSignaling(y) ? FLAG.NV : 0;
  if (isNaNDatum(x) && isNaNDatum(y)) return propagate(format, options, [x, y]);
  if (isNaNDatum(x)) return { bits: b, flags };
  if (isNaNDatum(y)) return { bits: a, flags };
  // Zeros are ordered by sign.
  const ordered = order(x, y) === 0 ? Number(y.sign - x.sign) : order(x, y);
  return { bits: ordered === wanted ? a : b, flags };
}

/** The mask of RISC-V's fclass (Unprivileged ISA, F extension, table "Format of result of FCLASS"). */
export function classify(format: Format, a: bigint): ReferenceResult {
  return { bits: 1n << BigInt(classIndex(format, decode(format, a))), flags: 0 };
}

function classIndex(format: Format, x: Datum): number {
  if (x.kind === 'nan') return x.quiet ? 9 : 8;
  const negative = x.sign === 1n;
  if (x.kind === 'infinity') return negative ? 0 : 7;
  if (x.significand === 0n) return negative ? 3 : 4;
  const normal = x.significand >> (format.precision - 1n) === 1n;
  if (normal) return negative ? 1 : 6;
  return negative ? 2 : 5;
}
