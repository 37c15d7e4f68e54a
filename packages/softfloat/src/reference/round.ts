import { FLAG, OPTION, ROUNDING } from '../flags.ts';
import { encodeInfinity, encodeZero } from './format.ts';
import type { Format } from './format.ts';

/** A result: a bit pattern (integers in two's complement, never negative) and the exception flags raised. */
export interface ReferenceResult {
  readonly bits: bigint;
  readonly flags: number;
}

/** A positive rational number; both parts are above zero. */
export interface Ratio {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Whether a truncated magnitude goes up, given twice the dropped part compared to one unit (-1, 0, 1; null: exact). */
function goesUp(rm: number, sign: bigint, odd: boolean, comparedToHalf: number | null): boolean {
  if (comparedToHalf === null) return false;
  switch (rm) {
    case ROUNDING.RNE:
      return comparedToHalf > 0 || (comparedToHalf === 0 && odd);
    case ROUNDING.RMM:
      return comparedToHalf >= 0;
    case ROUNDING.RDN:
      return sign === 1n;
    case ROUNDING.RUP:
      return sign === 0n;
    default:
      return false;
  }
}

/** The integer next to `ratio`, as the rounding mode says, and whether it differs. */
export function roundToInteger(ratio: Ratio, sign: bigint, rm: number): { value: bigint; inexact: boolean } {
  const floor = ratio.numerator / ratio.denominator;
  const twice = 2n * (ratio.numerator - floor * ratio.denominator);
  const compared = twice === 0n ? null : twice < ratio.denominator ? -1 : twice > ratio.denominator ? 1 : 0;
  const value = floor + (goesUp(rm, sign, (floor & 1n) === 1n, compared) ? 1n : 0n);
  return { value, inexact: compared !== null };
}

/** floor(log2(ratio)). */
export function exponentOf({ numerator, denominator }: Ratio): bigint {
  let exponent = BigInt(numerator.toString(2).length - denominator.toString(2).length);
  const scaled = scale({ numerator, denominator }, -exponent);
  if (scaled.numerator < scaled.denominator) exponent -= 1n;
  return exponent;
}

/** ratio * 2^exponent. */
export function scale({ numerator, denominator }: Ratio, exponent: bigint): Ratio {
  return exponent >= 0n
    ? { numerator: numerator << exponent, denominator }
    : { numerator, denominator: denominator << -exponent };
}

/** Rounds (-1)^sign * ratio to a format (IEEE 754-2019, 4.3, 7.4, 7.5, 7.6). */
export function round(
  format: Format,
  options: number,
  rm: number,
  sign: bigint,
  ratio: Ratio,
): ReferenceResult {
  const emin = 1n - format.emax;
  const exponent = exponentOf(ratio);
  const unitExponent = (exponent < emin ? emin : exponent) - format.precision + 1n;
  const { value, inexact } = roundToInteger(scale(ratio, -unitExponent), sign, rm);
  let flags = inexact ? FLAG.NX : 0;
  const largest = (1n << format.precision) - 1n;
  // The largest finite number in units of this result's last place.
  const limit = largest << (format.emax - format.precision + 1n - unitExponent);
  if (value > limit) {
    flags |= FLAG.NX | FLAG.OF;
    const infinite = goesUp(rm, sign, true, 1);
    const overflowed = encodeInfinity(format, sign) - (infinite ? 0n : 1n);
    return { bits: overflowed, flags };
  }
  if (inexact && isTiny(format, options, rm, sign, ratio)) flags |= FLAG.UF;
  return { bits: encodeZero(format, sign) | encodeMagnitude(format, value, unitExponent), flags };
}

function isTiny(format: Format, options: number, rm: number, sign: bigint, ratio: Ratio): boolean {
  const emin = 1n - format.emax;
  if (exponentOf(ratio) >= emin) return false;
  if (options & OPTION.TININESS_BEFORE_ROUNDING) return true;
  // Rounded as if the exponent had no lower bound (7.5 a).
  const unitExponent = exponentOf(ratio) - format.precision + 1n;
  const { value } = roundToInteger(scale(ratio, -unitExponent), sign, rm);
  return exponentOf(scale({ numerator: value, denominator: 1n }, unitExponent)) < emin;
}

function encodeMagnitude(format: Format, value: bigint, unitExponent: bigint): bigint {
  const fractionBits = format.precision - 1n;
  let significand = value;
  let exponent = unitExponent;
  if (significand >> format.precision === 1n) {
    significand >>= 1n;
    exponent += 1n;
  }
  const smallest = 1n - format.emax - fractionBits;
  if (significand >> fractionBits === 0n) return significand;
  return ((exponent - smallest + 1n) << fractionBits) | (significand & ((1n << fractionBits) - 1n));
}
