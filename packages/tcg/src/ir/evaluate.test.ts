import { describe, expect, test } from '@jest/globals';
import { ENV } from '../env.ts';
import { evaluateBlock, evaluateRegion, type EvaluatorState } from './evaluate.ts';
import type { Block, Region } from './ir.ts';
import { parseIr } from './parse.ts';

const DECLARATIONS = `file x i64 at 0x400 count 8 stride 8 zero 0
helper isa.check(i64) i64 state fault
`;

function machine(
  overrides: Partial<EvaluatorState> = {},
): EvaluatorState & { readonly memory: Map<bigint, bigint> } {
  const memory = new Map<bigint, bigint>();
  const env = new DataView(new ArrayBuffer(0x600));
  return {
    env,
    memory,
    load: (address) => memory.get(address) ?? 0n,
    store: (address, value) => void memory.set(address, value),
    call: (_, [v]) => {
      if (v === 13n) env.setInt32(ENV.fault, 7, true);
      return (v ?? 0n) + 1n;
    },
    ...overrides,
  };
}
const x = (m: EvaluatorState, i: number): bigint => m.env.getBigUint64(0x400 + 8 * i, true);
const setX = (m: EvaluatorState, i: number, v: bigint): void => m.env.setBigUint64(0x400 + 8 * i, v, true);
const block = (body: string): Block =>
  parseIr(`${DECLARATIONS}block 0x100 mode 0 {\n${body}\n}`).blocks[0] as Block;

describe('evaluateBlock', () => {
  test('registers, memory, if and else, terminators', () => {
    const m = machine();
    setX(m, 1, 0x40n);
    setX(m, 2, 5n);
    m.memory.set(0x48n, 0xfffffff0n);
    const b = block(`
      insn 0x100, 4
      a = get.i64 x[1]
      eight = const.i64 8
      at = add.i64 a, eight
      v = load.i64 at, s32.le.a64.any
      put.i64 x[3], v
      insn 0x104, 2
      n = get.i64 x[2]
      five = const.i64 5
      c = eq.i64 n, five
      if c
        put.i64 x[4], five
      else
        put.i64 x[4], eight
      end
      if c
        q = add.i64 five, eight
        put.i64 x[5], q
      end
      z = eqz.i64 n
      branch z, 0x200, 0x300`);
    expect(evaluateBlock(b, m)).toEqual({ kind: 'next', pc: 0x300n, mode: 0, by: 'branch' });
    expect([x(m, 3), x(m, 4), x(m, 5)]).toEqual([0xfffffffffffffff0n, 5n, 13n]);
    setX(m, 2, 0n);
    expect(evaluateBlock(b, m).pc).toBe(0x200n);
    expect(x(m, 4)).toBe(8n);
  });

  test('a fault stops at its instruction, with what came before done', () => {
    const m = machine();
    const b = block(`
      insn 0x100, 4
      v = const.i64 13
      put.i64 x[1], v
      insn 0x104, 4
      r = call.i64 check(v)
      put.i64 x[2], r
      exit next`);
    expect(evaluateBlock(b, m)).toEqual({ kind: 'fault', pc: 0x104n, mode: 0, by: 'fault' });
    expect([x(m, 1), x(m, 2)]).toEqual([13n, 0n]);
  });

  test('atomics give the old value and write the new one in their width', () => {
    const m = machine();
    m.memory.set(8n, 0x80000000n);
    setX(m, 1, 8n);
    const b = block(`
      insn 0x100, 4
      a = get.i64 x[1]
      one = const.i64 1
      old = atomic_rmw.i64 a, one, s32.le.a64.fault.min_s
      put.i64 x[2], old
      big = atomic_rmw.i64 a, one, u32.le.a64.fault.max_s
      put.i64 x[3], big
      seven = const.i64 7
      won = atomic_cas.i64 a, one, seven, u32.le.a64.fault
      put.i64 x[4], won
      exit next`);
    expect(evaluateBlock(b, m).pc).toBe(0x104n);
    expect([x(m, 2), x(m, 3), x(m, 4)]).toEqual([0xffffffff80000000n, 0x80000000n, 1n]);
    expect(m.memory.get(8n)).toBe(7n);
  });

  test('leave, mode changes and interpreter records', () => {
    const m = machine({
      record: { fields: { a: 8n, b: 16n, imm: BigInt(-8) << 32n }, pc: 0x100n, length: 4 },
    });
    setX(m, 2, 3n);
    const b = block(`
      insn 0x0, 4
      v = get.i64 x[b]
      put.i64 x[a], v
      c = eqz.i64 v
      if c
        leave exit env
      end
      goto .imm mode +2 -1`);
    m.env.setUint32(ENV.mode, 5, true);
    expect(evaluateBlock(b, m)).toEqual({ kind: 'next', pc: 0xf8n, mode: 6, by: 'goto' });
    expect(x(m, 1)).toBe(3n);
    setX(m, 2, 0n);
    m.env.setBigUint64(ENV.pc, 0x777n, true);
    expect(evaluateBlock(b, m)).toMatchObject({ kind: 'exit', pc: 0x777n });
  });
});

test('evaluateRegion follows edges until control leaves', () => {
  const text = `${DECLARATIONS}
region 0x100 mode 0
block 0x100 mode 0 {
  insn 0x100, 4
  v1 = get.i64 x[1]
  v2 = const.i64 0xffffffffffffffff
  v3 = add.i64 v1, v2
  put.i64 x[1], v3
  v5 = get.i64 x[2]
  v6 = add.i64 v5, v1
  put.i64 x[2], v6
  v8 = eqz.i64 v3
  branch v8, 0x104, 0x100
}
block 0x104 mode 0 {
  insn 0x104, 4
  call_to 0x100
}
`;
  const m = machine();
  setX(m, 1, 10n);
  expect(evaluateRegion(parseIr(text).region as Region, m)).toMatchObject({
    kind: 'next',
    by: 'call',
    pc: 0x100n,
  });
  expect(x(m, 2)).toBe(55n);
  setX(m, 1, 10n);
  expect(evaluateRegion(parseIr(text).region as Region, m, { limit: 4 })).toMatchObject({
    kind: 'exit',
    pc: 0x100n,
  });
});
