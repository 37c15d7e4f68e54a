// Conversions between formats and integers, and rounding to an integral value.
import { doubleOf, halfOf } from './f16';
import { isSafe32 } from './f32';
import {
  infinity,
  isInfinityBits,
  isNaNBits,
  isZeroBits,
  placeSign,
  signOf,
  f16,
} from './format';
import { convertNaN, invalidInteger, propagate1 } from './nan';
import { roundPack, unpack, unpackedExponent, unpackedSignificand } from './round';
import { softFromInteger } from './soft';
import { NX, RDN, RNE, RTZ, RUP, inexactIsSticky, raise } from './status';

/** The integral value next to x. The host's four roundings are exact; the fifth needs one exact step. */
// @ts-ignore: decorator
@inline
function roundIntegral(x: f64, rm: i32): f64 {
  if (rm == RTZ) return trunc<f64>(x);
  if (rm == RNE) return nearest<f64>(x);
  if (rm == RDN) return floor<f64>(x);
  if (rm == RUP) return ceil<f64>(x);
  const towardZero = trunc<f64>(x);
  return abs<f64>(x - towardZero) >= 0.5 ? towardZero + copysign<f64>(1.0, x) : towardZero;
}

// The four integer results. The comparisons are false for a NaN; every bound is an f64 exactly.

// @ts-ignore: decorator
@inline
function toI32(fs: i32, x: f64, rm: i32): i32 {
  const rounded = roundIntegral(x, rm);
  if (rounded >= -2147483648.0 && rounded < 2147483648.0) {
    if (rounded != x) raise(fs, NX);
    return <i32>rounded;
  }
  const limit: i64 = x < 0 ? i32.MIN_VALUE : i32.MAX_VALUE;
  return <i32>invalidInteger(fs, x != x, limit, i32.MAX_VALUE, i32.MIN_VALUE);
}

// @ts-ignore: decorator
@inline
function toU32(fs: i32, x: f64, rm: i32): i32 {
  const rounded = roundIntegral(x, rm);
  if (rounded >= 0.0 && rounded < 4294967296.0) {
    if (rounded != x) raise(fs, NX);
    return <i32>(<i64>rounded);
  }
  return <i32>invalidInteger(fs, x != x, x < 0 ? 0 : -1, -1, -1);
}

// @ts-ignore: decorator
@inline
function toI64(fs: i32, x: f64, rm: i32): i64 {
  const rounded = roundIntegral(x, rm);
  if (rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0) {
    if (rounded != x) raise(fs, NX);
    return <i64>rounded;
  }
  const limit: i64 = x < 0 ? i64.MIN_VALUE : i64.MAX_VALUE;
  return invalidInteger(fs, x != x, limit, i64.MAX_VALUE, i64.MIN_VALUE);
}

// @ts-ignore: decorator
@inline
function toU64(fs: i32, x: f64, rm: i32): i64 {
  const rounded = roundIntegral(x, rm);
  if (rounded >= 0.0 && rounded < 18446744073709551616.0) {
    if (rounded != x) raise(fs, NX);
    return <i64>(<u64>rounded);
  }
  return invalidInteger(fs, x != x, x < 0 ? 0 : -1, -1, -1);
}

export function f64_to_i32(fs: i32, a: u64, rm: i32): i32 {
  return toI32(fs, reinterpret<f64>(a), rm);
}

export function f64_to_u32(fs: i32, a: u64, rm: i32): i32 {
  return toU32(fs, reinterpret<f64>(a), rm);
}

export function f64_to_i64(fs: i32, a: u64, rm: i32): i64 {
  return toI64(fs, reinterpret<f64>(a), rm);
}

export function f64_to_u64(fs: i32, a: u64, rm: i32): i64 {
  return toU64(fs, reinterpret<f64>(a), rm);
}

export function f32_to_i32(fs: i32, a: u32, rm: i32): i32 {
  return toI32(fs, <f64>reinterpret<f32>(a), rm);
}

export function f32_to_u32(fs: i32, a: u32, rm: i32): i32 {
  return toU32(fs, <f64>reinterpret<f32>(a), rm);
}

export function f32_to_i64(fs: i32, a: u32, rm: i32): i64 {
  return toI64(fs, <f64>reinterpret<f32>(a), rm);
}

export function f32_to_u64(fs: i32, a: u32, rm: i32): i64 {
  return toU64(fs, <f64>reinterpret<f32>(a), rm);
}

export function f16_to_i32(fs: i32, a: u32, rm: i32): i32 {
  return toI32(fs, doubleOf(a), rm);
}

export function f16_to_u32(fs: i32, a: u32, rm: i32): i32 {
  return toU32(fs, doubleOf(a), rm);
}

export function f16_to_i64(fs: i32, a: u32, rm: i32): i64 {
  return toI64(fs, doubleOf(a), rm);
}

export function f16_to_u64(fs: i32, a: u32, rm: i32): i64 {
  return toU64(fs, doubleOf(a), rm);
}

/** Exact: `rm` is there so that all conversions look alike. */
export function i32_to_f64(fs: i32, a: i32, rm: i32): u64 {
  return reinterpret<u64>(<f64>a);
}

/** Exact: `rm` is there so that all conversions look alike. */
export function u32_to_f64(fs: i32, a: u32, rm: i32): u64 {
  return reinterpret<u64>(<f64>a);
}

export function i64_to_f64(fs: i32, a: i64, rm: i32): u64 {
  if (a == 0 || (rm == RNE && inexactIsSticky(fs))) return reinterpret<u64>(<f64>a);
  return softFromInteger<f64>(fs, u64(a < 0), a < 0 ? -a : a, rm);
}

export function u64_to_f64(fs: i32, a: u64, rm: i32): u64 {
  if (a == 0 || (rm == RNE && inexactIsSticky(fs))) return reinterpret<u64>(<f64>a);
  return softFromInteger<f64>(fs, 0, a, rm);
}

export function i32_to_f32(fs: i32, a: i32, rm: i32): u32 {
  if (a == 0 || (rm == RNE && inexactIsSticky(fs))) return reinterpret<u32>(<f32>a);
  return <u32>softFromInteger<f32>(fs, u64(a < 0), a < 0 ? -<i64>a : <i64>a, rm);
}

export function u32_to_f32(fs: i32, a: u32, rm: i32): u32 {
  if (a == 0 || (rm == RNE && inexactIsSticky(fs))) return reinterpret<u32>(<f32>a);
  return <u32>softFromInteger<f32>(fs, 0, a, rm);
}

export function i64_to_f32(fs: i32, a: i64, rm: i32): u32 {
  if (a == 0 || (rm == RNE && inexactIsSticky(fs))) return reinterpret<u32>(<f32>a);
  return <u32>softFromInteger<f32>(fs, u64(a < 0), a < 0 ? -a : a, rm);
}

export function u64_to_f32(fs: i32, a: u64, rm: i32): u32 {
  if (a == 0 || (rm == RNE && inexactIsSticky(fs))) return reinterpret<u32>(<f32>a);
  return <u32>softFromInteger<f32>(fs, 0, a, rm);
}

export function i32_to_f16(fs: i32, a: i32, rm: i32): u32 {
  return halfOf(fs, <f64>a, rm);
}

export function u32_to_f16(fs: i32, a: u32, rm: i32): u32 {
  return halfOf(fs, <f64>a, rm);
}

// An integer that f64 has no room for overflows in any case.

export function i64_to_f16(fs: i32, a: i64, rm: i32): u32 {
  return halfOf(fs, <f64>a, rm);
}

export function u64_to_f16(fs: i32, a: u64, rm: i32): u32 {
  return halfOf(fs, <f64>a, rm);
}

export function f64_to_f32(fs: i32, a: u64, rm: i32): u32 {
  if (rm == RNE) {
    const x = reinterpret<f64>(a);
    const rounded = <f32>x;
    const bits = reinterpret<u32>(rounded);
    if (isSafe32(bits)) {
      if (!inexactIsSticky(fs) && <f64>rounded != x) raise(fs, NX);
      return bits;
    }
  }
  if (isNaNBits<f64>(a)) return <u32>convertNaN<f64, f32>(fs, a);
  const sign = signOf<f64>(a);
  if (isInfinityBits<f64>(a)) return <u32>(placeSign<f32>(sign) | infinity<f32>());
  if (isZeroBits<f64>(a)) return <u32>placeSign<f32>(sign);
  unpack<f64>(a);
  return <u32>roundPack<f32>(fs, rm, sign, unpackedExponent, unpackedSignificand);
}

/** Exact: `rm` is there so that all conversions look alike. */
export function f32_to_f64(fs: i32, a: u32, rm: i32): u64 {
  if (isNaNBits<f32>(a)) return convertNaN<f32, f64>(fs, a);
  return reinterpret<u64>(<f64>reinterpret<f32>(a));
}

export function f64_to_f16(fs: i32, a: u64, rm: i32): u32 {
  if (isNaNBits<f64>(a)) return <u32>convertNaN<f64, f16>(fs, a);
  if (isInfinityBits<f64>(a)) return <u32>(placeSign<f16>(signOf<f64>(a)) | infinity<f16>());
  return halfOf(fs, reinterpret<f64>(a), rm);
}

export function f32_to_f16(fs: i32, a: u32, rm: i32): u32 {
  if (isNaNBits<f32>(a)) return <u32>convertNaN<f32, f16>(fs, a);
  if (isInfinityBits<f32>(a)) return <u32>(placeSign<f16>(signOf<f32>(a)) | infinity<f16>());
  return halfOf(fs, <f64>reinterpret<f32>(a), rm);
}

/** Exact: `rm` is there so that all conversions look alike. */
export function f16_to_f32(fs: i32, a: u32, rm: i32): u32 {
  if (isNaNBits<f16>(a)) return <u32>convertNaN<f16, f32>(fs, a);
  return reinterpret<u32>(<f32>doubleOf(a));
}

/** Exact: `rm` is there so that all conversions look alike. */
export function f16_to_f64(fs: i32, a: u32, rm: i32): u64 {
  if (isNaNBits<f16>(a)) return convertNaN<f16, f64>(fs, a);
  return reinterpret<u64>(doubleOf(a));
}

/** IEEE roundToIntegral: never raises NX. */
export function f64_round_to_int(fs: i32, a: u64, rm: i32): u64 {
  if (isNaNBits<f64>(a)) return propagate1<f64>(fs, a);
  return reinterpret<u64>(roundIntegral(reinterpret<f64>(a), rm));
}

/** IEEE roundToIntegralExact: raises NX when the value changes. */
export function f64_round_to_int_exact(fs: i32, a: u64, rm: i32): u64 {
  if (isNaNBits<f64>(a)) return propagate1<f64>(fs, a);
  const x = reinterpret<f64>(a);
  const rounded = roundIntegral(x, rm);
  if (rounded != x) raise(fs, NX);
  return reinterpret<u64>(rounded);
}

/** IEEE roundToIntegral: never raises NX. */
export function f32_round_to_int(fs: i32, a: u32, rm: i32): u32 {
  if (isNaNBits<f32>(a)) return <u32>propagate1<f32>(fs, a);
  return reinterpret<u32>(<f32>roundIntegral(<f64>reinterpret<f32>(a), rm));
}

/** IEEE roundToIntegralExact: raises NX when the value changes. */
export function f32_round_to_int_exact(fs: i32, a: u32, rm: i32): u32 {
  if (isNaNBits<f32>(a)) return <u32>propagate1<f32>(fs, a);
  const x = <f64>reinterpret<f32>(a);
  const rounded = roundIntegral(x, rm);
  if (rounded != x) raise(fs, NX);
  return reinterpret<u32>(<f32>rounded);
}

/** IEEE roundToIntegral: never raises NX. */
export function f16_round_to_int(fs: i32, a: u32, rm: i32): u32 {
  if (isNaNBits<f16>(a)) return <u32>propagate1<f16>(fs, a);
  if (isInfinityBits<f16>(a)) return a;
  return halfOf(fs, roundIntegral(doubleOf(a), rm), RNE);
}

/** IEEE roundToIntegralExact: raises NX when the value changes. */
export function f16_round_to_int_exact(fs: i32, a: u32, rm: i32): u32 {
  const rounded = f16_round_to_int(fs, a, rm);
  if (rounded != a && !isNaNBits<f16>(a)) raise(fs, NX);
  return rounded;
}
