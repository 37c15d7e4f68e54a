import type { HelperDef, ValueType } from '@polyvisor/tcg';

type Effects = Partial<Pick<HelperDef, 'effect' | 'mayFault' | 'noReturn'>>;

function isa(
  name: string,
  params: readonly ValueType[],
  result: ValueType | null,
  effects: Effects = {},
): HelperDef {
  return {
    name,
    module: 'isa',
    params: ['i32', ...params],
    result,
    effect: 'state',
    mayFault: true,
    noReturn: false,
    ...effects,
  };
}

/** A function of two registers' values that would be long as IR; takes nothing else. */
const arithmetic = (name: string): HelperDef => ({
  name,
  module: 'isa',
  params: ['i64', 'i64'],
  result: 'i64',
  effect: 'pure',
  mayFault: false,
  noReturn: false,
});

/**
 * Helpers in the linked module `isa`. All but the arithmetic ones take the vCPU block's address first. Those that may fault set
 * env.fault (cause + 1) and env.faultValue; the engine then leaves at the instruction's own pc.
 */
export const HELPERS = {
  /** (cause, tval): raises an exception. */
  raise: isa('raise', ['i32', 'i64'], null, { noReturn: true }),
  /** Raises environment call from the privilege in force. */
  ecall: isa('ecall', [], null, { noReturn: true }),
  /** (pc): raises breakpoint with tval = pc. */
  ebreak: isa('ebreak', ['i64'], null, { noReturn: true }),
  /**
   * (csr, op, value, flags): one CSR instruction; op as {@link CSR_OP}, flags as {@link CSR_FLAG}.
   * Gives the old value (0 when not asked to read); raises illegal instruction. Updates mode and interrupt state.
   */
  csrAccess: isa('csr_access', ['i32', 'i32', 'i64', 'i32'], 'i64'),
  /** Not 0 when an interrupt is pending, enabled and would be taken now. */
  interruptDue: isa('interrupt_due', [], 'i32', { mayFault: false }),
  /** Trap returns: set env.pc, privilege, mode; raise illegal instruction when not allowed. */
  mret: isa('mret', [], null),
  sret: isa('sret', [], null),
  /** Raises when not allowed; else sets env.hostExit to EXIT.wait unless an interrupt is pending. */
  wfi: isa('wfi', [], null),
  /** (va, asid, flags): flags as {@link SFENCE}; raises when not allowed. */
  sfence: isa('sfence', ['i64', 'i64', 'i32'], null),
  fenceI: isa('fence_i', [], null, { mayFault: false }),
  /**
   * (kind, va): rights and reachability of a cache-block operation, kind as {@link CBO}. For `zero` only the
   * right to execute it is checked here: the block is written by plain stores after it.
   */
  cbo: isa('cbo', ['i32', 'i64'], null),
  /** (pc): sets mstatus.FS to Dirty, updates the mode word, stores env.pc = pc. */
  fpDirty: isa('fp_dirty', ['i64'], null, { mayFault: false }),
  /** Carry-less product: bits 0-63. */
  clmul: arithmetic('clmul'),
  /** Carry-less product: bits 63-126. */
  clmulr: arithmetic('clmulr'),
  /** (table, indices): looks up 4-bit or 8-bit indices in a register; 0 for those beyond. */
  xperm4: arithmetic('xperm4'),
  xperm8: arithmetic('xperm8'),
} as const satisfies Readonly<Record<string, HelperDef>>;

const softfloat = (name: string, params: readonly ValueType[], result: ValueType): HelperDef => ({
  name,
  module: 'softfloat',
  params: ['i32', ...params],
  result,
  effect: 'state',
  mayFault: false,
  noReturn: false,
});

/** Suffixes of softfloat's names for integers, and their types. */
export type IntegerFormat = 'i32' | 'u32' | 'i64' | 'u64';

/** softfloat's functions for one format; operands and results are bits. The first parameter is the status block. */
function formatHelpers(name: 'f16' | 'f32' | 'f64', bits: 'i32' | 'i64') {
  const op2 = (op: string): HelperDef => softfloat(`${name}_${op}`, [bits, bits, 'i32'], bits);
  const compare = (op: string): HelperDef => softfloat(`${name}_${op}`, [bits, bits], 'i32');
  const from = (integer: IntegerFormat): HelperDef =>
    softfloat(`${integer}_to_${name}`, [integer.endsWith('32') ? 'i32' : 'i64', 'i32'], bits);
  const to = (integer: IntegerFormat): HelperDef =>
    softfloat(`${name}_to_${integer}`, [bits, 'i32'], integer.endsWith('32') ? 'i32' : 'i64');
  return {
    add: op2('add'),
    sub: op2('sub'),
    mul: op2('mul'),
    div: op2('div'),
    sqrt: softfloat(`${name}_sqrt`, [bits, 'i32'], bits),
    fma: softfloat(`${name}_fma`, [bits, bits, bits, 'i32'], bits),
    eq: compare('eq'),
    lt: compare('lt'),
    le: compare('le'),
    min: softfloat(`${name}_min`, [bits, bits], bits),
    max: softfloat(`${name}_max`, [bits, bits], bits),
    classify: softfloat(`${name}_classify`, [bits], 'i32'),
    from: { i32: from('i32'), u32: from('u32'), i64: from('i64'), u64: from('u64') },
    to: { i32: to('i32'), u32: to('u32'), i64: to('i64'), u64: to('u64') },
  };
}

/** Helpers of the linked module `softfloat`, by format. */
export const SOFTFLOAT = {
  f16: formatHelpers('f16', 'i32'),
  f32: formatHelpers('f32', 'i32'),
  f64: formatHelpers('f64', 'i64'),
  /** (fs, bits, rm) */
  narrow: softfloat('f64_to_f32', ['i64', 'i32'], 'i32'),
  /** (fs, bits, rm): always exact; only a signaling NaN raises a flag. */
  widen: softfloat('f32_to_f64', ['i32', 'i32'], 'i64'),
  /** (fs, bits, rm): conversions from and to binary16. */
  half: {
    toF32: softfloat('f16_to_f32', ['i32', 'i32'], 'i32'),
    toF64: softfloat('f16_to_f64', ['i32', 'i32'], 'i64'),
    fromF32: softfloat('f32_to_f16', ['i32', 'i32'], 'i32'),
    fromF64: softfloat('f64_to_f16', ['i64', 'i32'], 'i32'),
  },
} as const;

function flatten(value: object): HelperDef[] {
  if ('module' in value) return [value as HelperDef];
  return Object.values(value).flatMap((v: object) => flatten(v));
}

/** Every helper that translations may call. */
export const ALL_HELPERS: readonly HelperDef[] = [...flatten(HELPERS), ...flatten(SOFTFLOAT)];
