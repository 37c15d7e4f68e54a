// The complete operations in integer arithmetic: every operand class and rounding mode.
// The exported operations come here only when their fast check fails.
import {
  infinity,
  isInfinityBits,
  isNaNBits,
  isSpecialBits,
  isZeroBits,
  placeSign,
  signBit,
  signOf,
} from './format';
import { invalid, propagate1, propagate2, propagate3 } from './nan';
import { roundPack, shiftRightSticky, unpack, unpackedExponent, unpackedSignificand } from './round';
import { DZ, RDN, raise } from './status';

/** The sum of two zeros or of two numbers that cancel. */
// @ts-ignore: decorator
@inline
function zeroSum<T>(rm: i32, aSign: u64, bSign: u64): u64 {
  return placeSign<T>(aSign == bSign ? aSign : u64(rm == RDN));
}

export function softAdd<T>(fs: i32, a: u64, b: u64, rm: i32): u64 {
  if (isSpecialBits<T>(a) || isSpecialBits<T>(b)) {
    if (isNaNBits<T>(a) || isNaNBits<T>(b)) return propagate2<T>(fs, a, b);
    if (!isInfinityBits<T>(b)) return a;
    return isInfinityBits<T>(a) && a != b ? invalid<T>(fs) : b;
  }
  let aSign = signOf<T>(a);
  const bSign = signOf<T>(b);
  if (isZeroBits<T>(b)) return isZeroBits<T>(a) ? zeroSum<T>(rm, aSign, bSign) : a;
  if (isZeroBits<T>(a)) return b;
  unpack<T>(a);
  let aExponent = unpackedExponent;
  let aSig = unpackedSignificand >> 1;
  unpack<T>(b);
  let bExponent = unpackedExponent;
  let bSig = unpackedSignificand >> 1;
  const differ = aSign != bSign;
  if (aExponent < bExponent || (aExponent == bExponent && aSig < bSig)) {
    const exponent = aExponent;
    aExponent = bExponent;
    bExponent = exponent;
    const sig = aSig;
    aSig = bSig;
    bSig = sig;
    aSign = bSign;
  }
  bSig = shiftRightSticky(bSig, aExponent - bExponent);
  const sum = differ ? aSig - bSig : aSig + bSig;
  if (sum == 0) return zeroSum<T>(rm, 0, 1);
  const zeros = clz(sum);
  return roundPack<T>(fs, rm, aSign, aExponent + 1 - <i32>zeros, sum << zeros);
}

export function softSub<T>(fs: i32, a: u64, b: u64, rm: i32): u64 {
  if (isNaNBits<T>(a) || isNaNBits<T>(b)) return propagate2<T>(fs, a, b);
  return softAdd<T>(fs, a, b ^ signBit<T>(), rm);
}

/** Set by multiply128: the upper half of the product. */
let productHigh: u64 = 0;

/** 64 x 64 bits: returns the lower half, leaves the upper one in the global. */
// @ts-ignore: decorator
@inline
function multiply128(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const cross = aLow * bHigh + (middle & 0xffffffff);
  productHigh = aHigh * bHigh + (middle >> 32) + (cross >> 32);
  return a * b;
}

export function softMul<T>(fs: i32, a: u64, b: u64, rm: i32): u64 {
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if (isSpecialBits<T>(a) || isSpecialBits<T>(b)) {
    if (isNaNBits<T>(a) || isNaNBits<T>(b)) return propagate2<T>(fs, a, b);
    return isZeroBits<T>(a) || isZeroBits<T>(b) ? invalid<T>(fs) : placeSign<T>(sign) | infinity<T>();
  }
  if (isZeroBits<T>(a) || isZeroBits<T>(b)) return placeSign<T>(sign);
  unpack<T>(a);
  let exponent = unpackedExponent;
  const aSig = unpackedSignificand;
  unpack<T>(b);
  exponent += unpackedExponent;
  // Each significand has at least eleven low zeros, so the shift below drops none of the product.
  let low = multiply128(aSig, unpackedSignificand);
  let high = productHigh;
  if (high >> 63) exponent += 1;
  else {
    high = (high << 1) | (low >> 63);
    low <<= 1;
  }
  return roundPack<T>(fs, rm, sign, exponent, high | u64(low != 0));
}

export function softDiv<T>(fs: i32, a: u64, b: u64, rm: i32): u64 {
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if (isSpecialBits<T>(a) || isSpecialBits<T>(b)) {
    if (isNaNBits<T>(a) || isNaNBits<T>(b)) return propagate2<T>(fs, a, b);
    if (!isInfinityBits<T>(a)) return placeSign<T>(sign);
    return isInfinityBits<T>(b) ? invalid<T>(fs) : placeSign<T>(sign) | infinity<T>();
  }
  if (isZeroBits<T>(b)) {
    if (isZeroBits<T>(a)) return invalid<T>(fs);
    raise(fs, DZ);
    return placeSign<T>(sign) | infinity<T>();
  }
  if (isZeroBits<T>(a)) return placeSign<T>(sign);
  unpack<T>(a);
  let exponent = unpackedExponent;
  const aSig = unpackedSignificand >> 11;
  unpack<T>(b);
  exponent -= unpackedExponent;
  const bSig = unpackedSignificand >> 11;
  // The host's quotient of two 53-bit integers is the nearest 53-bit one; the remainder, which fits 64 bits
  // and so survives wrapping, says on which side of it the true quotient lies.
  let quotient: u64;
  let remainder: i64;
  const estimate = <f64>(<i64>aSig) / <f64>(<i64>bSig);
  if (aSig >= bSig) {
    quotient = <i64>(estimate * 4503599627370496.0);
    remainder = (aSig << 52) - quotient * bSig;
  } else {
    exponent -= 1;
    quotient = <i64>(estimate * 9007199254740992.0);
    remainder = (aSig << 53) - quotient * bSig;
  }
  return roundPack<T>(fs, rm, sign, exponent, besideInteger(quotient, remainder));
}

/** A 53-bit integer at bit 63, moved a little up or down after the sign of what is missing. */
// @ts-ignore: decorator
@inline
function besideInteger(integer: u64, remainder: i64): u64 {
  return (integer << 11) + (remainder > 0 ? 1 : remainder < 0 ? -1 : 0);
}

export function softSqrt<T>(fs: i32, a: u64, rm: i32): u64 {
  if (isNaNBits<T>(a)) return propagate1<T>(fs, a);
  if (isZeroBits<T>(a)) return a;
  if (signOf<T>(a)) return invalid<T>(fs);
  if (isInfinityBits<T>(a)) return a;
  unpack<T>(a);
  const odd = unpackedExponent & 1;
  const radicand = (unpackedSignificand >> 11) << odd;
  // As in softDiv: the host's root of a 54-bit integer is the nearest; the remainder gives the side.
  const root = <u64><i64>(sqrt<f64>(<f64>(<i64>radicand)) * 67108864.0);
  const remainder = <i64>((radicand << 52) - root * root);
  return roundPack<T>(fs, rm, 0, (unpackedExponent - odd) >> 1, besideInteger(root, remainder));
}

export function softFma<T>(fs: i32, a: u64, b: u64, c: u64, rm: i32): u64 {
  const productSign = signOf<T>(a) ^ signOf<T>(b);
  const cSign = signOf<T>(c);
  if (isSpecialBits<T>(a) || isSpecialBits<T>(b) || isSpecialBits<T>(c)) {
    if (isNaNBits<T>(a) || isNaNBits<T>(b) || isNaNBits<T>(c)) return propagate3<T>(fs, a, b, c);
    if (!isInfinityBits<T>(a) && !isInfinityBits<T>(b)) return c;
    if (isZeroBits<T>(a) || isZeroBits<T>(b)) return invalid<T>(fs);
    if (isInfinityBits<T>(c) && cSign != productSign) return invalid<T>(fs);
    return placeSign<T>(productSign) | infinity<T>();
  }
  if (isZeroBits<T>(a) || isZeroBits<T>(b)) {
    return isZeroBits<T>(c) ? zeroSum<T>(rm, productSign, cSign) : c;
  }
  // Two 128-bit fixed-point numbers with the leading bit at 126: x the larger one, y the other.
  unpack<T>(a);
  let xExponent = unpackedExponent;
  const aSig = unpackedSignificand;
  unpack<T>(b);
  xExponent += unpackedExponent;
  let xLow = multiply128(aSig, unpackedSignificand);
  let xHigh = productHigh;
  if (xHigh >> 63) {
    xExponent += 1;
    xLow = (xLow >> 1) | (xHigh << 63);
    xHigh >>= 1;
  }
  let sign = productSign;
  if (!isZeroBits<T>(c)) {
    unpack<T>(c);
    let yExponent = unpackedExponent;
    let yHigh = unpackedSignificand >> 1;
    let yLow: u64 = 0;
    if (yExponent > xExponent || (yExponent == xExponent && yHigh > xHigh)) {
      sign = cSign;
      const exponent = xExponent;
      xExponent = yExponent;
      yExponent = exponent;
      const high = xHigh;
      xHigh = yHigh;
      yHigh = high;
      yLow = xLow;
      xLow = 0;
    }
    const distance = xExponent - yExponent;
    if (distance >= 64) {
      // So far down y only tells that something is there, which its upper half does alone.
      yLow = shiftRightSticky(yHigh, distance - 64);
      yHigh = 0;
    } else if (distance > 0) {
      yLow = (yHigh << (64 - distance)) | (yLow >> distance) | u64(yLow << (64 - distance) != 0);
      yHigh >>= distance;
    }
    if (productSign == cSign) {
      xLow += yLow;
      xHigh += yHigh + u64(xLow < yLow);
    } else {
      xHigh -= yHigh + u64(xLow < yLow);
      xLow -= yLow;
      if ((xHigh | xLow) == 0) return zeroSum<T>(rm, 0, 1);
    }
  }
  let zeros = <i32>clz(xHigh);
  if (xHigh == 0) {
    xHigh = xLow;
    xLow = 0;
    zeros = <i32>clz(xHigh);
    xExponent -= 64;
  }
  if (zeros > 0) {
    xHigh = (xHigh << zeros) | (xLow >> (64 - zeros));
    xLow <<= zeros;
  }
  return roundPack<T>(fs, rm, sign, xExponent + 1 - zeros, xHigh | u64(xLow != 0));
}

/** `magnitude` (nonzero) with a sign, rounded to T. */
export function softFromInteger<T>(fs: i32, sign: u64, magnitude: u64, rm: i32): u64 {
  const zeros = clz(magnitude);
  return roundPack<T>(fs, rm, sign, 63 - <i32>zeros, magnitude << zeros);
}
