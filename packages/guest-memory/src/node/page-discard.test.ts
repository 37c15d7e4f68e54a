import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createGuestMemory } from '../guest-memory.ts';
import { COUNTER_WORDS } from '../page-flags.ts';
import { createPageDiscard } from './page-discard.ts';

const RAM = 0x8000_0000;
const SIZE = 64 << 20;

function residentBytes(): number {
  const kilobytes = /^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

test('discarded pages go back to the host and read as zeroes; others stay', () => {
  const memory = createGuestMemory({
    buffer: new WebAssembly.Memory({ initial: SIZE >> 16, maximum: SIZE >> 16, shared: true })
      .buffer as unknown as SharedArrayBuffer,
    regions: [{ gpa: RAM, size: SIZE, offset: 0, readOnly: false }],
    flags: new Uint8Array(SIZE / 4096),
    flagsFirstPage: 0,
    counters: new Int32Array(COUNTER_WORDS),
  });
  memory.bytes.fill(7);
  const before = residentBytes();
  const discard = createPageDiscard(memory);
  discard(RAM + 4096, SIZE - 8192);
  expect(before - residentBytes()).toBeGreaterThan(SIZE * 0.9);
  expect([
    memory.bytes[4095],
    memory.bytes[4096],
    memory.bytes[SIZE - 4097],
    memory.bytes[SIZE - 4096],
  ]).toEqual([7, 0, 0, 7]);
  discard(RAM + 1, 4096);
  discard(RAM, 100);
  discard(RAM - 4096, 4096);
  discard(RAM, SIZE + 4096);
  expect([memory.bytes[0], memory.bytes[SIZE - 1]]).toEqual([7, 7]);
});
