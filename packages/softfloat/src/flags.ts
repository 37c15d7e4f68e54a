/** Offset of the u32 of sticky exception flags in the status block that `fs` points to. */
export const STATUS_FLAGS_OFFSET = 0;
/** Offset of the u32 of options in the status block. */
export const STATUS_OPTIONS_OFFSET = 4;
/** Size and alignment of the status block. */
export const STATUS_SIZE = 8;

/** Exception flags, in the order of RISC-V's fflags (Unprivileged ISA, F extension, 11.2). */
export const FLAG = {
  /** Inexact. */
  NX: 1,
  /** Underflow: tiny and inexact. */
  UF: 2,
  /** Overflow. */
  OF: 4,
  /** Division of a nonzero finite number by zero. */
  DZ: 8,
  /** Invalid operation. */
  NV: 16,
} as const;

/** Rounding modes, numbered as RISC-V's frm. Other numbers truncate: callers check them first. */
export const ROUNDING = {
  /** To nearest, ties to even. */
  RNE: 0,
  /** Towards zero. */
  RTZ: 1,
  /** Down. */
  RDN: 2,
  /** Up. */
  RUP: 3,
  /** To nearest, ties away from zero. */
  RMM: 4,
} as const;

/** Bits of the options word. Bits that are not named are reserved and must be zero. */
export const OPTION = {
  /** Every NaN result is the default NaN: RISC-V always, Arm with FPCR.DN. */
  DEFAULT_NAN: 1 << 0,
  /** Detect tininess before rounding (Arm, PowerPC) instead of after (x86, RISC-V). */
  TININESS_BEFORE_ROUNDING: 1 << 1,
  /** Without DEFAULT_NAN, the first NaN operand, quieted, is the result (SSE, AVX). The value of the field is 0. */
  NAN_RULE_X86: 0,
  /** Without DEFAULT_NAN, a signaling NaN is preferred, and a fused operation's addend comes first (Arm ARM). */
  NAN_RULE_ARM: 1 << 2,
  /** The default NaN has its sign set: x86. */
  DEFAULT_NAN_NEGATIVE: 1 << 4,
  /** Reserved for flushing tiny results to zero. */
  RESERVED_FLUSH_RESULTS: 1 << 5,
  /** Reserved for reading subnormal operands as zero. */
  RESERVED_FLUSH_OPERANDS: 1 << 6,
  /** The host's relaxed multiply-add was probed to be fused. A property of the host: set it anew after a migration. */
  HOST_FMA_FUSED: 1 << 8,
  /** Invalid conversions to integers saturate, a NaN gives the largest integer. The value of the field is 0. */
  INVALID_INTEGER_RISCV: 0,
  /** Invalid conversions give the integer indefinite: top bit alone if signed, all ones if unsigned. */
  INVALID_INTEGER_X86: 1 << 12,
  /** Invalid conversions saturate, a NaN gives zero. */
  INVALID_INTEGER_ARM: 2 << 12,
} as const;

/** Mask of the two-bit field that holds a NAN_RULE_ value. */
export const NAN_RULE_MASK = 3 << 2;
/** Mask of the two-bit field that holds an INVALID_INTEGER_ value. */
export const INVALID_INTEGER_MASK = 3 << 12;

/** The options of each guest, before HOST_FMA_FUSED is added. */
export const GUEST_OPTIONS = {
  riscv: OPTION.DEFAULT_NAN | OPTION.INVALID_INTEGER_RISCV,
  x86: OPTION.NAN_RULE_X86 | OPTION.DEFAULT_NAN_NEGATIVE | OPTION.INVALID_INTEGER_X86,
  arm: OPTION.NAN_RULE_ARM | OPTION.TININESS_BEFORE_ROUNDING | OPTION.INVALID_INTEGER_ARM,
} as const;
