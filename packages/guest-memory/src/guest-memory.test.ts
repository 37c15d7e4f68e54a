import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  allocateGuestMemory,
  COUNTER_STALE,
  createDirtyLog,
  createGuestMemory,
  createTestGuestMemory,
  FLAG_CLEAN,
  FLAG_CODE,
  FLAG_DIRTY,
  FLAG_STALE,
} from './index.ts';
import type { DirtyRange } from './index.ts';

const RAM = 0x8000_0000;

describe('locate', () => {
  test('finds a range only when all of it lies in one RAM region', () => {
    const memory = createGuestMemory(
      allocateGuestMemory([
        { gpa: 0x1000, size: 0x1000, readOnly: true },
        { gpa: RAM, size: 0x4000, readOnly: false },
      ]),
    );
    expect(memory.locate(RAM, 0x4000)).toBe(0x1000);
    expect(memory.locate(RAM + 0x3fff, 1)).toBe(0x4fff);
    expect(memory.locate(RAM + 0x4000, 0)).toBe(0x5000);
    expect(memory.locate(RAM + 0x3fff, 2)).toBe(-1);
    expect(memory.locate(RAM - 1, 2)).toBe(-1);
    expect(memory.locate(0x1000, 8)).toBe(-1);
    expect(memory.locateRom(0x1000, 8)).toBe(0);
    expect(memory.load(0x1000, Uint8Array.of(7))).toBe(true);
    expect(memory.bytes[0]).toBe(7);
  });

  test('never goes outside, whatever the guest writes', () => {
    const memory = createTestGuestMemory({ size: 0x3000 });
    const wild = fc.oneof(fc.double(), fc.maxSafeNat(), fc.integer({ min: RAM - 5, max: RAM + 0x3005 }));
    fc.assert(
      fc.property(wild, wild, (gpa, length) => {
        const offset = memory.locate(gpa, length);
        const inside = gpa >= RAM && length >= 0 && gpa + length <= RAM + 0x3000;
        if (inside) expect(offset).toBe(gpa - RAM);
        else expect(offset).toBe(-1);
        memory.wrote(gpa, length);
      }),
    );
  });

  test('a layout that contradicts itself is refused', () => {
    const layout = allocateGuestMemory([{ gpa: RAM, size: 0x2000, readOnly: false }]);
    const region = layout.regions[0];
    if (region === undefined) throw new Error('no region');
    for (const bad of [
      { ...region, size: 0x3000 },
      { ...region, gpa: RAM + 1 },
      { ...region, offset: 0x1000 },
    ]) {
      expect(() => createGuestMemory({ ...layout, regions: [bad] })).toThrow('bad guest memory layout');
    }
    expect(() => createGuestMemory({ ...layout, regions: [region, region] })).toThrow('overlaps');
  });
});

describe('wrote', () => {
  test('announces overwritten code once per write', () => {
    const layout = allocateGuestMemory([{ gpa: RAM, size: 0x4000, readOnly: false }]);
    const announced: [number, number][] = [];
    const memory = createGuestMemory(layout, {
      onCodeWrite: (offset, length) => announced.push([offset, length]),
    });
    layout.flags[1] = FLAG_CODE;
    memory.wrote(RAM, 0x1000);
    expect(announced).toEqual([]);
    memory.wrote(RAM + 0xfff, 2);
    expect(announced).toEqual([[0xfff, 2]]);
    expect(layout.flags[1]).toBe(FLAG_CODE | FLAG_STALE);
    expect(layout.counters[COUNTER_STALE]).toBe(1);
    memory.wrote(RAM, 0);
    memory.wrote(0, 0x1000);
    expect(announced).toHaveLength(1);
  });
});

describe('dirty log', () => {
  test('a harvest lists exactly the pages written since the last one', () => {
    const pages = 16;
    const write = fc.record({ at: fc.nat(pages * 4096 - 1), length: fc.integer({ min: 1, max: 9000 }) });
    fc.assert(
      fc.property(fc.array(fc.array(write, { maxLength: 6 }), { maxLength: 5 }), (rounds) => {
        const memory = createTestGuestMemory({ size: pages * 4096 });
        const log = createDirtyLog(memory.layout);
        memory.wrote(RAM, 4096);
        log.start();
        for (const round of rounds) {
          const expected = new Set<number>();
          for (const { at, length } of round) {
            const size = Math.min(length, pages * 4096 - at);
            memory.wrote(RAM + at, size);
            for (let page = Math.floor(at / 4096); page <= Math.floor((at + size - 1) / 4096); page++)
              expected.add(page);
          }
          const ranges: DirtyRange[] = [];
          expect(log.harvest(ranges)).toBe(expected.size);
          const listed = new Set<number>();
          for (const range of ranges) {
            for (let offset = 0; offset < range.length; offset += 4096)
              listed.add((range.gpa - RAM + offset) / 4096);
          }
          expect(listed).toEqual(expected);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('stop leaves only the marks of translated code', () => {
    const memory = createTestGuestMemory({ size: 0x2000 });
    const { flags } = memory.layout;
    const log = createDirtyLog(memory.layout);
    flags[0] = FLAG_CODE;
    log.start();
    expect(flags[0]).toBe(FLAG_CODE | FLAG_CLEAN);
    memory.wrote(RAM + 0x1000, 1);
    expect(flags[1]).toBe(FLAG_DIRTY);
    log.stop();
    expect([...flags]).toEqual([FLAG_CODE, 0]);
  });
});
