// The exported f64 operations: a host operation where its result and flags are provably right, else soft.
import { lostBySum, productRounds, quotientRounds } from './exact';
import { softAdd, softDiv, softFma, softMul, softSqrt, softSub } from './soft';
import { HOST_FMA_FUSED, NX, RNE, inexactIsSticky, options, raise } from './status';

const MAGNITUDE: u64 = 0x7fffffffffffffff;
const INFINITY_BITS: u64 = 0x7ff0000000000000;
const SMALLEST_NORMAL: u64 = 0x0010000000000000;

// @ts-ignore: decorator
@inline
function isFinite64(bits: u64): bool {
  return (bits & INFINITY_BITS) != INFINITY_BITS;
}

/** Above the smallest normal and finite: it can't stem from an overflow or from a tiny value. */
// @ts-ignore: decorator
@inline
function isSafe(bits: u64): bool {
  return (bits & MAGNITUDE) - (SMALLEST_NORMAL + 1) < INFINITY_BITS - (SMALLEST_NORMAL + 1);
}

// @ts-ignore: decorator
@inline
function isZero64(bits: u64): bool {
  return bits << 1 == 0;
}

export function f64_add(fs: i32, a: u64, b: u64, rm: i32): u64 {
  if (rm == RNE) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const sum = x + y;
    const bits = reinterpret<u64>(sum);
    // A sum that is tiny is exact, so finite is enough.
    if (isFinite64(bits)) {
      if (!inexactIsSticky(fs) && lostBySum<f64>(x, y, sum) != 0) raise(fs, NX);
      return bits;
    }
  }
  return softAdd<f64>(fs, a, b, rm);
}

export function f64_sub(fs: i32, a: u64, b: u64, rm: i32): u64 {
  if (rm == RNE) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const difference = x - y;
    const bits = reinterpret<u64>(difference);
    if (isFinite64(bits)) {
      if (!inexactIsSticky(fs) && lostBySum<f64>(x, -y, difference) != 0) raise(fs, NX);
      return bits;
    }
  }
  return softSub<f64>(fs, a, b, rm);
}

export function f64_mul(fs: i32, a: u64, b: u64, rm: i32): u64 {
  if (rm == RNE) {
    const bits = reinterpret<u64>(reinterpret<f64>(a) * reinterpret<f64>(b));
    if (isSafe(bits)) {
      if (!inexactIsSticky(fs) && productRounds(a, b)) raise(fs, NX);
      return bits;
    }
    if (isZero64(bits) && (isZero64(a) || isZero64(b))) return bits;
  }
  return softMul<f64>(fs, a, b, rm);
}

export function f64_div(fs: i32, a: u64, b: u64, rm: i32): u64 {
  if (rm == RNE) {
    const bits = reinterpret<u64>(reinterpret<f64>(a) / reinterpret<f64>(b));
    if (isSafe(bits)) {
      if (!inexactIsSticky(fs) && quotientRounds(a, b, bits)) raise(fs, NX);
      return bits;
    }
    if (isZero64(bits) && isZero64(a)) return bits;
  }
  return softDiv<f64>(fs, a, b, rm);
}

export function f64_sqrt(fs: i32, a: u64, rm: i32): u64 {
  if (rm == RNE) {
    // Positive, finite, not zero: the root is normal.
    if (a - 1 < INFINITY_BITS - 1) {
      const bits = reinterpret<u64>(sqrt<f64>(reinterpret<f64>(a)));
      if (!inexactIsSticky(fs) && quotientRounds(a, bits, bits)) raise(fs, NX);
      return bits;
    }
  }
  return softSqrt<f64>(fs, a, rm);
}

/** a * b + c with one rounding. */
export function f64_fma(fs: i32, a: u64, b: u64, c: u64, rm: i32): u64 {
  if (rm == RNE) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const z = reinterpret<f64>(c);
    if (inexactIsSticky(fs) && (options(fs) & HOST_FMA_FUSED) != 0) {
      const bits = reinterpret<u64>(
        f64x2.extract_lane(f64x2.relaxed_madd(f64x2.splat(x), f64x2.splat(y), f64x2.splat(z)), 0),
      );
      if (isSafe(bits)) return bits;
    }
    // An exact product leaves one rounding, that of the sum.
    const product = x * y;
    const productBits = reinterpret<u64>(product);
    if (isSafe(productBits) ? !productRounds(a, b) : isZero64(productBits) && (isZero64(a) || isZero64(b))) {
      const sum = product + z;
      const bits = reinterpret<u64>(sum);
      if (isFinite64(bits)) {
        if (!inexactIsSticky(fs) && lostBySum<f64>(product, z, sum) != 0) raise(fs, NX);
        return bits;
      }
    }
  }
  return softFma<f64>(fs, a, b, c, rm);
}
