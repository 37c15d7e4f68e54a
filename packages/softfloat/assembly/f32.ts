// The exported f32 operations. f64 holds every product of two f32 exactly, which makes the tests short.
import { lostBySum, sumToOdd } from './exact';
import { softAdd, softDiv, softFma, softMul, softSqrt, softSub } from './soft';
import { NX, RNE, inexactIsSticky, raise } from './status';

const MAGNITUDE: u32 = 0x7fffffff;
const INFINITY_BITS: u32 = 0x7f800000;
const SMALLEST_NORMAL: u32 = 0x00800000;

// @ts-ignore: decorator
@inline
function isFinite32(bits: u32): bool {
  return (bits & INFINITY_BITS) != INFINITY_BITS;
}

/** Above the smallest normal and finite: it can't stem from an overflow or from a tiny value. */
// @ts-ignore: decorator
@inline
export function isSafe32(bits: u32): bool {
  return (bits & MAGNITUDE) - (SMALLEST_NORMAL + 1) < INFINITY_BITS - (SMALLEST_NORMAL + 1);
}

// @ts-ignore: decorator
@inline
function isZero32(bits: u32): bool {
  return bits << 1 == 0;
}

export function f32_add(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (rm == RNE) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const sum = x + y;
    const bits = reinterpret<u32>(sum);
    // A sum that is tiny is exact, so finite is enough.
    if (isFinite32(bits)) {
      if (!inexactIsSticky(fs) && lostBySum<f32>(x, y, sum) != 0) raise(fs, NX);
      return bits;
    }
  }
  return <u32>softAdd<f32>(fs, a, b, rm);
}

export function f32_sub(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (rm == RNE) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const difference = x - y;
    const bits = reinterpret<u32>(difference);
    if (isFinite32(bits)) {
      if (!inexactIsSticky(fs) && lostBySum<f32>(x, -y, difference) != 0) raise(fs, NX);
      return bits;
    }
  }
  return <u32>softSub<f32>(fs, a, b, rm);
}

export function f32_mul(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (rm == RNE) {
    const product = <f64>reinterpret<f32>(a) * <f64>reinterpret<f32>(b);
    const rounded = <f32>product;
    const bits = reinterpret<u32>(rounded);
    if (isSafe32(bits)) {
      if (!inexactIsSticky(fs) && <f64>rounded != product) raise(fs, NX);
      return bits;
    }
    if (product == 0) return bits;
  }
  return <u32>softMul<f32>(fs, a, b, rm);
}

export function f32_div(fs: i32, a: u32, b: u32, rm: i32): u32 {
  if (rm == RNE) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const quotient = x / y;
    const bits = reinterpret<u32>(quotient);
    if (isSafe32(bits)) {
      if (!inexactIsSticky(fs) && <f64>quotient * <f64>y != <f64>x) raise(fs, NX);
      return bits;
    }
    if (isZero32(bits) && isZero32(a)) return bits;
  }
  return <u32>softDiv<f32>(fs, a, b, rm);
}

export function f32_sqrt(fs: i32, a: u32, rm: i32): u32 {
  if (rm == RNE) {
    // Positive, finite, not zero: the root is normal.
    if (a - 1 < INFINITY_BITS - 1) {
      const x = reinterpret<f32>(a);
      const root = sqrt<f32>(x);
      if (!inexactIsSticky(fs) && <f64>root * <f64>root != <f64>x) raise(fs, NX);
      return reinterpret<u32>(root);
    }
  }
  return <u32>softSqrt<f32>(fs, a, rm);
}

/** a * b + c with one rounding. */
export function f32_fma(fs: i32, a: u32, b: u32, c: u32, rm: i32): u32 {
  if (rm == RNE) {
    const product = <f64>reinterpret<f32>(a) * <f64>reinterpret<f32>(b);
    const sum = sumToOdd(product, <f64>reinterpret<f32>(c));
    const rounded = <f32>sum;
    const bits = reinterpret<u32>(rounded);
    if (isSafe32(bits)) {
      // A sum rounded to odd never fits 24 bits, so this sees both losses.
      if (!inexactIsSticky(fs) && <f64>rounded != sum) raise(fs, NX);
      return bits;
    }
    if (sum == 0) return bits;
  }
  return <u32>softFma<f32>(fs, a, b, c, rm);
}
