/** Types that an IR value can have. Guest registers are `i32` or `i64`; floats appear only between operations. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64';

/**
 * What an op does beyond computing its result.
 * - `pure`: nothing; may be removed, repeated and moved.
 * - `read`: reads guest registers or the vCPU block; may be removed.
 * - `write`: writes them.
 * - `memory`: touches guest memory; may fault at its instruction.
 * - `call`: calls a helper; its {@link HelperDef} says what that may do.
 * - `control`: structured markers (`if`, `else`, `end`), instruction starts.
 */
export type OpEffect = 'pure' | 'read' | 'write' | 'memory' | 'call' | 'control';

/**
 * One row of the op table.
 * `types`: the operation types it exists for. `args`: an operand's type, `T` meaning the operation's own.
 * `result`: the result's type, `T` likewise, null for none.
 */
export interface OpRow {
  readonly types: readonly ValueType[];
  readonly args: readonly (ValueType | 'T')[];
  readonly result: ValueType | 'T' | null;
  readonly effect: OpEffect;
}

const INT: readonly ValueType[] = ['i32', 'i64'];
const FLOAT: readonly ValueType[] = ['f32', 'f64'];
const ANY: readonly ValueType[] = ['i32', 'i64', 'f32', 'f64'];

const pure = (
  types: readonly ValueType[],
  args: readonly (ValueType | 'T')[],
  result: ValueType | 'T',
): OpRow => ({
  types,
  args,
  result,
  effect: 'pure',
});

const int1 = pure(INT, ['T'], 'T');
const int2 = pure(INT, ['T', 'T'], 'T');
const compare = pure(INT, ['T', 'T'], 'i32');
const float1 = pure(FLOAT, ['T'], 'T');
const float2 = pure(FLOAT, ['T', 'T'], 'T');
const floatCompare = pure(FLOAT, ['T', 'T'], 'i32');

/**
 * Every IR op. Builder, verifier, printer, parser, evaluator and both back ends are driven by this table.
 *
 * Integer ops wrap. Shift counts are taken modulo the width. Comparisons give 0 or 1. `div_*` and `rem_*`
 * demand a divisor that is not zero and, signed, no overflow: front ends guard them with `select`.
 * Float ops round to nearest even and are only correct where the front end has proved that this is what
 * the guest wants; everything else goes through a softfloat helper.
 */
export const OPS = {
  // Constants and inputs
  const: { types: ANY, args: [], result: 'T', effect: 'pure' }, // inst.imm: bigint (integers, or a float's bits)
  field: { types: INT, args: [], result: 'T', effect: 'pure' }, // interpreter only: inst.field of the record
  /**
   * Interpreter: the instruction's pc plus inst.imm. Elsewhere: the address that was inst.imm where the code was
   * translated; it moves with the code, by whole pages.
   */
  pc: { types: INT, args: [], result: 'T', effect: 'pure' },
  next_pc: { types: INT, args: [], result: 'T', effect: 'pure' }, // interpreter only: the following instruction's pc
  env: { types: ['i32'], args: [], result: 'i32', effect: 'pure' }, // address of the vCPU block

  // Guest registers and other fields of the vCPU block
  get: { types: INT, args: [], result: 'T', effect: 'read' }, // inst.reg
  put: { types: INT, args: ['T'], result: null, effect: 'write' }, // inst.reg
  load_env: { types: INT, args: [], result: 'T', effect: 'read' }, // inst.offset, inst.width (bytes, zero-extended)
  store_env: { types: INT, args: ['T'], result: null, effect: 'write' },

  // Integer arithmetic
  add: int2,
  sub: int2,
  mul: int2,
  div_s: int2,
  div_u: int2,
  rem_s: int2,
  rem_u: int2,
  mulh_s: int2, // high half of the double-width product
  mulh_u: int2,
  mulh_su: int2, // signed times unsigned
  and: int2,
  or: int2,
  xor: int2,
  shl: int2,
  shr_s: int2,
  shr_u: int2,
  rotl: int2,
  rotr: int2,
  clz: int1,
  ctz: int1,
  popcnt: int1,
  bswap: int1,
  extend8_s: int1,
  extend16_s: int1,
  extend32_s: pure(['i64'], ['T'], 'T'),
  extend32_u: pure(['i64'], ['T'], 'T'),
  eqz: pure(INT, ['T'], 'i32'),
  eq: compare,
  ne: compare,
  lt_s: compare,
  lt_u: compare,
  le_s: compare,
  le_u: compare,
  gt_s: compare,
  gt_u: compare,
  ge_s: compare,
  ge_u: compare,
  select: pure(ANY, ['i32', 'T', 'T'], 'T'), // condition, if true, if false

  // Conversions
  wrap: pure(['i32'], ['i64'], 'T'),
  extend_s: pure(['i64'], ['i32'], 'T'),
  extend_u: pure(['i64'], ['i32'], 'T'),
  bits_f32: pure(['f32'], ['i32'], 'T'), // reinterpretations
  bits_f64: pure(['f64'], ['i64'], 'T'),
  f32_bits: pure(['i32'], ['f32'], 'T'),
  f64_bits: pure(['i64'], ['f64'], 'T'),
  promote: pure(['f64'], ['f32'], 'T'),
  demote: pure(['f32'], ['f64'], 'T'),
  convert_i32_s: pure(FLOAT, ['i32'], 'T'),
  convert_i32_u: pure(FLOAT, ['i32'], 'T'),
  convert_i64_s: pure(FLOAT, ['i64'], 'T'),
  convert_i64_u: pure(FLOAT, ['i64'], 'T'),
  trunc_f32_s: pure(INT, ['f32'], 'T'), // saturating
  trunc_f32_u: pure(INT, ['f32'], 'T'),
  trunc_f64_s: pure(INT, ['f64'], 'T'),
  trunc_f64_u: pure(INT, ['f64'], 'T'),

  // Floating point, host semantics
  fadd: float2,
  fsub: float2,
  fmul: float2,
  fdiv: float2,
  fsqrt: float1,
  fabs: float1,
  fneg: float1,
  fnearest: float1,
  ftrunc: float1,
  ffloor: float1,
  fceil: float1,
  fma: pure(FLOAT, ['T', 'T', 'T'], 'T'), // a*b+c rounded once; only where the host's relaxed_madd is known to fuse
  feq: floatCompare,
  flt: floatCompare,
  fle: floatCompare,

  // Guest memory; inst.mem describes the access, the address has the guest's address type
  load: { types: INT, args: ['T'], result: 'T', effect: 'memory' }, // args[0] typed by inst.mem.addressType
  store: { types: INT, args: ['T', 'T'], result: null, effect: 'memory' }, // address, value
  atomic_rmw: { types: INT, args: ['T', 'T'], result: 'T', effect: 'memory' }, // inst.mem.rmw; result is the old value
  atomic_cas: { types: INT, args: ['T', 'T', 'T'], result: 'T', effect: 'memory' }, // address, expected, replacement; old value
  fence: { types: ['i32'], args: [], result: null, effect: 'control' },

  // Calls
  call: { types: ANY, args: [], result: 'T', effect: 'call' }, // inst.helper; args typed by it
  call_void: { types: ['i32'], args: [], result: null, effect: 'call' },

  // Structure within one instruction: values made inside are not visible outside
  if: { types: ['i32'], args: ['i32'], result: null, effect: 'control' },
  else: { types: ['i32'], args: [], result: null, effect: 'control' },
  end: { types: ['i32'], args: [], result: null, effect: 'control' },
  /** Leaves the block from inside an `if`, with the pc in `env` already set or given (see {@link Inst.leave}). */
  leave: { types: ['i32'], args: [], result: null, effect: 'control' },
  /** Start of a guest instruction: inst.imm is its pc, inst.width its length in bytes. */
  insn: { types: ['i32'], args: [], result: null, effect: 'control' },
} as const satisfies Record<string, OpRow>;

/** Name of an IR op: a key of {@link OPS}. */
export type Op = keyof typeof OPS;

/** The table's row, widened so that passes can treat all ops alike. */
export const opRow = (op: Op): OpRow => OPS[op];
