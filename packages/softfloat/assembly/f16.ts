// The exported f16 operations, all through f64, whatever the rounding mode. It holds sums and products of two f16
// exactly. A quotient or root that needs more than 12 bits lies further from every 12-bit number than 2^-26 of itself,
// so its 53-bit neighbour is on the same side of every f16 and every tie: it rounds to the same and is as inexact.
import { sumToOdd } from './exact';
import { isSpecialBits, isZeroBits, f16 } from './format';
import { roundPack, unpack, unpackedExponent, unpackedSignificand } from './round';
import { softAdd, softDiv, softFma, softMul, softSqrt, softSub } from './soft';
import { NX, RNE, raise } from './status';

const SIGN: u32 = 0x8000;
const INFINITY_BITS: u32 = 0x7c00;
const SMALLEST_NORMAL: u32 = 0x0400;
const DOUBLE_INFINITY: u64 = 0x7ff0000000000000;
/** Bits of an f64's fraction that an f16 has no room for. */
const DROPPED: u64 = 42;
const DROPPED_MASK: u64 = (1 << 42) - 1;
/** The difference of the exponents' biases. */
const REBIAS: u64 = 1008;

/** Any f16 as an f64; NaNs stay what they are. */
// @ts-ignore: decorator
@inline
export function doubleOf(half: u64): f64 {
  const magnitude = <u32>half & (SIGN - 1);
  const sign = (half & SIGN) << 48;
  const wide = <u64>magnitude << DROPPED;
  if (magnitude >= INFINITY_BITS) return reinterpret<f64>(sign | DOUBLE_INFINITY | wide);
  if (magnitude >= SMALLEST_NORMAL) return reinterpret<f64>(sign | (wide + (REBIAS << 52)));
  return copysign<f64>(<f64>(<i32>magnitude) * reinterpret<f64>(<u64>(1023 - 24) << 52), reinterpret<f64>(sign));
}

/** A finite f64 rounded to f16, with the flags of that. */
export function halfOf(fs: i32, x: f64, rm: i32): u32 {
  const bits = reinterpret<u64>(x);
  const sign = <u32>(bits >> 48) & SIGN;
  if (rm == RNE) {
    const magnitude = bits & (<u64>i64.MAX_VALUE);
    const odd = (bits >> DROPPED) & 1;
    const rounded = ((magnitude + (DROPPED_MASK >> 1) + odd) >> DROPPED) - (REBIAS << 10);
    // As for f32: above the smallest normal and finite, a result raises nothing but NX.
    if (rounded - (SMALLEST_NORMAL + 1) < INFINITY_BITS - (SMALLEST_NORMAL + 1)) {
      if (bits & DROPPED_MASK) raise(fs, NX);
      return sign | <u32>rounded;
    }
  }
  if (x == 0) return sign;
  unpack<f64>(bits);
  return <u32>roundPack<f16>(fs, rm, bits >> 63, unpackedExponent, unpackedSignificand);
}

export function f16_add(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (!isSpecialBits<f16>(a) && !isSpecialBits<f16>(b)) {
    const sum = doubleOf(a) + doubleOf(b);
    if (sum != 0) return halfOf(fs, sum, rm);
  }
  return <u32>softAdd<f16>(fs, a, b, rm);
}

export function f16_sub(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (!isSpecialBits<f16>(a) && !isSpecialBits<f16>(b)) {
    const difference = doubleOf(a) - doubleOf(b);
    if (difference != 0) return halfOf(fs, difference, rm);
  }
  return <u32>softSub<f16>(fs, a, b, rm);
}

export function f16_mul(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (!isSpecialBits<f16>(a) && !isSpecialBits<f16>(b)) return halfOf(fs, doubleOf(a) * doubleOf(b), rm);
  return <u32>softMul<f16>(fs, a, b, rm);
}

export function f16_div(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (!isSpecialBits<f16>(a) && !isSpecialBits<f16>(b) && !isZeroBits<f16>(b)) {
    return halfOf(fs, doubleOf(a) / doubleOf(b), rm);
  }
  return <u32>softDiv<f16>(fs, a, b, rm);
}

export function f16_sqrt(fs: i32, a: u32, rm: i32): u32 {
  // Positive, finite, not zero.
  if (a - 1 < INFINITY_BITS - 1) return halfOf(fs, sqrt<f64>(doubleOf(a)), rm);
  return <u32>softSqrt<f16>(fs, a, rm);
}

/** a * b + c with one rounding. */
export function f16_fma(fs: i32, a: u32, b: u32, c: u32, rm: i32): u32 {
  if (!isSpecialBits<f16>(a) && !isSpecialBits<f16>(b) && !isSpecialBits<f16>(c)) {
    const sum = sumToOdd(doubleOf(a) * doubleOf(b), doubleOf(c));
    if (sum != 0) return halfOf(fs, sum, rm);
  }
  return <u32>softFma<f16>(fs, a, b, c, rm);
}
