import { describe, expect, test } from '@jest/globals';
import { Builder, ENV, evaluateBlock, type HelperDef } from '@polyvisor/tcg';
import { INSTRUCTION_INDEX, INSTRUCTIONS } from '../instructions.ts';
import { CAUSE, MODE } from '../mode.ts';
import { F, stateOffset, X } from '../state.ts';

const PC = 0x1000n;
const DIRTY = 3 | MODE.fp | MODE.fpDirty;
const BOXED = 0xffffffffffff0000n;

/** Runs one instruction on registers 1 (written), 2 and 3; helpers give 0x3c00 and write down their operands. */
function run(name: string, source: bigint, frm = 0) {
  const def = INSTRUCTIONS[INSTRUCTION_INDEX.get(name) ?? -1];
  if (def === undefined) throw new Error(name);
  const b = new Builder({ record: false, mode: DIRTY, addressType: 'i64' });
  b.begin({ pc: PC, length: 4 });
  def.translate(b, Object.fromEntries(Object.keys(def.operands).map((key, i) => [key, i + 1])));
  if (b.terminator === undefined) b.end({ kind: 'goto', target: PC + 4n });
  const env = new DataView(new ArrayBuffer(0x1000));
  env.setUint32(stateOffset('frm'), frm, true);
  for (const file of [F, X]) env.setBigUint64(file.offset + 16, source, true);
  const calls: [string, ...bigint[]][] = [];
  const stored: bigint[] = [];
  const { kind } = evaluateBlock(b.finish(PC), {
    env,
    load: () => 0xabcdn,
    store: (_address, value) => stored.push(value),
    call(helper: HelperDef, args: readonly bigint[]) {
      calls.push([helper.name, ...args.slice(1)]);
      if (helper.name === 'raise') env.setInt32(ENV.fault, Number(args[1]) + 1, true);
      return 0x3c00n;
    },
  });
  const register = (file: typeof X): bigint => env.getBigUint64(file.offset + 8, true);
  return { kind, calls, stored, f1: register(F), x1: register(X) };
}

describe('halves', () => {
  test('results are boxed in all 48 bits above', () => {
    expect(run('flh', 0n).f1).toBe(BOXED | 0xabcdn);
    expect(run('fmv.h.x', 0x1234_8765n).f1).toBe(BOXED | 0x8765n);
    expect(run('fcvt.h.s.dyn', 0n).f1).toBe(BOXED | 0x3c00n);
    // A single, which is boxed in 32 bits.
    expect(run('fcvt.s.h.dyn', 0n).f1).toBe(0xffffffff_00003c00n);
  });

  test.each([
    [BOXED | 0x8001n, 0x8001n],
    [0xffffffff_fffe8001n, 0x7e00n],
    // As a single it is boxed.
    [0xffffffff_00008001n, 0x7e00n],
    [0x8001n, 0x7e00n],
  ])('an operand %s counts as %s', (register, operand) => {
    expect(run('fclass.h', register).calls).toEqual([['f16_classify', operand]]);
  });

  test('moves look at 16 bits, boxed or not', () => {
    expect(run('fmv.x.h', 0x8001n).x1).toBe(0xffffffff_ffff8001n);
  });

  test.each(['fsqrt.h.dyn', 'fcvt.h.s.dyn', 'fcvt.s.h.dyn', 'fcvt.w.h.dyn', 'fcvt.h.lu.dyn'])(
    '%s is illegal with a reserved rounding mode',
    (name) => {
      expect(run(name, BOXED, 4)).toMatchObject({ kind: 'next', calls: [{ length: 3 }] });
      for (const frm of [5, 6, 7]) {
        const { kind, calls } = run(name, BOXED, frm);
        expect([kind, calls]).toEqual(['fault', [['raise', BigInt(CAUSE.illegalInstruction), 0n]]]);
      }
    },
  );
});
