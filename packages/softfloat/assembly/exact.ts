// Tests whether a host operation rounded: cheap where NX is not yet set, skipped where it is.

/** The significand without its low zeros: an odd integer, for a finite nonzero f64. */
// @ts-ignore: decorator
@inline
function oddSignificand(bits: u64): u64 {
  const fraction = bits & 0x000fffffffffffff;
  const significand = (bits & 0x7ff0000000000000) != 0 ? fraction | 0x0010000000000000 : fraction;
  return significand >> ctz(significand);
}

/**
 * The product of two odd significands, or all ones where it has more than 54 bits.
 * A product of p and q bits has p+q or p+q-1 bits, so it fits 64 bits when p+q is at most 54.
 */
// @ts-ignore: decorator
@inline
function smallProduct(x: u64, y: u64): u64 {
  return clz(x) + clz(y) >= 74 ? x * y : u64.MAX_VALUE;
}

/** a*b of two finite nonzero f64 needs more than 53 bits. */
export function productRounds(a: u64, b: u64): bool {
  return smallProduct(oddSignificand(a), oddSignificand(b)) >= 0x0020000000000000;
}

/** The normal f64 `quotient`, nearest to a/b, isn't a/b. */
export function quotientRounds(a: u64, b: u64, quotient: u64): bool {
  return smallProduct(oddSignificand(quotient), oddSignificand(b)) != oddSignificand(a);
}

/** What x+y lost (TwoSum, Knuth): zero when and only when `sum` is exact. Not finite if a step overflows. */
// @ts-ignore: decorator
@inline
export function lostBySum<T>(x: T, y: T, sum: T): T {
  const yRounded = sum - x;
  return x - (sum - yRounded) + (y - yRounded);
}

/** x + y, of two f64, rounded to odd: rounded once more to at most 51 bits, in any mode, it is x + y rounded once. */
// @ts-ignore: decorator
@inline
export function sumToOdd(x: f64, y: f64): f64 {
  const sum = x + y;
  const lost = lostBySum<f64>(x, y, sum);
  // Boldo and Melquiond 2008.
  const bits = reinterpret<i64>(sum);
  if (lost == 0 || (bits & 1) != 0) return sum;
  return reinterpret<f64>(lost > 0 == sum > 0 ? bits + 1 : bits - 1);
}
