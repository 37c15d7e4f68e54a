// Comparisons, minimum, maximum and classification: exact, so no rounding mode.
import { doubleOf } from './f16';
import {
  isInfinityBits,
  isNaNBits,
  isSignalingBits,
  isZeroBits,
  quietBit,
  signOf,
  smallestNormal,
  magnitude,
  f16,
} from './format';
import { propagate2 } from './nan';
import { NV, raise } from './status';

// @ts-ignore: decorator
@inline
function less<T>(a: u64, b: u64): bool {
  if (sizeof<T>() == 8) return reinterpret<f64>(a) < reinterpret<f64>(b);
  if (sizeof<T>() == 4) return reinterpret<f32>(<u32>a) < reinterpret<f32>(<u32>b);
  return doubleOf(a) < doubleOf(b);
}

// @ts-ignore: decorator
@inline
function lessOrEqual<T>(a: u64, b: u64): bool {
  if (sizeof<T>() == 8) return reinterpret<f64>(a) <= reinterpret<f64>(b);
  if (sizeof<T>() == 4) return reinterpret<f32>(<u32>a) <= reinterpret<f32>(<u32>b);
  return doubleOf(a) <= doubleOf(b);
}

// @ts-ignore: decorator
@inline
function raiseForSignaling<T>(fs: i32, a: u64, b: u64): void {
  if (isSignalingBits<T>(a) || isSignalingBits<T>(b)) raise(fs, NV);
}

// @ts-ignore: decorator
@inline
function raiseForNaN<T>(fs: i32, a: u64, b: u64): void {
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) raise(fs, NV);
}

// @ts-ignore: decorator
@inline
function equal<T>(fs: i32, a: u64, b: u64): i32 {
  if (lessOrEqual<T>(a, b)) return i32(!less<T>(a, b));
  raiseForSignaling<T>(fs, a, b);
  return 0;
}

// @ts-ignore: decorator
@inline
function compareLess<T>(fs: i32, a: u64, b: u64): i32 {
  if (less<T>(a, b)) return 1;
  raiseForNaN<T>(fs, a, b);
  return 0;
}

// @ts-ignore: decorator
@inline
function compareLessQuiet<T>(fs: i32, a: u64, b: u64): i32 {
  if (less<T>(a, b)) return 1;
  raiseForSignaling<T>(fs, a, b);
  return 0;
}

// @ts-ignore: decorator
@inline
function compareLessOrEqual<T>(fs: i32, a: u64, b: u64): i32 {
  if (lessOrEqual<T>(a, b)) return 1;
  raiseForNaN<T>(fs, a, b);
  return 0;
}

// @ts-ignore: decorator
@inline
function compareLessOrEqualQuiet<T>(fs: i32, a: u64, b: u64): i32 {
  if (lessOrEqual<T>(a, b)) return 1;
  raiseForSignaling<T>(fs, a, b);
  return 0;
}

function pickForNaN<T>(fs: i32, a: u64, b: u64): u64 {
  if (isNaNBits<T>(a) && isNaNBits<T>(b)) return propagate2<T>(fs, a, b);
  raiseForSignaling<T>(fs, a, b);
  return isNaNBits<T>(a) ? b : a;
}

// @ts-ignore: decorator
@inline
function minimum<T>(fs: i32, a: u64, b: u64): u64 {
  if (less<T>(a, b)) return a;
  if (less<T>(b, a)) return b;
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) return pickForNaN<T>(fs, a, b);
  return a | b;
}

// @ts-ignore: decorator
@inline
function maximum<T>(fs: i32, a: u64, b: u64): u64 {
  if (less<T>(a, b)) return b;
  if (less<T>(b, a)) return a;
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) return pickForNaN<T>(fs, a, b);
  return a & b;
}

// @ts-ignore: decorator
@inline
function classify<T>(a: u64): i32 {
  if (isNaNBits<T>(a)) return a & quietBit<T>() ? 1 << 9 : 1 << 8;
  const negative = signOf<T>(a) != 0;
  if (isInfinityBits<T>(a)) return negative ? 1 << 0 : 1 << 7;
  if (isZeroBits<T>(a)) return negative ? 1 << 3 : 1 << 4;
  if (magnitude<T>(a) < smallestNormal<T>()) return negative ? 1 << 2 : 1 << 5;
  return negative ? 1 << 1 : 1 << 6;
}

export function f64_eq(fs: i32, a: u64, b: u64): i32 {
  return equal<f64>(fs, a, b);
}

export function f64_lt(fs: i32, a: u64, b: u64): i32 {
  return compareLess<f64>(fs, a, b);
}

export function f64_le(fs: i32, a: u64, b: u64): i32 {
  return compareLessOrEqual<f64>(fs, a, b);
}

export function f64_lt_quiet(fs: i32, a: u64, b: u64): i32 {
  return compareLessQuiet<f64>(fs, a, b);
}

export function f64_le_quiet(fs: i32, a: u64, b: u64): i32 {
  return compareLessOrEqualQuiet<f64>(fs, a, b);
}

export function f64_min(fs: i32, a: u64, b: u64): u64 {
  return minimum<f64>(fs, a, b);
}

export function f64_max(fs: i32, a: u64, b: u64): u64 {
  return maximum<f64>(fs, a, b);
}

export function f64_classify(fs: i32, a: u64): i32 {
  return classify<f64>(a);
}

export function f32_eq(fs: i32, a: u32, b: u32): i32 {
  return equal<f32>(fs, a, b);
}

export function f32_lt(fs: i32, a: u32, b: u32): i32 {
  return compareLess<f32>(fs, a, b);
}

export function f32_le(fs: i32, a: u32, b: u32): i32 {
  return compareLessOrEqual<f32>(fs, a, b);
}

export function f32_lt_quiet(fs: i32, a: u32, b: u32): i32 {
  return compareLessQuiet<f32>(fs, a, b);
}

export function f32_le_quiet(fs: i32, a: u32, b: u32): i32 {
  return compareLessOrEqualQuiet<f32>(fs, a, b);
}

export function f32_min(fs: i32, a: u32, b: u32): u32 {
  return <u32>minimum<f32>(fs, a, b);
}

export function f32_max(fs: i32, a: u32, b: u32): u32 {
  return <u32>maximum<f32>(fs, a, b);
}

export function f32_classify(fs: i32, a: u32): i32 {
  return classify<f32>(a);
}

export function f16_eq(fs: i32, a: u32, b: u32): i32 {
  return equal<f16>(fs, a, b);
}

export function f16_lt(fs: i32, a: u32, b: u32): i32 {
  return compareLess<f16>(fs, a, b);
}

export function f16_le(fs: i32, a: u32, b: u32): i32 {
  return compareLessOrEqual<f16>(fs, a, b);
}

export function f16_lt_quiet(fs: i32, a: u32, b: u32): i32 {
  return compareLessQuiet<f16>(fs, a, b);
}

export function f16_le_quiet(fs: i32, a: u32, b: u32): i32 {
  return compareLessOrEqualQuiet<f16>(fs, a, b);
}

export function f16_min(fs: i32, a: u32, b: u32): u32 {
  return <u32>minimum<f16>(fs, a, b);
}

export function f16_max(fs: i32, a: u32, b: u32): u32 {
  return <u32>maximum<f16>(fs, a, b);
}

export function f16_classify(fs: i32, a: u32): i32 {
  return classify<f16>(a);
}
