import { describe, expect, test } from '@jest/globals';
import { Random } from '../filetests/random-block.ts';
import { fusedMultiplyAdd } from './fused-multiply-add.ts';
import { opRow, type Op, type ValueType } from './ops.ts';
import { bitsOf, floatOf, patternOf, SEMANTICS } from './semantics.ts';

/** Opcodes of WebAssembly 2.0, 5.4 (binary format of instructions), for ops that are one instruction there. */
const WASM: readonly (readonly [Op, ValueType, readonly number[]])[] = [
  ...(
    [
      ['eqz', 0x45, 0x50],
      ['eq', 0x46, 0x51],
      ['ne', 0x47, 0x52],
      ['lt_s', 0x48, 0x53],
      ['lt_u', 0x49, 0x54],
      ['gt_s', 0x4a, 0x55],
      ['gt_u', 0x4b, 0x56],
      ['le_s', 0x4c, 0x57],
      ['le_u', 0x4d, 0x58],
      ['ge_s', 0x4e, 0x59],
      ['ge_u', 0x4f, 0x5a],
      ['clz', 0x67, 0x79],
      ['ctz', 0x68, 0x7a],
      ['popcnt', 0x69, 0x7b],
      ['add', 0x6a, 0x7c],
      ['sub', 0x6b, 0x7d],
      ['mul', 0x6c, 0x7e],
      ['div_s', 0x6d, 0x7f],
      ['div_u', 0x6e, 0x80],
      ['rem_s', 0x6f, 0x81],
      ['rem_u', 0x70, 0x82],
      ['and', 0x71, 0x83],
      ['or', 0x72, 0x84],
      ['xor', 0x73, 0x85],
      ['shl', 0x74, 0x86],
      ['shr_s', 0x75, 0x87],
      ['shr_u', 0x76, 0x88],
      ['rotl', 0x77, 0x89],
      ['rotr', 0x78, 0x8a],
      ['extend8_s', 0xc0, 0xc2],
      ['extend16_s', 0xc1, 0xc3],
    ] as const
  ).flatMap(([op, i32, i64]) => [[op, 'i32', [i32]] as const, [op, 'i64', [i64]] as const]),
  ['extend32_s', 'i64', [0xc4]],
  ['wrap', 'i32', [0xa7]],
  ['extend_s', 'i64', [0xac]],
  ['extend_u', 'i64', [0xad]],
  ...(
    [
      ['feq', 0x5b, 0x61],
      ['flt', 0x5d, 0x63],
      ['fle', 0x5f, 0x65],
      ['fabs', 0x8b, 0x99],
      ['fneg', 0x8c, 0x9a],
      ['fceil', 0x8d, 0x9b],
      ['ffloor', 0x8e, 0x9c],
      ['ftrunc', 0x8f, 0x9d],
      ['fnearest', 0x90, 0x9e],
      ['fsqrt', 0x91, 0x9f],
      ['fadd', 0x92, 0xa0],
      ['fsub', 0x93, 0xa1],
      ['fmul', 0x94, 0xa2],
      ['fdiv', 0x95, 0xa3],
      ['convert_i32_s', 0xb2, 0xb7],
      ['convert_i32_u', 0xb3, 0xb8],
      ['convert_i64_s', 0xb4, 0xb9],
      ['convert_i64_u', 0xb5, 0xba],
    ] as const
  ).flatMap(([op, f32, f64]) => [[op, 'f32', [f32]] as const, [op, 'f64', [f64]] as const]),
  ['demote', 'f32', [0xb6]],
  ['promote', 'f64', [0xbb]],
  ['trunc_f32_s', 'i32', [0xfc, 0]],
  ['trunc_f32_u', 'i32', [0xfc, 1]],
  ['trunc_f64_s', 'i32', [0xfc, 2]],
  ['trunc_f64_u', 'i32', [0xfc, 3]],
  ['trunc_f32_s', 'i64', [0xfc, 4]],
  ['trunc_f32_u', 'i64', [0xfc, 5]],
  ['trunc_f64_s', 'i64', [0xfc, 6]],
  ['trunc_f64_u', 'i64', [0xfc, 7]],
];

const CODE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };

/** A module with one exported function `f` that applies one instruction to its parameters. */
function instance(params: readonly ValueType[], result: ValueType, opcode: readonly number[]) {
  const body = [0, ...params.flatMap((_, i) => [0x20, i]), ...opcode, 0x0b];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, params.length + 5, 1, 0x60, params.length, ...params.map((p) => CODE[p]), 1, CODE[result]],
    ...[3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, body.length + 2, 1, body.length, ...body],
  ];
  const module = new WebAssembly.Module(new Uint8Array(bytes));
  return new WebAssembly.Instance(module).exports['f'] as (...args: (number | bigint)[]) => number | bigint;
}

const toWasm = (type: ValueType, v: bigint): number | bigint =>
  type === 'i64' ? v : type === 'i32' ? Number(v) : floatOf(bitsOf(type), v);
const fromWasm = (type: ValueType, v: number | bigint): bigint =>
  type === 'i64' || type === 'i32'
    ? BigInt.asUintN(bitsOf(type), BigInt(v))
    : patternOf(bitsOf(type), Number(v));
const isNan = (type: ValueType, v: bigint): boolean =>
  (type === 'f32' || type === 'f64') && Number.isNaN(floatOf(bitsOf(type), v));

const FLOATS = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -2.5,
  1e-320,
  1e-40,
  3.4e38,
  1e300,
  -1e300,
  Infinity,
  -Infinity,
  NaN,
];
const MORE = [
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 63,
  -(2 ** 63),
  2 ** 64,
  2251799813685249.5,
  16777217,
  8388609.5,
];

function operand(random: Random, type: ValueType): bigint {
  const bits = bitsOf(type);
  if (type === 'i32' || type === 'i64' || random.below(2) === 0) return random.bits(bits);
  return patternOf(bits, random.pick([...FLOATS, ...MORE]));
}

describe('ops agree with WebAssembly', () => {
  test.each(WASM)('%s %s', (op, type, opcode) => {
    const row = opRow(op);
    const params = row.args.map((p) => (p === 'T' ? type : p));
    const result = row.result === 'T' ? type : (row.result as ValueType);
    const f = instance(params, result, opcode);
    const random = new Random(opcode[0] as number);
    for (let i = 0; i < 400; i++) {
      const args = params.map((p) => operand(random, p));
      if (/^(div|rem)/.test(op) && (args[1] === 0n || /_s$/.test(op))) {
        if (args[1] === 0n || BigInt.asIntN(bitsOf(type), args[1] as bigint) === -1n) continue;
      }
      const semantics = SEMANTICS[op];
      const got = semantics?.(bitsOf(type), args[0] as bigint, args[1] ?? 0n, args[2] ?? 0n) ?? -1n;
      const want = fromWasm(result, f(...args.map((a, k) => toWasm(params[k] as ValueType, a))));
      if (isNan(result, want)) expect(isNan(result, got)).toBe(true);
      else expect([op, args, got]).toEqual([op, args, want]);
    }
  });
});

describe('ops without a WebAssembly instruction', () => {
  const f = (op: Op, bits: 32 | 64, ...args: bigint[]): bigint =>
    SEMANTICS[op]?.(bits, args[0] as bigint, args[1] ?? 0n, args[2] ?? 0n) ?? -1n;
  test('high halves of products, byte swaps, selection', () => {
    const m = (1n << 64n) - 1n;
    expect(f('mulh_u', 64, m, m)).toBe(m - 1n);
    expect(f('mulh_s', 64, m, m)).toBe(0n);
    expect(f('mulh_su', 64, m, m)).toBe(m);
    expect(f('mulh_s', 32, 0x80000000n, 2n)).toBe(0xffffffffn);
    expect(f('bswap', 32, 0x12345678n)).toBe(0x78563412n);
    expect(f('select', 64, 2n, 5n, 6n)).toBe(5n);
    expect(() => f('div_s', 32, 0x80000000n, 0xffffffffn)).toThrow(RangeError);
    expect(() => f('rem_u', 32, 1n, 0n)).toThrow(RangeError);
  });

  test('fma rounds once', () => {
    const d = (v: number): bigint => patternOf(64, v);
    const fma = (a: number, b: number, c: number): number =>
      floatOf(64, fusedMultiplyAdd(64, d(a), d(b), d(c)));
    // a*b = 1 - 2^-54 lies between doubles; the sum keeps what a separate multiplication loses.
    expect(fma(1 + 2 ** -27, 1 - 2 ** -27, -1)).toBe(-(2 ** -54));
    expect(fma(0.1, 10, -1)).toBe(2 ** -54);
    expect(fma(5e-324, 0.5, 0)).toBe(0);
    expect(fma(5e-324, 0.75, 0)).toBe(5e-324);
    expect(fma(1.7976931348623157e308, 2, 0)).toBe(Infinity);
    expect(fma(1.7976931348623157e308, 2, -1.7976931348623157e308)).toBe(1.7976931348623157e308);
    expect(fma(Infinity, 0, 1)).toBeNaN();
    expect(Object.is(fma(-1, 0, -0), -0)).toBe(true);
    expect(Object.is(fma(1, 1, -1), 0)).toBe(true);
    // Where the product is exact, f32's fma equals one addition in f64 rounded once.
    const s = (v: number): bigint => patternOf(32, v);
    expect(floatOf(32, fusedMultiplyAdd(32, s(3), s(5), s(0.25)))).toBe(15.25);
    expect(floatOf(32, fusedMultiplyAdd(32, s(1e30), s(1e30), s(1)))).toBe(Infinity);
  });
});
