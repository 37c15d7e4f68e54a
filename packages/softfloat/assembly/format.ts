// Layout of the two formats. T is f32 or f64; bit patterns travel as u64 in both, zero-extended for f32.
// Every function here folds to a constant or a few integer instructions.

// @ts-ignore: decorator
@inline
export function fractionBits<T>(): i32 {
  return sizeof<T>() == 8 ? 52 : 23;
}

// @ts-ignore: decorator
@inline
export function exponentMax<T>(): i32 {
  return sizeof<T>() == 8 ? 0x7ff : 0xff;
}

// @ts-ignore: decorator
@inline
export function bias<T>(): i32 {
  return sizeof<T>() == 8 ? 1023 : 127;
}

// @ts-ignore: decorator
@inline
export function signBit<T>(): u64 {
  return sizeof<T>() == 8 ? 0x8000000000000000 : 0x80000000;
}

// @ts-ignore: decorator
@inline
export function infinity<T>(): u64 {
  return sizeof<T>() == 8 ? 0x7ff0000000000000 : 0x7f800000;
}

// @ts-ignore: decorator
@inline
export function quietBit<T>(): u64 {
  return sizeof<T>() == 8 ? 0x0008000000000000 : 0x00400000;
}

// @ts-ignore: decorator
@inline
export function smallestNormal<T>(): u64 {
  return sizeof<T>() == 8 ? 0x0010000000000000 : 0x00800000;
}

// @ts-ignore: decorator
@inline
export function magnitude<T>(bits: u64): u64 {
  return bits & (signBit<T>() - 1);
}

// @ts-ignore: decorator
@inline
export function isNaNBits<T>(bits: u64): bool {
  return magnitude<T>(bits) > infinity<T>();
}

// @ts-ignore: decorator
@inline
export function isSignalingBits<T>(bits: u64): bool {
  return isNaNBits<T>(bits) && (bits & quietBit<T>()) == 0;
}

// @ts-ignore: decorator
@inline
export function isInfinityBits<T>(bits: u64): bool {
  return magnitude<T>(bits) == infinity<T>();
}

// @ts-ignore: decorator
@inline
export function isZeroBits<T>(bits: u64): bool {
  return magnitude<T>(bits) == 0;
}

/** Infinity or NaN. */
// @ts-ignore: decorator
@inline
export function isSpecialBits<T>(bits: u64): bool {
  return magnitude<T>(bits) >= infinity<T>();
}

/** 1 for a set sign bit, else 0. */
// @ts-ignore: decorator
@inline
export function signOf<T>(bits: u64): u64 {
  return bits >> (sizeof<T>() == 8 ? 63 : 31);
}

/** `sign` (0 or 1) moved to its place. */
// @ts-ignore: decorator
@inline
export function placeSign<T>(sign: u64): u64 {
  return sign << (sizeof<T>() == 8 ? 63 : 31);
}
