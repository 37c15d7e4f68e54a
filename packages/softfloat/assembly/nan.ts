import {
  fractionBits,
  infinity,
  isInfinityBits,
  isNaNBits,
  isSignalingBits,
  isZeroBits,
  quietBit,
  signBit,
  signOf,
  placeSign,
} from './format';
import {
  DEFAULT_NAN,
  DEFAULT_NAN_NEGATIVE,
  INVALID_INTEGER_ARM,
  INVALID_INTEGER_MASK,
  INVALID_INTEGER_X86,
  NAN_RULE_ARM,
  NAN_RULE_MASK,
  NV,
  options,
  raise,
} from './status';

export function defaultNaN<T>(fs: i32): u64 {
  const positive = infinity<T>() | quietBit<T>();
  return options(fs) & DEFAULT_NAN_NEGATIVE ? positive | signBit<T>() : positive;
}

/** The result of an operation that is invalid without any NaN operand. */
export function invalid<T>(fs: i32): u64 {
  raise(fs, NV);
  return defaultNaN<T>(fs);
}

/** The result for one operand that is a NaN. */
export function propagate1<T>(fs: i32, a: u64): u64 {
  if (isSignalingBits<T>(a)) raise(fs, NV);
  return options(fs) & DEFAULT_NAN ? defaultNaN<T>(fs) : a | quietBit<T>();
}

/** The result for two operands of which at least one is a NaN. */
export function propagate2<T>(fs: i32, a: u64, b: u64): u64 {
  const aSignals = isSignalingBits<T>(a);
  const bSignals = isSignalingBits<T>(b);
  if (aSignals || bSignals) raise(fs, NV);
  const opts = options(fs);
  if (opts & DEFAULT_NAN) return defaultNaN<T>(fs);
  if ((opts & NAN_RULE_MASK) == NAN_RULE_ARM) {
    // Arm ARM, FPProcessNaNs: a signaling operand wins over a quiet one, then the first wins.
    if (aSignals) return a | quietBit<T>();
    if (bSignals) return b | quietBit<T>();
  }
  return (isNaNBits<T>(a) ? a : b) | quietBit<T>();
}

/** The result of a*b+c where at least one operand is a NaN. */
export function propagate3<T>(fs: i32, a: u64, b: u64, c: u64): u64 {
  const opts = options(fs);
  const arm = (opts & NAN_RULE_MASK) == NAN_RULE_ARM;
  const aSignals = isSignalingBits<T>(a);
  const bSignals = isSignalingBits<T>(b);
  const cSignals = isSignalingBits<T>(c);
  if (aSignals || bSignals || cSignals) raise(fs, NV);
  const infinityTimesZero =
    (isInfinityBits<T>(a) && isZeroBits<T>(b)) || (isZeroBits<T>(a) && isInfinityBits<T>(b));
  if (infinityTimesZero && (arm || (opts & DEFAULT_NAN) != 0)) {
    // RISC-V F 11.6 and Arm FPMulAdd: invalid even when the addend is a quiet NaN; x86 keeps quiet.
    raise(fs, NV);
    if (!cSignals) return defaultNaN<T>(fs);
  }
  if (opts & DEFAULT_NAN) return defaultNaN<T>(fs);
  if (arm) {
    // Arm ARM, FPProcessNaNs3: the addend comes first.
    if (cSignals) return c | quietBit<T>();
    if (aSignals) return a | quietBit<T>();
    if (bSignals) return b | quietBit<T>();
    if (isNaNBits<T>(c)) return c;
  }
  return (isNaNBits<T>(a) ? a : isNaNBits<T>(b) ? b : c) | quietBit<T>();
}

/** A NaN of format S in format D: sign and the leading payload bits stay. */
export function convertNaN<S, D>(fs: i32, a: u64): u64 {
  if (isSignalingBits<S>(a)) raise(fs, NV);
  if (options(fs) & DEFAULT_NAN) return defaultNaN<D>(fs);
  const sign = placeSign<D>(signOf<S>(a));
  // Aligned at the top of a word, a fraction is cut or filled up at its lower end.
  const fraction = (a << (64 - fractionBits<S>())) >> (64 - fractionBits<D>());
  return sign | infinity<D>() | quietBit<D>() | fraction;
}

/**
 * The integer for a value that does not fit or is a NaN.
 * `limit` is what saturation gives for the value's sign, `ofNaN` what RISC-V gives for a NaN,
 * `indefinite` what x86 gives for all of them.
 */
export function invalidInteger(fs: i32, isNaN: bool, limit: i64, ofNaN: i64, indefinite: i64): i64 {
  raise(fs, NV);
  const rule = options(fs) & INVALID_INTEGER_MASK;
  if (rule == INVALID_INTEGER_X86) return indefinite;
  if (!isNaN) return limit;
  return rule == INVALID_INTEGER_ARM ? 0 : ofNaN;
}
