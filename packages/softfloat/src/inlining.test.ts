// The table "Inlining the fast path" of README.md, row by row: what a sequence accepts must be the reference's result,
// and raise nothing but NX.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { arbitraryOperands, interestingBits } from '../test/operands.ts';
import { FLAG, GUEST_OPTIONS, OPERATIONS, REFERENCE, ROUNDING } from './index.ts';
import type { OperandType, OperationName } from './index.ts';

const { RNE, RTZ, RDN, RUP } = ROUNDING;
const { fround } = Math;
const MIN64 = 2 ** -1022;
const MIN32 = 2 ** -126;

/** The result as a number (or bigint for 64-bit integers), or null where the test fails. */
type Sequence = (x: number, y: number, z: number) => number | bigint | null;

const words = new DataView(new ArrayBuffer(8));

function toValue(type: OperandType, bits: bigint): number {
  words.setBigUint64(0, bits);
  const read: Record<OperandType, () => number> = {
    f64: () => words.getFloat64(0),
    f16: () => words.getFloat16(6),
    f32: () => words.getFloat32(4),
    i32: () => words.getInt32(4),
    u32: () => words.getUint32(4),
    // Rounded to nearest even, as wasm does.
    i64: () => Number(words.getBigInt64(0)),
    u64: () => Number(words.getBigUint64(0)),
  };
  return read[type]();
}

function toBits(type: OperandType, value: number | bigint): bigint {
  if (type === 'f64') words.setFloat64(0, Number(value));
  else if (type === 'f32')
    words.setBigUint64(0, BigInt(new Uint32Array(Float32Array.of(Number(value)).buffer)[0] ?? 0));
  else return BigInt.asUintN(type.endsWith('64') ? 64 : 32, BigInt(value));
  return words.getBigUint64(0);
}

function between(low: number, r: number): boolean {
  return Math.abs(r) > low && Math.abs(r) < Infinity;
}

function nearest(x: number): number {
  if (!(Math.abs(x) < 2 ** 52)) return x;
  const rounded = Math.abs(x) + 2 ** 52 - 2 ** 52;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** f32 fma: the sum rounded to odd, then to f32. */
function fusedBySum(x: number, y: number, z: number): number | null {
  const p = x * y;
  let s = p + z;
  const b = s - p;
  const e = p - (s - b) + (z - b);
  const bits = toBits('f64', s);
  if (e !== 0 && (bits & 1n) === 0n) s = toValue('f64', e > 0 === s > 0 ? bits + 1n : bits - 1n);
  const r = fround(s);
  return between(MIN32, r) ? r : null;
}

const sequences: [OperationName, number, Sequence][] = [];

for (const [format, MIN, round] of [
  ['f64', MIN64, (x: number) => x],
  ['f32', MIN32, fround],
] as const) {
  const finite = (r: number): number | null => (Math.abs(r) < Infinity ? r : null);
  sequences.push([`${format}_add`, RNE, (x, y) => finite(round(x + y))]);
  sequences.push([`${format}_sub`, RNE, (x, y) => finite(round(x - y))]);
  sequences.push([
    `${format}_mul`,
    RNE,
    (x, y) => {
      const r = round(x * y);
      return between(MIN, r) || (r === 0 && (x === 0 || y === 0)) ? r : null;
    },
  ]);
  sequences.push([
    `${format}_div`,
    RNE,
    (x, y) => {
      const r = round(x / y);
      return between(MIN, r) || (x === 0 && r === 0) ? r : null;
    },
  ]);
  sequences.push([
    `${format}_sqrt`,
    RNE,
    (x) => {
      const r = round(Math.sqrt(x));
      return r < Infinity ? r : null;
    },
  ]);
  const ordered = (x: number, y: number): boolean => x === x && y === y;
  const truth = (holds: boolean, x: number, y: number): number | null =>
    holds || ordered(x, y) ? Number(holds) : null;
  sequences.push([`${format}_eq`, RNE, (x, y) => truth(x === y, x, y)]);
  sequences.push([`${format}_lt`, RNE, (x, y) => truth(x < y, x, y)]);
  sequences.push([`${format}_le`, RNE, (x, y) => truth(x <= y, x, y)]);
  // Math.min and max treat zeros and NaNs as wasm's do.
  const number = (r: number): number | null => (r === r ? r : null);
  sequences.push([`${format}_min`, RNE, (x, y) => number(Math.min(x, y))]);
  sequences.push([`${format}_max`, RNE, (x, y) => number(Math.max(x, y))]);
  for (const [rm, integral] of [
    [RNE, nearest],
    [RTZ, Math.trunc],
    [RDN, Math.floor],
    [RUP, Math.ceil],
  ] as const) {
    for (const [integer, low, high] of [
      ['i32', -(2 ** 31), 2 ** 31],
      ['u32', 0, 2 ** 32],
      ['i64', -(2 ** 63), 2 ** 63],
      ['u64', 0, 2 ** 64],
    ] as const) {
      const convert: Sequence = (x) => {
        const t = integral(x);
        return t >= low && t < high ? BigInt(t) : null;
      };
      sequences.push([`${format}_to_${integer}`, rm, convert]);
    }
    sequences.push([`${format}_round_to_int`, rm, (x) => number(integral(x))]);
  }
  for (const integer of ['i32', 'u32'] as const) sequences.push([`${integer}_to_${format}`, RNE, round]);
}
// Numbers can't carry a 64-bit integer to f32 without rounding twice; wasm's conversion rounds once.
sequences.push(['i64_to_f64', RNE, (x) => x], ['u64_to_f64', RNE, (x) => x]);
for (const rm of [RNE, RTZ, RDN, RUP]) {
  sequences.push(['i32_to_f64', rm, (x) => x], ['u32_to_f64', rm, (x) => x]);
  sequences.push(['f32_to_f64', rm, (x) => (x === x ? x : null)]);
}
sequences.push([
  'f64_to_f32',
  RNE,
  (x) => {
    const r = fround(x);
    return between(MIN32, r) || x === 0 ? r : null;
  },
]);
sequences.push(['f32_fma', RNE, fusedBySum]);

describe('inlined sequences', () => {
  test.each(sequences)('%s rm=%i', (name, rm, sequence) => {
    const { operands: types, result } = OPERATIONS[name];
    let accepted = 0;
    const check = (operands: readonly bigint[]): void => {
      const [x = 0, y = 0, z = 0] = types.map((type, i) => toValue(type, operands[i] ?? 0n));
      const value = sequence(x, y, z);
      if (value === null) return;
      accepted++;
      const expected = REFERENCE[name](GUEST_OPTIONS.riscv, operands, rm);
      expect({ operands, bits: toBits(result, value), flags: expected.flags | FLAG.NX }).toEqual({
        operands,
        bits: expected.bits,
        flags: FLAG.NX,
      });
    };
    if (types.length === 1) for (const type of types) interestingBits(type).forEach((bits) => check([bits]));
    fc.assert(fc.property(arbitraryOperands(types), check), { numRuns: 1_000 });
    expect(accepted).toBeGreaterThan(100);
  });
});
