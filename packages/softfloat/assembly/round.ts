import { bias, exponentMax, fractionBits, infinity, placeSign } from './format';
import { NX, OF, RDN, RMM, RNE, RUP, TININESS_BEFORE_ROUNDING, UF, options, raise } from './status';

/** Set by unpack: exponent of the leading bit, and the significand with that bit moved to bit 63. */
export let unpackedExponent: i32 = 0;
export let unpackedSignificand: u64 = 0;

/** Splits a finite, nonzero number into the two globals above. */
// @ts-ignore: decorator
@inline
export function unpack<T>(bits: u64): void {
  const F = fractionBits<T>();
  const biased = <i32>(bits >> F) & exponentMax<T>();
  const fraction = bits & ((<u64>1 << F) - 1);
  if (biased == 0) {
    const zeros = <i32>clz(fraction);
    unpackedSignificand = fraction << zeros;
    unpackedExponent = 64 - bias<T>() - F - zeros;
  } else {
    unpackedSignificand = (fraction | (<u64>1 << F)) << (63 - F);
    unpackedExponent = biased - bias<T>();
  }
}

/** Right shift that ors every bit it drops into the lowest one; `value` isn't 0, `count` is at least 0. */
// @ts-ignore: decorator
@inline
export function shiftRightSticky(value: u64, count: i32): u64 {
  if (count == 0) return value;
  if (count > 63) return 1;
  return (value >> count) | u64(value << (64 - count) != 0);
}

// @ts-ignore: decorator
@inline
function roundsUp(rm: i32, sign: u64, odd: u64, rest: u64, half: u64): bool {
  if (rm == RNE) return rest > half || (rest == half && odd != 0);
  if (rm == RMM) return rest >= half;
  if (rm == RDN) return sign != 0 && rest != 0;
  if (rm == RUP) return sign == 0 && rest != 0;
  return false;
}

/**
 * Rounds significand * 2^(exponent - 63) to format T and raises NX, UF and OF.
 * Bit 63 of the significand is set; its lowest bit may stand for any number of nonzero bits below it.
 */
export function roundPack<T>(fs: i32, rm: i32, sign: u64, exponent: i32, significand: u64): u64 {
  const F = fractionBits<T>();
  const dropped = 63 - F;
  const mask = (<u64>1 << dropped) - 1;
  const half = <u64>1 << (dropped - 1);
  let biased = exponent + bias<T>();
  let tiny = false;
  if (biased <= 0) {
    // After rounding, a value is tiny unless it would reach the smallest normal with an unbounded exponent.
    tiny =
      biased < 0 ||
      (options(fs) & TININESS_BEFORE_ROUNDING) != 0 ||
      significand >> dropped != (<u64>2 << F) - 1 ||
      !roundsUp(rm, sign, 1, significand & mask, half);
    significand = shiftRightSticky(significand, 1 - biased);
    biased = 1;
  }
  const rest = significand & mask;
  let kept = significand >> dropped;
  kept += u64(roundsUp(rm, sign, kept & 1, rest, half));
  // The hidden bit adds one to the exponent field, as does a carry out of the rounding.
  const packed = biased >= exponentMax<T>() ? infinity<T>() : (<u64>(biased - 1) << F) + kept;
  if (packed >= infinity<T>()) {
    raise(fs, OF | NX);
    const toInfinity = rm == RNE || rm == RMM || (sign != 0 ? rm == RDN : rm == RUP);
    return placeSign<T>(sign) | (infinity<T>() - u64(!toInfinity));
  }
  if (rest != 0) raise(fs, tiny ? UF | NX : NX);
  return placeSign<T>(sign) | packed;
}
