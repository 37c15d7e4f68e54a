// Layout of the formats. T is f16, f32 or f64; bit patterns travel as u64 in all of them, zero-extended.
// Every function here folds to a constant or a few integer instructions.

/** Stands for binary16 where a format is a type argument: of that only the size is looked at. */
export type f16 = u16;

// @ts-ignore: decorator
@inline
export function fractionBits<T>(): i32 {
  return sizeof<T>() == 8 ? 52 : sizeof<T>() == 4 ? 23 : 10;
}

// @ts-ignore: decorator
@inline
export function exponentMax<T>(): i32 {
  return 2 * bias<T>() + 1;
}

// @ts-ignore: decorator
@inline
export function bias<T>(): i32 {
  return sizeof<T>() == 8 ? 1023 : sizeof<T>() == 4 ? 127 : 15;
}

// @ts-ignore: decorator
@inline
export function signBit<T>(): u64 {
  return <u64>1 << (8 * sizeof<T>() - 1);
}

// @ts-ignore: decorator
@inline
export function infinity<T>(): u64 {
  return <u64>exponentMax<T>() << fractionBits<T>();
}

// @ts-ignore: decorator
@inline
export function quietBit<T>(): u64 {
  return <u64>1 << (fractionBits<T>() - 1);
}

// @ts-ignore: decorator
@inline
export function smallestNormal<T>(): u64 {
  return <u64>1 << fractionBits<T>();
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
  return bits >> (8 * sizeof<T>() - 1);
}

/** `sign` (0 or 1) moved to its place. */
// @ts-ignore: decorator
@inline
export function placeSign<T>(sign: u64): u64 {
  return sign << (8 * sizeof<T>() - 1);
}
