import { describe, expect, test } from '@jest/globals';
import {
  Builder,
  ENV,
  evaluateBlock,
  type EvaluatorState,
  type HelperDef,
  type Operand,
} from '@polyvisor/tcg';
import { INSTRUCTION_INDEX, INSTRUCTIONS } from '../instructions.ts';
import { MODE } from '../mode.ts';
import { F, X } from '../state.ts';

const PC = 0x1000n;

/** Runs one instruction on registers 1, 2, 3 in a mode; tells how it ended and what it called. */
function run(name: string, mode: number, record: boolean) {
  const def = INSTRUCTIONS[INSTRUCTION_INDEX.get(name) ?? -1];
  if (def === undefined) throw new Error(name);
  const b = new Builder({ record, mode: record ? 0 : mode, addressType: 'i64' });
  b.begin({ pc: PC, length: 4 });
  const fields = ['a', 'b', 'c'] as const;
  const operands = Object.keys(def.operands).map((key, i): [string, Operand] => [
    key,
    record ? (fields[i] as Operand) : i + 1,
  ]);
  def.translate(b, Object.fromEntries(operands));
  if (b.terminator === undefined) b.end({ kind: 'goto', target: record ? 'next' : PC + 4n });
  const env = new DataView(new ArrayBuffer(0x1000));
  env.setUint32(ENV.mode, mode, true);
  env.setBigUint64(F.offset + 16, 0x4000000000000000n, true);
  env.setBigUint64(X.offset + 16, 77n, true);
  const calls: string[] = [];
  const state: EvaluatorState = {
    env,
    load: () => 0n,
    store: () => {},
    call(helper: HelperDef, args: readonly bigint[]) {
      calls.push(helper.name);
      if (helper.name === 'raise') env.setInt32(ENV.fault, Number(args[1]) + 1, true);
      if (helper.name === 'fp_dirty') env.setBigUint64(ENV.pc, args[1] ?? 0n, true);
      return 0n;
    },
    ...(record ? { record: { fields: { a: 8n, b: 16n, c: 24n }, pc: PC, length: 4 } } : {}),
  };
  const { kind, pc } = evaluateBlock(b.finish(PC), state);
  return {
    kind,
    pc,
    calls,
    fault: env.getInt32(ENV.fault, true),
    f1: env.getBigUint64(F.offset + 8, true),
    used: b.modeUsed,
  };
}

const OFF = 3;
const CLEAN = OFF | MODE.fp;
const DIRTY = CLEAN | MODE.fpDirty;

describe.each([
  ['constant', false],
  ['record', true],
] as const)('floating-point state, %s operands', (_name, record) => {
  test.each(['fmv.d.x', 'fmv.x.d', 'fmv.h.x', 'fmv.x.h', 'fsh'])('%s is illegal while FS is off', (name) => {
    expect(run(name, OFF, record)).toMatchObject({ kind: 'fault', pc: PC, fault: 3, calls: ['raise'] });
  });

  test('a write makes FS dirty first and comes back', () => {
    expect(run('fmv.d.x', CLEAN, record)).toMatchObject({
      kind: 'exit',
      pc: PC,
      calls: ['fp_dirty'],
      f1: 0n,
    });
  });

  test('a write goes ahead when FS is dirty', () => {
    expect(run('fmv.d.x', DIRTY, record)).toMatchObject({ kind: 'next', pc: PC + 4n, calls: [], f1: 77n });
  });

  test('a read needs FS on only', () => {
    expect(run('fmv.x.d', CLEAN, record)).toMatchObject({ kind: 'next', pc: PC + 4n, calls: [] });
  });
});

test('translations tell which mode bits they depend on', () => {
  expect(run('fmv.d.x', DIRTY, false).used).toBe(MODE.fp | MODE.fpDirty);
  expect(run('fmv.x.d', DIRTY, false).used).toBe(MODE.fp);
  expect(run('add', DIRTY, false).used).toBe(0);
});
