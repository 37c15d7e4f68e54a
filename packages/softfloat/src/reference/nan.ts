import { FLAG, INVALID_INTEGER_MASK, NAN_RULE_MASK, OPTION } from '../flags.ts';
import { encodeQuietNaN } from './format.ts';
import type { Datum, Format } from './format.ts';
import type { ReferenceResult } from './round.ts';

type NaNDatum = Extract<Datum, { kind: 'nan' }>;

export function isNaNDatum(datum: Datum): datum is NaNDatum {
  return datum.kind === 'nan';
}

export function isSignaling(datum: Datum): datum is NaNDatum {
  return datum.kind === 'nan' && !datum.quiet;
}

/** The default NaN, with no flag. */
export function defaultNaN(format: Format, options: number): bigint {
  return encodeQuietNaN(format, options & OPTION.DEFAULT_NAN_NEGATIVE ? 1n : 0n, 0n);
}

/** The result of an invalid operation on numbers. */
export function invalid(format: Format, options: number): ReferenceResult {
  return { bits: defaultNaN(format, options), flags: FLAG.NV };
}

/** The result of an operation with at least one NaN among its operands, which come in order of preference. */
export function propagate(format: Format, options: number, operands: readonly Datum[]): ReferenceResult {
  const flags = operands.some(isSignaling) ? FLAG.NV : 0;
  if (options & OPTION.DEFAULT_NAN) return { bits: defaultNaN(format, options), flags };
  const arm = (options & NAN_RULE_MASK) === OPTION.NAN_RULE_ARM;
  const chosen = (arm ? operands.find(isSignaling) : undefined) ?? operands.find(isNaNDatum);
  if (chosen === undefined) throw new Error('no NaN among the operands');
  return { bits: encodeQuietNaN(format, chosen.sign, chosen.payload), flags };
}

/** The result of fma with at least one NaN among its operands. */
export function propagateFma(format: Format, options: number, a: Datum, b: Datum, c: Datum): ReferenceResult {
  const arm = (options & NAN_RULE_MASK) === OPTION.NAN_RULE_ARM;
  const result = propagate(format, options, arm ? [c, a, b] : [a, b, c]);
  // IEEE 754-2019, 7.2 c leaves infinity * 0 + quiet NaN open: Arm and RISC-V signal, x86 doesn't.
  const defaults = arm || (options & OPTION.DEFAULT_NAN) !== 0;
  if (!isInfinityTimesZero(a, b) || !defaults || isSignaling(c)) return result;
  return invalid(format, options);
}

/** One factor is infinite and the other zero. */
export function isInfinityTimesZero(a: Datum, b: Datum): boolean {
  const isZero = (x: Datum): boolean => x.kind === 'finite' && x.significand === 0n;
  return (a.kind === 'infinity' && isZero(b)) || (b.kind === 'infinity' && isZero(a));
}

/** A NaN of one format as one of another. */
export function convertNaN(from: Format, to: Format, options: number, a: NaNDatum): ReferenceResult {
  const flags = a.quiet ? 0 : FLAG.NV;
  if (options & OPTION.DEFAULT_NAN) return { bits: defaultNaN(to, options), flags };
  const shift = to.precision - from.precision;
  const payload = shift >= 0n ? a.payload << shift : a.payload >> -shift;
  return { bits: encodeQuietNaN(to, a.sign, payload), flags };
}

/** The integer result of a conversion whose operand is a NaN (`sign` null) or too large. */
export function invalidInteger(
  options: number,
  width: bigint,
  signed: boolean,
  sign: bigint | null,
): ReferenceResult {
  const ones = (1n << width) - 1n;
  const lowest = signed ? 1n << (width - 1n) : 0n;
  const highest = signed ? ones >> 1n : ones;
  const rule = options & INVALID_INTEGER_MASK;
  let bits: bigint;
  if (rule === OPTION.INVALID_INTEGER_X86) bits = signed ? lowest : ones;
  else if (sign === null) bits = rule === OPTION.INVALID_INTEGER_ARM ? 0n : highest;
  else bits = sign === 1n ? lowest : highest;
  return { bits, flags: FLAG.NV };
}
