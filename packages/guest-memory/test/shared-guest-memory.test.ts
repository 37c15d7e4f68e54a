import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writtenRanges } from '@polyvisor/shared-memory';
import {
  COUNTER_STALE,
  COUNTER_WORDS,
  createDirtyLog,
  createGuestMemory,
  FLAG_CODE,
  FLAG_DIRTY,
  FLAG_STALE,
  type DirtyRange,
  type GuestMemoryLayout,
} from '../src/index.ts';
import {
  createGuestMemfds,
  createPageDiscard,
  guestMemfdSizes,
  overlayGuestMemory,
  ownersOffset,
  type GuestMemfds,
} from '../src/node/index.ts';
import { HIGH, LOW, REGIONS, ROM } from './regions.ts';

const PROGRAM = fileURLToPath(new URL('./device-process.ts', import.meta.url));
const COUNTERS_AT = 0x3000;
const RAM_AT = 0x20000;
const RAM_BYTES = REGIONS.reduce((sum, region) => sum + region.size, 0);

/** As an accelerator lays it out: things of its own, counters, flags, more of its own, then guest memory. */
function layOut(): GuestMemoryLayout {
  const pages = Math.ceil((RAM_AT + RAM_BYTES) / 65536) + 1;
  const buffer = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    .buffer as unknown as SharedArrayBuffer;
  let offset = RAM_AT;
  return {
    buffer,
    regions: REGIONS.map((region) => {
      const placed = { ...region, offset };
      offset += region.size;
      return placed;
    }),
    flags: new Uint8Array(buffer, COUNTERS_AT + 4096, RAM_BYTES / 4096),
    flagsFirstPage: RAM_AT / 4096,
    counters: new Int32Array(buffer, COUNTERS_AT, COUNTER_WORDS),
  };
}

let memfds: GuestMemfds;
let layout: GuestMemoryLayout;
beforeEach(() => {
  memfds = createGuestMemfds('polyvisor-test', REGIONS);
  layout = layOut();
});
afterEach(() => {
  memfds.ram.close();
  memfds.flags.close();
});

function inDeviceProcess(...actions: (string | number)[]): string[] {
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--conditions=@polyvisor/source', PROGRAM, ...actions.map(String)],
    { stdio: ['ignore', 'pipe', 'inherit', memfds.ram.fd, memfds.flags.fd], encoding: 'utf8' },
  );
  expect(status).toBe(0);
  return stdout.trim().split('\n');
}

test('both processes see the same RAM; ROM and all else of the owner stay its own', () => {
  const everything = new Uint8Array(layout.buffer);
  overlayGuestMemory(layout, memfds.ram.fd, memfds.flags.fd);
  const memory = createGuestMemory(layout);
  for (const [gpa, value] of [[HIGH + 5, 11], [LOW + 0x4fff, 12], [ROM, 13]] as const) {
    memory.load(gpa, Uint8Array.of(value));
  } // prettier-ignore
  everything[COUNTERS_AT - 1] = 14;
  everything[RAM_AT - 1] = 15;
  expect(
    inDeviceProcess(
      'read',
      HIGH + 5,
      'read',
      LOW + 0x4fff,
      'read',
      ROM,
      'write',
      LOW,
      3,
      77,
      'write',
      ROM,
      1,
      1,
    ),
  ).toEqual(['11', '12', 'nowhere', 'nowhere']);
  expect(memory.bytes[memory.locate(LOW, 1)]).toBe(77);
  expect(memory.bytes[memory.locateRom(ROM, 1)]).toBe(13);
  expect(writtenRanges(memfds.ram.fd)).toEqual([
    { offset: 0, length: 4096 },
    { offset: (16 << 20) + 0x3000, length: 4096 },
    { offset: (16 << 20) + 0x3000 + 0x4000, length: 4096 },
  ]);
});

test("a device's writes mark pages dirty and code stale, and the owner hears where", () => {
  overlayGuestMemory(layout, memfds.ram.fd, memfds.flags.fd);
  const memory = createGuestMemory(layout);
  const log = createDirtyLog(layout);
  const pageOf = (gpa: number): number => memory.locate(gpa, 1) / 4096 - layout.flagsFirstPage;
  layout.flags[pageOf(LOW + 0x1000)] = FLAG_CODE;
  log.start();
  const [line] = inDeviceProcess('write', HIGH + 0x2ffe, 4, 1, 'write', LOW + 0x1008, 4, 2);
  expect(layout.flags[pageOf(HIGH + 0x3000)]).toBe(FLAG_DIRTY);
  expect(layout.flags[pageOf(LOW + 0x1000)]).toBe(FLAG_CODE | FLAG_STALE | FLAG_DIRTY);
  expect(layout.counters[COUNTER_STALE]).toBe(1);
  const ranges: DirtyRange[] = [];
  expect(log.harvest(ranges)).toBe(3);
  expect(ranges).toEqual([
    { gpa: HIGH + 0x2000, length: 0x2000 },
    { gpa: LOW + 0x1000, length: 0x1000 },
  ]);
  const [word, offset, length] = (line as string).split(' ');
  expect(word).toBe('code');
  expect(ownersOffset(layout, Number(offset), Number(length))).toBe(memory.locate(LOW + 0x1008, 4));
});

test("offsets that a peer made up are not the owner's memory", () => {
  const rom = 16 << 20;
  for (const [offset, length] of [
    [-1, 1],
    [-4096, 4096],
    [rom, 1],
    [rom - 1, 2],
    [RAM_BYTES, 1],
    [0, 2 ** 40],
    [NaN, 1],
    [0, -1],
    [0, NaN],
  ] as const) {
    expect(ownersOffset(layout, offset, length)).toBe(-1);
  }
  expect(ownersOffset(layout, 0, 16 << 20)).toBe(RAM_AT);
});

test('discarded pages are gone for all processes, whoever discards', () => {
  overlayGuestMemory(layout, memfds.ram.fd, memfds.flags.fd);
  const memory = createGuestMemory(layout);
  const start = memory.locate(HIGH, 1);
  memory.bytes.fill(7, start, start + (16 << 20));
  const before = residentBytes();
  createPageDiscard(memory)(HIGH + 4096, (16 << 20) - 8192);
  expect(before - residentBytes()).toBeGreaterThan(15 << 20);
  expect([memory.bytes[start + 4095], memory.bytes[start + 4096]]).toEqual([7, 0]);
  inDeviceProcess('discard', HIGH, 4096);
  expect(memory.bytes[start]).toBe(0);
  expect(writtenRanges(memfds.ram.fd).at(-1)).toEqual({ offset: (16 << 20) - 4096, length: 4096 });
});

test('what can not be shared is refused before anything is mapped', () => {
  const other = createGuestMemfds('polyvisor-test', REGIONS.slice(1));
  try {
    expect(() => overlayGuestMemory(layout, other.ram.fd, memfds.flags.fd)).toThrow("won't map");
    expect(() => overlayGuestMemory(layout, memfds.ram.fd, 0)).toThrow("won't map");
  } finally {
    other.ram.close();
    other.flags.close();
  }
  const { ram, flags } = memfds;
  const [first, second, third] = layout.regions as [never, never, never];
  expect(() => overlayGuestMemory({ ...layout, regions: [first, third, second] }, ram.fd, flags.fd)).toThrow(
    'not back to back',
  );
  for (const bad of [
    { flags: new Uint8Array(RAM_BYTES / 4096) },
    { counters: new Int32Array(layout.buffer, COUNTERS_AT + 16, COUNTER_WORDS) },
    { counters: new Int32Array(layout.buffer, COUNTERS_AT - 4096, COUNTER_WORDS) },
  ]) {
    expect(() => overlayGuestMemory({ ...layout, ...bad }, ram.fd, flags.fd)).toThrow(
      'no pages of their own',
    );
  }
});

test('sizes: a flag for each page, and a page for counters', () => {
  expect(guestMemfdSizes([{ gpa: 0, size: 1 << 30, readOnly: false }])).toEqual({
    ram: 1 << 30,
    flags: 4096 + (1 << 18),
  });
});

function residentBytes(): number {
  return Number(/^RssShmem:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}
