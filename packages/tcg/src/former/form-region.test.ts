import { describe, expect, test } from '@jest/globals';
import type { Decoded, FrontEnd, InstructionDef } from '../front-end.ts';
import { ENV } from '../env.ts';
import { evaluateRegion, type EvaluatorState } from '../ir/evaluate.ts';
import type { Region, RegisterFile } from '../ir/ir.ts';
import { verifyRegion } from '../ir/verify.ts';
import type { CodeSource } from './code-source.ts';
import { formRegion, type FormerLimits } from './form-region.ts';

/**
 * A toy guest: opcode byte, register byte, signed 16-bit offset or value; `short` has two bytes. Register 1 holds the
 * target of delayed jumps, bit 0 of the mode word is set in a delay slot, bit 1 chooses another MMU index.
 */
const r: RegisterFile = { name: 'r', type: 'i32', offset: 0x400, count: 8, stride: 4 };
const reg = { kind: 'reg', file: r } as const;
const imm = { kind: 'imm32' } as const;
const target = { kind: 'target' } as const;
/** What every instruction does at its end: in a delay slot, go where the jump said. */
const INSTRUCTIONS: InstructionDef[] = [
  {
    name: 'add',
    operands: { d: reg, v: imm },
    lengths: [4],
    translate: (b, o) => {
      b.put(r, o['d'] ?? 0, b.op('add', 'i32', b.get(r, o['d'] ?? 0), b.imm(o['v'] ?? 0, 'i32')));
      if ((b.mode & 1) !== 0) b.indirect(b.get(r, 1), 'jump', { set: 0, clear: 1 });
    },
  },
  {
    name: 'branch',
    operands: { d: reg, t: target },
    lengths: [4],
    translate: (b, o) => b.branch(b.op('eqz', 'i32', b.get(r, o['d'] ?? 0)), o['t'] ?? 0),
  },
  { name: 'jump', operands: { t: target }, lengths: [4], translate: (b, o) => b.jump(o['t'] ?? 0) },
  { name: 'call', operands: { t: target }, lengths: [4], translate: (b, o) => b.callTo(o['t'] ?? 0) },
  { name: 'ret', operands: {}, lengths: [4], translate: (b) => b.indirect(b.get(r, 7), 'return') },
  { name: 'exit', operands: {}, lengths: [4], translate: (b) => b.exit('next') },
  {
    name: 'delayed',
    operands: { d: reg, t: target },
    lengths: [4],
    translate: (b, o) => {
      const taken = b.op('add', 'i32', b.pc(), b.imm(typeof o['t'] === 'number' ? o['t'] : 0, 'i32'));
      const skip = b.op('add', 'i32', b.nextPc(), b.i32(4));
      b.put(r, 1, b.select('i32', b.op('eqz', 'i32', b.get(r, o['d'] ?? 0)), taken, skip));
      b.jump('next', { set: 1, clear: 0 });
    },
  },
  {
    name: 'pchigh',
    operands: { d: reg, v: imm },
    lengths: [4],
    translate: (b, o) => b.put(r, o['d'] ?? 0, b.op('add', 'i32', b.pc(), b.imm(o['v'] ?? 0, 'i32'))),
  },
  {
    name: 'jumpto',
    operands: { d: reg, v: imm },
    lengths: [4],
    translate: (b, o) =>
      b.indirect(b.op('add', 'i32', b.get(r, o['d'] ?? 0), b.imm(o['v'] ?? 0, 'i32')), 'jump'),
  },
  { name: 'short', operands: {}, lengths: [2], translate: () => undefined },
  { name: 'supervisor', operands: {}, lengths: [4], translate: (b) => b.jump('next', { set: 2, clear: 0 }) },
  {
    name: 'callto',
    operands: { d: reg },
    lengths: [4],
    translate: (b, o) => b.indirect(b.get(r, o['d'] ?? 0), 'call'),
  },
  {
    name: 'maybe',
    operands: { d: reg, t: target },
    lengths: [4],
    translate: (b, o) => {
      b.if(b.get(r, o['d'] ?? 0), () => b.jump(o['t'] ?? 0));
      if ((b.mode & 1) !== 0) b.indirect(b.get(r, 1), 'jump', { set: 0, clear: 1 });
    },
  },
];
const OPCODES = INSTRUCTIONS.map((i) => i.name);

const frontEnd: FrontEnd = {
  name: 'toy',
  addressType: 'i32',
  bigEndian: true,
  alignmentLog2: 1,
  maxLength: 4,
  registerFiles: [r],
  helpers: [],
  instructions: INSTRUCTIONS,
  illegal: 5,
  decode(code, _pc, _mode, out: Decoded) {
    if (code.length < 2) return false;
    out.def = code.u8(0);
    const def = INSTRUCTIONS[out.def] as InstructionDef;
    out.length = def.lengths[0] as number;
    if (code.length < out.length) return false;
    const value = out.length === 4 ? (code.u16(2) << 16) >> 16 : 0;
    out.operands = Object.values(def.operands).map((k) => (k.kind === 'reg' ? code.u8(1) : value));
    return true;
  },
  mmuIndex: (mode) => mode >> 1,
};

/** Assembles at 0x1000: `[name, register, value]`. */
function assemble(
  program: readonly (readonly [string, number?, number?])[],
  at = 0x1000,
): Map<bigint, Uint8Array> {
  const pages = new Map<bigint, Uint8Array>();
  const poke = (v: number): void => {
    const page = BigInt(at >> 12);
    if (!pages.has(page)) pages.set(page, new Uint8Array(4096).fill(OPCODES.indexOf('exit')));
    (pages.get(page) as Uint8Array)[at++ & 4095] = v;
  };
  for (const [name, d = 0, v = 0] of program) {
    const def = OPCODES.indexOf(name);
    const bytes = [def, d, (v >> 8) & 255, v & 255];
    bytes.slice(0, INSTRUCTIONS[def]?.lengths[0]).forEach(poke);
  }
  return pages;
}

function form(
  program: Parameters<typeof assemble>[0],
  options: { at?: number; limits?: FormerLimits; source?: Partial<CodeSource>; mode?: number } = {},
): Region | undefined {
  const pages = assemble(program, options.at);
  const source: CodeSource = {
    page: (n) => {
      const bytes = pages.get(n);
      return bytes === undefined ? undefined : { physical: Number(n) + 0x80000, bytes };
    },
    ...options.source,
  };
  const region = formRegion(
    frontEnd,
    source,
    BigInt(options.at ?? 0x1000),
    options.mode ?? 0,
    options.limits,
  );
  if (region !== undefined) expect(verifyRegion(region, { addressType: 'i32' })).toEqual([]);
  return region;
}
const shape = (region: Region | undefined): string[] =>
  [...(region as Region).blocks]
    .map(([key, b]) => `${key.toString(16)} ${b.instructions} ${b.terminator.kind}`)
    .sort();

describe('formRegion', () => {
  test('follows branches and jumps, splits at a target in the middle', () => {
    const region = form([
      ['add', 2, 5], // 1000
      ['add', 2, -1], // 1004: loop
      ['branch', 2, 8], // 1008 -> 1010
      ['jump', 0, -8], // 100c -> 1004
      ['ret'], // 1010
    ]);
    expect(shape(region)).toEqual(['1000 1 goto', '1004 2 branch', '100c 1 goto', '1010 1 indirect']);
    expect([...(region as Region).blocks.keys()][0]).toBe(0x1000n);
    expect([...(region as Region).pages]).toEqual([[1n, 0x80001]]);
  });

  test('goes on behind calls, stops at exits', () => {
    const region = form([['call', 0, 0x100], ['callto', 3], ['add', 2, 1], ['exit'], ['add', 2, 2]]);
    expect(shape(region)).toEqual(['1000 1 call', '1004 1 indirect', '1008 2 exit']);
  });

  test('a delayed branch and its slot are one block with a direct end', () => {
    const region = form([
      ['add', 3, 1], // 1000
      ['delayed', 2, 16], // 1004 -> 1014
      ['add', 4, 1], // 1008
      ['add', 5, 1], // 100c
      ['exit'], // 1010
      ['delayed', 2, -20], // 1014 -> 1000
      ['add', 6, 1], // 1018
      ['ret'],
    ]);
    expect(shape(region)).toEqual(['1000 3 branch', '100c 2 exit', '1014 2 branch', '101c 1 indirect']);
    const env = new DataView(new ArrayBuffer(0x600));
    const state: EvaluatorState = { env, load: () => 0n, store: () => undefined, call: () => 0n };
    env.setInt32(0x400 + 2 * 4, 1, true);
    expect(evaluateRegion(region as Region, state)).toMatchObject({ kind: 'exit', pc: 0x1014n, mode: 0 });
    expect([3, 4, 5].map((i) => env.getInt32(0x400 + 4 * i, true))).toEqual([1, 1, 1]);
    expect(env.getUint32(ENV.mode, true)).toBe(0);
  });

  test('a delay slot that can leave by itself stays a block of its own, keyed with its mode', () => {
    const slot = (1n << 64n) | 0x1008n;
    const region = form([['add', 3, 1], ['delayed', 2, 16], ['maybe', 4, 64], ['ret']]);
    expect([...(region as Region).blocks.keys()].slice(0, 2)).toEqual([0x1000n, slot]);
    expect(shape(region).slice(0, 2)).toEqual(['1000 2 goto', `${slot.toString(16)} 1 indirect`]);
  });

  test('a delay slot in a page that is not seen', () => {
    const region = form(
      [
        ['delayed', 2, 16],
        ['add', 4, 1],
      ],
      {
        at: 0x1ffc,
        source: {
          page: (n) =>
            n === 1n
              ? { physical: 7, bytes: assemble([['delayed', 2, 16]], 0x1ffc).get(1n) as Uint8Array }
              : undefined,
        },
      },
    );
    const [block] = (region as Region).blocks.values();
    expect(block?.terminator).toEqual({ kind: 'goto', target: 0x2000n, mode: { set: 1, clear: 0 } });
  });

  test('address pairs make computed jumps direct, but not for who jumps between them', () => {
    const direct = form([
      ['pchigh', 3, 0x20],
      ['jumpto', 3, 0x8],
    ]);
    expect(shape(direct)).toEqual(['1000 2 goto', '1028 1 exit']);
    const entered = form([
      ['branch', 2, 8],
      ['pchigh', 3, 0x20],
      ['jumpto', 3, 0x8],
    ]);
    expect(shape(entered)).toEqual(['1000 1 branch', '1004 1 goto', '1008 1 indirect']);
  });

  test('instructions across pages: read when both are seen, else the region ends', () => {
    const program: [string, number?, number?][] = [['short'], ['add', 2, 1], ['ret']];
    const both = form(program, { at: 0x1ffc });
    expect(shape(both)).toEqual(['1ffc 3 indirect']);
    expect([...(both as Region).pages.keys()]).toEqual([1n, 2n]);
    const pages = assemble(program, 0x1ffc);
    const one = (n: bigint) => (n === 1n ? { physical: 1, bytes: pages.get(1n) as Uint8Array } : undefined);
    expect(shape(form(program, { at: 0x1ffc, source: { page: one } }))).toEqual(['1ffc 1 goto']);
    expect(form(program, { at: 0x1ffe, source: { page: one } })).toBeUndefined();
    expect(form(program, { at: 0x1ffc, source: { page: () => undefined } })).toBeUndefined();
  });

  test('limits, unexecuted code and other MMU indices stay outside', () => {
    const many: [string, number?, number?][] = Array.from({ length: 600 }, (_, i) => ['branch', i & 7, 8]);
    const limited = form(many, { limits: { blocks: 20 } }) as Region;
    expect(limited.blocks.size).toBe(20);
    const long = form(
      Array.from({ length: 100 }, () => ['add', 2, 1]),
      { limits: { instructions: 30 } },
    ) as Region;
    expect(shape(long)).toEqual(['1000 30 goto']);
    expect(
      shape(form([['branch', 2, 8], ['exit'], ['ret']], { source: { executed: (pc) => pc !== 0x1004n } })),
    ).toEqual(['1000 1 branch', '1008 1 indirect']);
    expect(shape(form([['supervisor'], ['ret']]))).toEqual(['1000 1 goto']);
  });
});
