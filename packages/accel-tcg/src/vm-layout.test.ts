import { describe, expect, test } from '@jest/globals';
import { ENV } from '@polyvisor/tcg';
import fc from 'fast-check';
import { layOutVm } from './vm-layout.ts';

const GIB = 2 ** 30;

describe('layOutVm', () => {
  test('parts follow each other without overlap, for every size that the command allows', () => {
    const guest = fc.integer({ min: 32 << 20, max: 3 * GIB + 0x10000 }).map((n) => n - (n % 4096));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), guest, fc.boolean(), (vcpus, bytes, lockstep) => {
        const layout = layOutVm(vcpus, bytes, lockstep);
        const arenas = vcpus * (lockstep ? 2 : 1) * layout.arenaBytes;
        const starts = [
          layout.regionTable,
          layout.words,
          layout.codeLog,
          layout.vcpus,
          layout.vcpus + vcpus * ENV.size,
          layout.counters,
          layout.flags,
          layout.flags + layout.flagsBytes,
          layout.arenas + arenas,
          layout.ram + bytes,
          layout.wasmPages * 65536,
        ];
        expect([...starts].sort((a, b) => a - b)).toEqual(starts);
        // Other processes may have these pages, and nothing but counters and flags lies in them.
        expect(layout.counters % 4096).toBe(0);
        expect(layout.flags).toBe(layout.counters + 4096);
        expect(layout.arenas).toBeGreaterThanOrEqual(
          Math.ceil((layout.flags + layout.flagsBytes) / 4096) * 4096,
        );
        expect(layout.ram % 65536).toBe(0);
        expect(layout.wasmPages).toBeLessThanOrEqual(65536);
        expect(layout.flagsBytes * 4096).toBeGreaterThanOrEqual(bytes);
      }),
    );
  });

  test('refuses what a 32-bit memory cannot hold', () => {
    expect(() => layOutVm(1, 4 * GIB)).toThrow('exceeds a 32-bit wasm memory');
  });
});
