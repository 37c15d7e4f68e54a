import { describe, expect, test } from '@jest/globals';
import { Random, randomBlock, RANDOM_GUEST, RANDOM_HELPERS } from '../filetests/random-block.ts';
import type { Block, Inst } from './ir.ts';
import { IrSyntaxError, parseIr } from './parse.ts';
import { printBlock, printFile, printHelper, printRegion } from './print.ts';
import { verifyBlock, verifyRegion } from './verify.ts';

const known = { files: [RANDOM_GUEST.x, RANDOM_GUEST.w], helpers: RANDOM_HELPERS };

describe('text form', () => {
  test('random blocks survive printing and parsing', () => {
    for (let seed = 0; seed < 300; seed++) {
      const block = randomBlock(new Random(seed));
      expect(verifyBlock(block)).toEqual([]);
      const text = printBlock(block);
      expect(parseIr(text, known).blocks).toEqual([block]);
    }
  });

  test('declarations, regions and every kind of operand', () => {
    const text = `file x i64 at 0x400 count 32 stride 8 zero 0 sink 32
helper isa.raise(i32, i64) void state fault noreturn
helper softfloat.f64_add(i64, i64, i32) i64 pure
region 0x1000 mode 3
page 0x1 0x80001
block 0x1000 mode 3 {
  insn 0x1000, 4
  v1 = const.i64 0x10
  v2 = get.i64 x[5]
  v3 = load.i64 v2, s32.be.a64.slow
  v4 = atomic_rmw.i64 v2, v3, s32.le.a64.fault.min_u
  v5 = load_env.i32 +0x500, 2
  if v5
    leave goto 0x1000 mode +4 -8
  else
    call_void.i32 raise(v5, v3)
  end
  v11 = extend32_s v4
  put.i64 x[6], v11
  indirect return v11 mode +0 -4
}
block 0x2000 mode 7 {
  insn 0x2000, 2
  exit env
}
`;
    const parsed = parseIr(text);
    if (parsed.region === undefined) throw new Error('no region');
    expect(verifyRegion(parsed.region, { addressType: 'i64' })).toEqual([]);
    const declared =
      [...parsed.files.values()].map(printFile).join('') +
      [...parsed.helpers.values()].map(printHelper).join('');
    expect(declared + printRegion(parsed.region)).toBe(text);
    expect([...parsed.region.blocks.keys()]).toEqual([0x1000n, 0x2000n | (4n << 64n)]);
  });

  test('interpreter handlers', () => {
    const text = `block 0x0 mode 0 {
  insn 0x0, 4
  v1 = field.i64 .imm
  v2 = get.i64 x[b]
  v3 = add.i64 v1, v2
  put.i64 x[a], v3
  v5 = pc.i64 0x0
  v6 = next_pc.i64
  v7 = eq.i64 v5, v6
  branch v7, .imm, next
}
`;
    const { blocks } = parseIr(text, known);
    expect(printBlock(blocks[0] as Block)).toBe(text);
    expect(verifyBlock(blocks[0] as Block, { record: true, addressType: 'i64' })).toEqual([]);
    expect(verifyBlock(blocks[0] as Block)).toHaveLength(6);
  });

  test.each([
    ['block 0x0 mode 0 {\n v0 = frob.i64\n', /line 2: no op frob/],
    ['block 0x0 mode 0 {\n v0 = add.i64 v1, v2\n', /line 2: can't read "v1"/],
    ['block 0x0 mode 0 {\n', /without end/],
    ['block 0x0 mode 0 {\n}', /without terminator/],
    ['nonsense', /line 1: unexpected/],
    ['block 0x0 mode 0 {\n v0 = get.i64 y[1]', /no register file y/],
    ['block 0x0 mode 0 {\n put.i64 x[1]\n leave over', /leave/],
  ])('%j is refused', (text, problem) => {
    expect(() => parseIr(text, known)).toThrow(problem);
    expect(() => parseIr(text, known)).toThrow(IrSyntaxError);
  });
});

describe('verifier', () => {
  const broken = (lines: string, options = {}): string[] =>
    verifyBlock(
      parseIr(`block 0x0 mode 0 {\ninsn 0x0, 4\n${lines}\nexit next\n}`, known).blocks[0] as Block,
      options,
    );
  test.each([
    ['v1 = const.i32 1\nv2 = add.i64 v1, v1', /v1 is i32, not i64/],
    ['v1 = const.i32 0x100000000', /out of range/],
    ['v1 = const.i32 1\nput.i64 x[1], v1', /v1 is i32/],
    ['v1 = const.i64 1\nput.i64 x[0], v1', /always 0/],
    ['v1 = get.i64 x[9]', /no x\[9\]/],
    ['v1 = get.i32 x[1]', /x is i64/],
    ['v1 = const.i64 1\nv2 = load.i64 v1, u32.le.a32.any', /v1 is i64, not i32/],
    ['v1 = const.i64 1\nv2 = load.i32 v1, u64.le.a64.any', /8 bytes in i32/],
    ['v1 = const.i64 1\nv2 = atomic_rmw.i64 v1, v1, u64.le.a64.any', /rmw op/],
    ['v1 = const.i32 1\nif v1\nv3 = const.i32 2\nend\nv5 = eqz.i32 v3', /no value here/],
    ['v1 = const.i32 1\nif v1\nv3 = const.i32 2\nelse\nv5 = eqz.i32 v3\nend', /no value here/],
    ['v1 = const.i32 1\nif v1', /if without end/],
    ['end', /out of place/],
    ['else', /out of place/],
    ['leave exit next', /outside if/],
    ['v1 = const.i32 1\nif v1\ninsn 0x4, 4\nend', /inside if/],
    ['v1 = const.i64 1\nv2 = call.i64 mix(v1)', /1 operands, not 2/],
    ['v1 = const.i64 1\nv2 = call.i32 mix(v1, v1)', /mix gives i64/],
    ['v1 = load_env.i64 +0x500, 3', /width 3/],
    ['v1 = const.f32 0\nv2 = add.f32 v1, v1', /no type f32/],
  ])('%j', (lines, problem) => {
    expect(broken(lines).join('\n')).toMatch(problem);
  });

  test('instruction counts, forward uses and foreign values', () => {
    const block: Block = {
      pc: 0n,
      mode: 0,
      insts: [{ op: 'eqz', type: 'i32', args: [1] } satisfies Inst],
      terminator: { kind: 'branch', condition: 7, taken: 1n << 33n, notTaken: 'next' },
      instructions: 1,
    };
    const problems = verifyBlock(block, { addressType: 'i32' }).join('\n');
    expect(problems).toMatch(/v1 is not defined before/);
    expect(problems).toMatch(/0 insn markers, 1 instructions/);
    expect(problems).toMatch(/v7 is not defined/);
    expect(problems).toMatch(/outside the address space/);
    expect(problems).toMatch(/relative target/);
  });
});
