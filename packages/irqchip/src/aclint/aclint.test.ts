import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { aclintWords, createAclint, createRecordingSignals, MIP_MSIP } from '../index.ts';
import type { Aclint, RecordingSignals } from '../index.ts';
import { loadAclint, saveAclint } from '../save-state.ts';

function open(harts = 2): { aclint: Aclint; signals: RecordingSignals; time: { ns: number } } {
  const words = new Int32Array(new SharedArrayBuffer(aclintWords(harts) * 4));
  const signals = createRecordingSignals(harts);
  const time = { ns: 0 };
  const aclint = createAclint({ words, harts, signals, clock: { nowNs: () => time.ns }, nsPerTick: 100 });
  aclint.reset();
  return { aclint, signals, time };
}

describe('ACLINT', () => {
  test('msip', () => {
    const { aclint, signals } = open();
    aclint.write(4, 4, 0xffff_ffff, 0);
    expect(signals.mip).toEqual([0, 1 << MIP_MSIP]);
    expect(aclint.read(4, 4)).toBe(1);
    aclint.write(4, 4, 2, 0);
    expect(signals.mip).toEqual([0, 0]);
    aclint.write(8, 4, 1, 0);
    expect(aclint.read(8, 4)).toBe(0);
  });

  test('mtimecmp in halves and whole, all ones after reset', () => {
    const { aclint, signals } = open();
    expect(signals.timers).toEqual([
      [0xffff_ffff, 0xffff_ffff],
      [0xffff_ffff, 0xffff_ffff],
    ]);
    aclint.write(0x4008, 4, 7, 0);
    expect(signals.timers[1]).toEqual([7, 0xffff_ffff]);
    aclint.write(0x400c, 4, 1, 0);
    expect(signals.timers[1]).toEqual([7, 1]);
    aclint.write(0x4000, 8, 0x8000_0000, 0x9000_0000);
    expect(signals.timers[0]).toEqual([0x8000_0000, 0x9000_0000]);
    expect(aclint.read(0x4000, 8)).toBe(0x8000_0000);
    expect(aclint.high).toBe(0x9000_0000);
    expect(aclint.read(0x4004, 4)).toBe(0x9000_0000);
    expect(aclint.high).toBe(0);
  });

  test('mtime counts ticks of the clock in 64 bits', () => {
    const { aclint, time } = open();
    time.ns = (3 * 2 ** 32 + 5) * 100 + 99;
    expect([aclint.read(0xbff8, 8), aclint.high]).toEqual([5, 3]);
    expect([aclint.read(0xbffc, 4), aclint.high]).toEqual([3, 0]);
    aclint.write(0xbff8, 8, 0, 0);
    expect(aclint.read(0xbff8, 4)).toBe(5);
  });

  test('saves and loads, whatever was written; refuses what it has no register for', () => {
    const write = fc.record({
      offset: fc.nat(0xffff),
      width: fc.constantFrom(1, 2, 4, 8),
      low: fc.nat(0xffffffff),
      high: fc.nat(0xffffffff),
    });
    fc.assert(
      fc.property(fc.array(write), (writes) => {
        const { aclint, signals } = open();
        for (const { offset, width, low, high } of writes) {
          aclint.write(offset, width, low, high);
          aclint.read(offset, width);
          const aligned = offset % width === 0 && (width === 4 || (width === 8 && offset >= 0x4000));
          expect(aclint.fault).toBe(!aligned);
        }
        const saved = saveAclint(aclint);
        const other = open();
        loadAclint(other.aclint, saved);
        expect(saveAclint(other.aclint)).toEqual(saved);
        expect(other.signals.timers).toEqual(signals.timers);
        expect(other.signals.mip).toEqual(signals.mip);
      }),
      { numRuns: 100 },
    );
    expect(() => loadAclint(open(2).aclint, saveAclint(open(1).aclint))).toThrow('bad saved state');
  });
});
