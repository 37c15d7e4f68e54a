import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { arbitraryOperands, interestingBits } from '../test/operands.ts';
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

describe.each(OPERATION_NAMES)('%s', (name) => {
  const { operands: types } = OPERATIONS[name];

  test('agrees with the reference on the boundary operands', () => {
    const lists = types.map(interestingBits);
    const total = lists.reduce((product, list) => product * list.length, 1);
    // A stride coprime to the lengths walks through the whole product without listing it.
    const cases = Math.min(total, 1_500);
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
      { numRuns: 1_000 },
    );
  });
});
