// The floating-point status block in linear memory: u32 sticky flags at +0, u32 options at +4.
// The numbers are the same as in src/flags.ts.

export const NX: u32 = 1; // inexact
export const UF: u32 = 2; // underflow
export const OF: u32 = 4; // overflow
export const DZ: u32 = 8; // division by zero
export const NV: u32 = 16; // invalid operation

export const DEFAULT_NAN: u32 = 1 << 0;
export const TININESS_BEFORE_ROUNDING: u32 = 1 << 1;
export const NAN_RULE_MASK: u32 = 3 << 2;
export const NAN_RULE_ARM: u32 = 1 << 2;
export const DEFAULT_NAN_NEGATIVE: u32 = 1 << 4;
export const HOST_FMA_FUSED: u32 = 1 << 8;
export const INVALID_INTEGER_MASK: u32 = 3 << 12;
export const INVALID_INTEGER_X86: u32 = 1 << 12;
export const INVALID_INTEGER_ARM: u32 = 2 << 12;

export const RNE: i32 = 0;
export const RTZ: i32 = 1;
export const RDN: i32 = 2;
export const RUP: i32 = 3;
export const RMM: i32 = 4;

// @ts-ignore: decorator
@inline
export function raise(fs: i32, flags: u32): void {
  store<u32>(fs, load<u32>(fs) | flags);
}

// @ts-ignore: decorator
@inline
export function inexactIsSticky(fs: i32): bool {
  return (load<u32>(fs) & NX) != 0;
}

// @ts-ignore: decorator
@inline
export function options(fs: i32): u32 {
  return load<u32>(fs, 4);
}
