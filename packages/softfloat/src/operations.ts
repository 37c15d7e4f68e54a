/** What an operand or a result is. Booleans and class masks are `i32`. */
export type OperandType = 'f16' | 'f32' | 'f64' | 'i32' | 'u32' | 'i64' | 'u64';

/** One exported function: `name(fs, ...operands, rm if rounds) -> result`. */
export interface Operation {
  readonly operands: readonly OperandType[];
  readonly result: OperandType;
  /** Takes a rounding mode as its last parameter. */
  readonly rounds: boolean;
}

type Format = 'f16' | 'f32' | 'f64';
type Integer = 'i32' | 'u32' | 'i64' | 'u64';
const FORMATS = ['f16', 'f32', 'f64'] as const;
const INTEGERS = ['i32', 'u32', 'i64', 'u64'] as const;

/** Per format `f`: number of operands; the result is of the same format unless named. */
const FORMAT_OPERATIONS = {
  add: { count: 2, result: 'same', rounds: true },
  sub: { count: 2, result: 'same', rounds: true },
  mul: { count: 2, result: 'same', rounds: true },
  div: { count: 2, result: 'same', rounds: true },
  sqrt: { count: 1, result: 'same', rounds: true },
  fma: { count: 3, result: 'same', rounds: true },
  eq: { count: 2, result: 'i32', rounds: false },
  lt: { count: 2, result: 'i32', rounds: false },
  le: { count: 2, result: 'i32', rounds: false },
  lt_quiet: { count: 2, result: 'i32', rounds: false },
  le_quiet: { count: 2, result: 'i32', rounds: false },
  min: { count: 2, result: 'same', rounds: false },
  max: { count: 2, result: 'same', rounds: false },
  classify: { count: 1, result: 'i32', rounds: false },
  round_to_int: { count: 1, result: 'same', rounds: true },
  round_to_int_exact: { count: 1, result: 'same', rounds: true },
} as const;

/** Name of every exported function. */
export type OperationName =
  | `${Format}_${keyof typeof FORMAT_OPERATIONS}`
  | `${Format}_to_${Integer}`
  | `${Integer}_to_${Format}`
  | Exclude<`${Format}_to_${Format}`, 'f16_to_f16' | 'f32_to_f32' | 'f64_to_f64'>;

/** The signature of every exported function, by name; linkers, tests and the reference model work from it. */
export const OPERATIONS: Readonly<Record<OperationName, Operation>> = buildOperations();

/** All names, in the table's order. */
export const OPERATION_NAMES = Object.keys(OPERATIONS) as OperationName[];

function buildOperations(): Record<OperationName, Operation> {
  const rows: [string, Operation][] = [];
  for (const format of FORMATS) {
    for (const [name, { count, result, rounds }] of Object.entries(FORMAT_OPERATIONS)) {
      const operands = Array.from({ length: count }, () => format);
      rows.push([`${format}_${name}`, { operands, result: result === 'same' ? format : result, rounds }]);
    }
    for (const integer of INTEGERS) {
      rows.push([`${format}_to_${integer}`, { operands: [format], result: integer, rounds: true }]);
      rows.push([`${integer}_to_${format}`, { operands: [integer], result: format, rounds: true }]);
    }
    for (const other of FORMATS.filter((name) => name !== format)) {
      rows.push([`${format}_to_${other}`, { operands: [format], result: other, rounds: true }]);
    }
  }
  return Object.fromEntries(rows) as Record<OperationName, Operation>;
}

/** The wasm value type that carries an operand or result; a narrower one is zero-extended. */
export function wasmType(type: OperandType): 'i32' | 'i64' {
  return type === 'f64' || type === 'i64' || type === 'u64' ? 'i64' : 'i32';
}
