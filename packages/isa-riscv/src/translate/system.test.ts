import { describe, expect, test } from '@jest/globals';
import {
  Builder,
  ENV,
  evaluateBlock,
  type CodeReader,
  type Decoded,
  type EvaluatorState,
  type Operand,
} from '@polyvisor/tcg';
import { decode } from '../decode/decoder.ts';
import { encodeI, encodeR } from '../decode/encode.ts';
import { INSTRUCTIONS } from '../instructions.ts';
import { CAUSE, CBO, CSR_FLAG, CSR_OP, MODE, SFENCE } from '../mode.ts';
import { X } from '../state.ts';

const PC = 0x1000n;
const USUAL = 1 | MODE.fp | MODE.fpDirty;

interface World {
  /** Helpers' results by name; a function may change the vCPU block. */
  readonly helpers?: Readonly<Record<string, (env: DataView) => bigint>>;
  readonly memory?: Map<bigint, bigint>;
}

/** Evaluates one instruction; x(i) starts as i * 0x100. Tells how it ended and what it asked for. */
function run(word: number, world: World = {}) {
  const code: CodeReader = { length: 4, u8: () => 0, u16: () => word & 0xffff, u32: () => word >>> 0 };
  const decoded: Decoded = { def: 0, length: 0, operands: [] };
  decode(code, PC, USUAL, decoded);
  const def = INSTRUCTIONS[decoded.def];
  if (def === undefined) throw new Error('decoded to nothing');
  const b = new Builder({ record: false, mode: USUAL, addressType: 'i64' });
  b.begin({ pc: PC, length: 4 });
  const keys = Object.keys(def.operands);
  def.translate(b, Object.fromEntries(keys.map((key, i) => [key, decoded.operands[i] as Operand])));
  if (b.terminator === undefined) b.jump('next');

  const env = new DataView(new ArrayBuffer(0x1000));
  env.setUint32(ENV.mode, USUAL, true);
  env.setBigInt64(ENV.reservation, -1n, true);
  for (let i = 1; i < 32; i++) env.setBigUint64(X.offset + 8 * i, BigInt(i * 0x100), true);
  const calls: (string | bigint)[][] = [];
  const stores: (readonly [address: bigint, value: bigint, width: number])[] = [];
  const state: EvaluatorState = {
    env,
    load: (address) => world.memory?.get(address) ?? 0n,
    store: (address, value, mem) => stores.push([address, value, mem.width]),
    call(helper, args) {
      calls.push([helper.name, ...args.slice(1)]);
      if (helper.noReturn) env.setInt32(ENV.fault, helper.name === 'raise' ? Number(args[1]) + 1 : 99, true);
      return world.helpers?.[helper.name]?.(env) ?? 0n;
    },
  };
  const { kind, pc } = evaluateBlock(b.finish(PC), state);
  return { kind, pc, calls, stores, env, x: (i: number) => env.getBigUint64(X.offset + 8 * i, true) };
}

const csrrs = (rd: number, rs1: number, csr: number): number => encodeI(0x2073, rd, rs1, csr);
const csrrw = (rd: number, rs1: number, csr: number): number => encodeI(0x1073, rd, rs1, csr);
const BOTH = BigInt(CSR_FLAG.read | CSR_FLAG.write);

describe('CSR instructions', () => {
  const SATP = 0x180;
  const SSTATUS = 0x100;
  const SSCRATCH = 0x140;
  const old = { csr_access: () => 0x77n };

  test('a read goes on', () => {
    const r = run(csrrs(10, 0, SATP), { helpers: old });
    expect(r).toMatchObject({ kind: 'next', pc: PC + 4n });
    expect(r.calls).toEqual([['csr_access', 0x180n, BigInt(CSR_OP.set), 0n, BigInt(CSR_FLAG.read)]]);
    expect(r.x(10)).toBe(0x77n);
  });

  test('a write that nothing depends on goes on', () => {
    const r = run(csrrw(2, 2, SSCRATCH), { helpers: old });
    expect(r).toMatchObject({ kind: 'next', pc: PC + 4n });
    expect(r.calls).toEqual([['csr_access', 0x140n, BigInt(CSR_OP.write), 0x200n, BOTH]]);
    expect(r.x(2)).toBe(0x77n);
  });

  test('any other write ends the block, and without rd does not read', () => {
    const r = run(csrrw(0, 11, SATP));
    expect(r).toMatchObject({ kind: 'exit', pc: PC + 4n });
    expect(r.calls).toEqual([['csr_access', 0x180n, BigInt(CSR_OP.write), 0xb00n, BigInt(CSR_FLAG.write)]]);
  });

  test.each([
    ['nothing follows', 'next', old],
    ['an interrupt is due', 'exit', { ...old, interrupt_due: () => 1n }],
    [
      'the mode changes',
      'exit',
      {
        csr_access: (env: DataView) => {
          env.setUint32(ENV.mode, 3, true);
          return 0x77n;
        },
      },
    ],
  ] as const)('a write to a status register, when %s', (_what, kind, helpers) => {
    const r = run(csrrs(10, 11, SSTATUS), { helpers });
    expect(r).toMatchObject({ kind, pc: PC + 4n });
    expect(r.x(10)).toBe(0x77n);
  });

  test('illegal ones leave registers alone', () => {
    const fail = (env: DataView): bigint => {
      env.setInt32(ENV.fault, CAUSE.illegalInstruction + 1, true);
      return 5n;
    };
    const r = run(csrrs(10, 0, 0x7ff), { helpers: { csr_access: fail } });
    expect(r).toMatchObject({ kind: 'fault', pc: PC });
    expect(r.x(10)).toBe(0xa00n);
  });
});

describe('fences, traps, cache blocks', () => {
  const sfence = 0x12000073;
  const sinval = 0x16000073;

  test.each([
    [encodeR(sfence, 0, 0, 0), 0n, 0n, 0],
    [encodeR(sfence, 0, 5, 0), 0x500n, 0n, SFENCE.hasVa],
    [encodeR(sfence, 0, 0, 6), 0n, 0x600n, SFENCE.hasAsid],
    [encodeR(sfence, 0, 5, 6), 0x500n, 0x600n, SFENCE.hasVa | SFENCE.hasAsid],
    [encodeR(sinval, 0, 5, 6), 0x500n, 0x600n, SFENCE.hasVa | SFENCE.hasAsid | SFENCE.sinval],
    [0x18000073, 0n, 0n, SFENCE.fenceOnly],
  ])('%# sfence.vma and its like say what they fence', (word, va, asid, flags) => {
    const r = run(word);
    expect(r).toMatchObject({ kind: 'exit', pc: PC + 4n });
    expect(r.calls).toEqual([['sfence', va, asid, BigInt(flags)]]);
  });

  test.each([
    ['mret', 0x30200073],
    ['sret', 0x10200073],
  ])('%s goes on where the helper says', (name, word) => {
    const target = (env: DataView): bigint => {
      env.setBigUint64(ENV.pc, 0x8888n, true);
      return 0n;
    };
    const r = run(word, { helpers: { [name]: target } });
    expect(r).toMatchObject({ kind: 'exit', pc: 0x8888n, calls: [[name]] });
  });

  test('ecall, ebreak and unknown encodings raise at their own pc', () => {
    expect(run(0x73)).toMatchObject({ kind: 'fault', pc: PC, calls: [['ecall']] });
    expect(run(0x100073)).toMatchObject({ kind: 'fault', pc: PC, calls: [['ebreak', PC]] });
    const illegal = [['raise', BigInt(CAUSE.illegalInstruction), 0xffffffffn]];
    expect(run(0xffffffff)).toMatchObject({ kind: 'fault', pc: PC, calls: illegal });
  });

  test('wfi and fence.i end the block', () => {
    expect(run(0x10500073)).toMatchObject({ kind: 'exit', pc: PC + 4n, calls: [['wfi']] });
    expect(run(0x100f)).toMatchObject({ kind: 'exit', pc: PC + 4n, calls: [['fence_i']] });
  });

  test('cbo.zero asks, then clears its aligned block', () => {
    const r = run(encodeI(0x200f, 0, 5, CBO.zero));
    expect(r.calls).toEqual([['cbo', BigInt(CBO.zero), 0x500n]]);
    expect(r.stores).toEqual([...Array(8).keys()].map((i) => [0x500n + 8n * BigInt(i), 0n, 8]));
  });

  test('other cache-block operations only ask', () => {
    const r = run(encodeI(0x200f, 0, 5, CBO.flush));
    expect(r).toMatchObject({ kind: 'next', calls: [['cbo', BigInt(CBO.flush), 0x500n]], stores: [] });
  });

  test('ctzw of a zero word is 32', () => {
    expect(run(0x6010151b).x(10)).toBe(32n);
  });
});
