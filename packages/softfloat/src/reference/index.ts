// The model that says what every operation must give: exact rational arithmetic on bigints, then one rounding.
// It shares no code with the wasm module.
import type { OperationName } from '../operations.ts';
import { add, div, fma, mul, sqrt, sub } from './arithmetic.ts';
import { classify, compare, extremum } from './comparison.ts';
import { fromInteger, roundToIntegral, toFormat, toInteger } from './conversion.ts';
import { FORMATS } from './format.ts';
import type { Format } from './format.ts';
import type { ReferenceResult } from './round.ts';

export type { ReferenceResult } from './round.ts';

/**
 * One operation. `operands` are bit patterns, zero-extended; `rm` is ignored by operations without rounding.
 * `options` is the options word of the status block. Some 10 µs each.
 */
export type ReferenceOperation = (
  options: number,
  operands: readonly bigint[],
  rm: number,
) => ReferenceResult;

const INTEGERS = [
  ['i32', 32n, true],
  ['u32', 32n, false],
  ['i64', 64n, true],
  ['u64', 64n, false],
] as const;

/** Every operation of the wasm module, by the same name. */
export const REFERENCE: Readonly<Record<OperationName, ReferenceOperation>> = buildReference();

function buildReference(): Record<OperationName, ReferenceOperation> {
  const rows: [string, ReferenceOperation][] = [];
  for (const [name, format] of Object.entries(FORMATS)) {
    for (const [operation, apply] of formatOperations(format)) rows.push([`${name}_${operation}`, apply]);
  }
  for (const [name, format] of Object.entries(FORMATS)) {
    for (const [other, to] of Object.entries(FORMATS).filter(([, f]) => f !== format)) {
      rows.push([`${name}_to_${other}`, (options, [a = 0n], rm) => toFormat(format, to, options, a, rm)]);
    }
    for (const [integer, width, signed] of INTEGERS) {
      rows.push([
        `${integer}_to_${name}`,
        (options, [a = 0n], rm) => fromInteger(format, width, signed, options, a, rm),
      ]);
    }
  }
  return Object.fromEntries(rows) as Record<OperationName, ReferenceOperation>;
}

function formatOperations(format: Format): [string, ReferenceOperation][] {
  const f = format;
  const rows: [string, ReferenceOperation][] = [
    ['add', (options, [a = 0n, b = 0n], rm) => add(f, options, a, b, rm)],
    ['sub', (options, [a = 0n, b = 0n], rm) => sub(f, options, a, b, rm)],
    ['mul', (options, [a = 0n, b = 0n], rm) => mul(f, options, a, b, rm)],
    ['div', (options, [a = 0n, b = 0n], rm) => div(f, options, a, b, rm)],
    ['sqrt', (options, [a = 0n], rm) => sqrt(f, options, a, rm)],
    ['fma', (options, [a = 0n, b = 0n, c = 0n], rm) => fma(f, options, a, b, c, rm)],
    ['eq', (_, [a = 0n, b = 0n]) => compare(f, a, b, false, (order) => order === 0)],
    ['lt', (_, [a = 0n, b = 0n]) => compare(f, a, b, true, (order) => order < 0)],
    ['le', (_, [a = 0n, b = 0n]) => compare(f, a, b, true, (order) => order <= 0)],
    ['lt_quiet', (_, [a = 0n, b = 0n]) => compare(f, a, b, false, (order) => order < 0)],
    ['le_quiet', (_, [a = 0n, b = 0n]) => compare(f, a, b, false, (order) => order <= 0)],
    ['min', (options, [a = 0n, b = 0n]) => extremum(f, options, a, b, -1)],
    ['max', (options, [a = 0n, b = 0n]) => extremum(f, options, a, b, 1)],
    ['classify', (_, [a = 0n]) => classify(f, a)],
    ['round_to_int', (options, [a = 0n], rm) => roundToIntegral(f, options, a, rm, false)],
    ['round_to_int_exact', (options, [a = 0n], rm) => roundToIntegral(f, options, a, rm, true)],
  ];
  for (const [integer, width, signed] of INTEGERS) {
    rows.push([`to_${integer}`, (options, [a = 0n], rm) => toInteger(f, width, signed, options, a, rm)]);
  }
  return rows;
}
