import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { arbitraryOperands, interestingBits, specialBits } from '../test/operands.ts';
import { createSubject } from '../test/subject.ts';
import {
  FLAG,
  GUEST_OPTIONS,
  OPERATIONS,
  OPERATION_NAMES,
  OPTION,
  REFERENCE,
  ROUNDING,
  missingOperations,
  probeHostFmaFused,
} from './index.ts';
import type { OperationName } from './index.ts';
import { compileSoftfloat } from './node/index.ts';
import { FORMATS } from './reference/format.ts';

const subject = createSubject();
const FUSED = probeHostFmaFused() ? OPTION.HOST_FMA_FUSED : 0;
const OPTIONS = [
  GUEST_OPTIONS.riscv,
  GUEST_OPTIONS.riscv | FUSED,
  GUEST_OPTIONS.riscv | OPTION.TININESS_BEFORE_ROUNDING,
  GUEST_OPTIONS.x86 | FUSED,
  GUEST_OPTIONS.arm,
  GUEST_OPTIONS.arm | OPTION.DEFAULT_NAN,
];
const MODES = Object.values(ROUNDING);

/** Compares wasm and reference for one case, from clear flags and with inexact set already. */
function check(name: OperationName, options: number, operands: readonly bigint[], rm: number): void {
  const expected = REFERENCE[name](options, operands, rm);
  for (const sticky of [0, FLAG.NX, FLAG.DZ]) {
    const actual = subject(name, options, sticky, operands, rm);
    if (actual.bits !== expected.bits || actual.flags !== (expected.flags | sticky)) {
      const hex = (bits: bigint): string => bits.toString(16);
      throw new Error(
        `${name}(${operands.map(hex).join(', ')}) rm=${rm} options=${options} sticky=${sticky}: ` +
          `${hex(actual.bits)} ${actual.flags}, expected ${hex(expected.bits)} ${expected.flags | sticky}`,
      );
    }
  }
}

function bitsOf(x: number): bigint {
  return new BigUint64Array(Float64Array.of(x).buffer)[0] ?? 0n;
}

function modesOf(name: OperationName): number[] {
  return OPERATIONS[name].rounds ? MODES : [0];
}

test('the module exports every operation of the table and nothing else', () => {
  const module = compileSoftfloat();
  expect(missingOperations(module)).toEqual([]);
  expect(WebAssembly.Module.exports(module)).toHaveLength(OPERATION_NAMES.length);
});

test('the module leaves all memory but the flags alone', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  new Uint8Array(memory.buffer).fill(0xa5);
  new WebAssembly.Instance(compileSoftfloat(), { env: { memory } });
  expect(new Uint8Array(memory.buffer).every((byte) => byte === 0xa5)).toBe(true);
});

describe('results that round up to the smallest normal number', () => {
  // Tiny when rounded with an unbounded exponent, or only before rounding, or never: all three raise different flags.
  const cases: [OperationName, bigint[]][] = [];
  for (const [format, one, smallest] of [
    ['f64', 0x3ffn << 52n, 1n << 52n],
    ['f32', 0x7fn << 23n, 1n << 23n],
    ['f16', 0xfn << 10n, 1n << 10n],
  ] as const) {
    const { precision, width } = FORMATS[format];
    for (const below of [0n, 1n, 2n, 3n, 4n]) {
      for (const above of [0n, 1n, 2n, 3n, 4n]) {
        cases.push([`${format}_mul`, [one - below, smallest + above]]);
        cases.push([`${format}_mul`, [one + above, smallest - below]]);
        cases.push([`${format}_div`, [smallest - below, one + above]]);
        cases.push([`${format}_div`, [smallest + above, one + below]]);
        cases.push([`${format}_fma`, [one - below, smallest + above, 0n]]);
        const tiny = one - ((precision + 1n) << (precision - 1n));
        for (const sign of [0n, 1n << (width - 1n)]) {
          cases.push([`${format}_fma`, [tiny + above, (smallest - below) | sign, smallest]]);
        }
      }
    }
  }
  for (const offset of [-(1n << 29n), -(1n << 28n), -1n, 0n, 1n]) {
    for (const tie of [1n, 1n << 28n, (1n << 28n) + 1n, (1n << 28n) - 1n]) {
      cases.push(['f64_to_f32', [((0x3ffn - 126n) << 52n) + offset - tie]]);
      cases.push(['f64_to_f16', [((0x3ffn - 14n) << 52n) + ((offset - tie) << 13n)]]);
      cases.push(['f32_to_f16', [((0x7fn - 14n) << 23n) + ((offset - tie) >> 16n)]]);
    }
  }
  test.each(OPTIONS)('options %i', (options) => {
    for (const [name, operands] of cases) for (const rm of MODES) check(name, options, operands, rm);
  });
});

test('a fused product a hair above a tie', () => {
  // (1 + x)(1 - x + x^2) = 1 + x^3 with x = 2^-26: only the lowest bits of the 106 tell it from a tie.
  const factors = [bitsOf(1 + 2 ** -26), bitsOf(1 - 2 ** -26 + 2 ** -52)];
  const minus = 1n << 63n;
  for (const addend of [2 ** 53, 2 ** 53 + 2, 2 ** 54 - 2, 2 ** 54, 2 ** 54 + 4, 2 ** 60, 2 ** 100].map(
    bitsOf,
  )) {
    for (const sign of [0n, minus]) {
      for (const options of OPTIONS) {
        for (const rm of MODES) check('f64_fma', options, [...factors, addend ^ sign], rm);
      }
    }
  }
});

describe.each(OPERATION_NAMES)('%s', (name) => {
  const { operands: types } = OPERATIONS[name];

  test('agrees with the reference on all combinations of special operands', () => {
    const lists = types.map(specialBits);
    const combinations = lists.reduce<bigint[][]>(
      (heads, list) => heads.flatMap((head) => list.map((bits) => [...head, bits])),
      [[]],
    );
    for (const [i, operands] of combinations.entries()) {
      const all = types.length === 3 ? [OPTIONS[i % OPTIONS.length] ?? 0] : OPTIONS;
      for (const options of all) for (const rm of modesOf(name)) check(name, options, operands, rm);
    }
  });

  test('agrees with the reference on the boundary operands', () => {
    const lists = types.map(interestingBits);
    const total = lists.reduce((product, list) => product * list.length, 1);
    // A stride coprime to the lengths walks through the whole product without listing it.
    const cases = Math.min(total, 5_000);
    const stride = Math.max(1, Math.floor(total / cases)) | 1;
    for (let i = 0; i < cases; i++) {
      let rest = (i * stride) % total;
      const operands = lists.map((list) => {
        const bits = list[rest % list.length] ?? 0n;
        rest = Math.floor(rest / list.length);
        return bits;
      });
      const options = OPTIONS[i % OPTIONS.length] ?? 0;
      for (const rm of modesOf(name)) check(name, options, operands, rm);
    }
  });

  test('agrees with the reference on random operands', () => {
    fc.assert(
      fc.property(
        arbitraryOperands(types),
        fc.constantFrom(...modesOf(name)),
        fc.constantFrom(...OPTIONS),
        (operands, rm, options) => check(name, options, operands, rm),
      ),
      { numRuns: 3_000 },
    );
  });
});
