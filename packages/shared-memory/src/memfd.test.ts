import { afterEach, expect, test } from '@jest/globals';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLibc } from './libc.ts';
import { checkMemfd, createMemfd, openReadOnly, type Memfd } from './memfd.ts';
import { dropOverlay, mapShared, overlay, type SharedMapping } from './overlay.ts';
import { probeOverlay } from './probe-overlay.ts';
import { writtenRanges } from './written-ranges.ts';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const thing of open.splice(0)) thing.close();
});

function memfd(bytes: number): Memfd {
  const made = createMemfd('polyvisor-test', bytes);
  open.push(made);
  return made;
}

function map(fd: number, bytes: number): SharedMapping {
  const mapping = mapShared(fd, bytes);
  open.push(mapping);
  return mapping;
}

test('memory made here passes the check and can never change its size', () => {
  const { fd, size } = memfd(3 * 4096);
  expect(size).toBe(12288);
  expect(fstatSync(fd).size).toBe(12288);
  checkMemfd(fd, 12288);
  expect(() => ftruncateSync(fd, 4096)).toThrow('EPERM');
  expect(() => ftruncateSync(fd, 1 << 20)).toThrow('EPERM');
});

test('sizes that are no whole pages are refused', () => {
  for (const bytes of [0, -4096, 100, 4097, NaN, Infinity]) {
    expect(() => createMemfd('polyvisor-test', bytes)).toThrow("can't make shared memory");
  }
});

test('descriptors of a hostile peer are refused: other kinds, unsealed, of another size, closed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polyvisor-memfd-'));
  const file = openSync(join(folder, 'file'), 'w+');
  ftruncateSync(file, 8192);
  const unsealed = openLibc().memfdCreate('polyvisor-unsealed', 3);
  ftruncateSync(unsealed, 8192);
  try {
    expect(() => checkMemfd(file, 8192)).toThrow('it is no memfd');
    expect(() => checkMemfd(unsealed, 8192)).toThrow('can still shrink');
    expect(() => checkMemfd(memfd(4096).fd, 8192)).toThrow('4096 bytes, not 8192');
    expect(() => checkMemfd(9999, 8192)).toThrow('it is no memfd');
  } finally {
    closeSync(file);
    closeSync(unsealed);
    rmSync(folder, { recursive: true });
  }
});

test('two mappings show the same memory, and a closed one its own', () => {
  const { fd, size } = memfd(8192);
  const [a, b] = [map(fd, size), map(fd, size)];
  const [mine, theirs] = [new Uint8Array(a.buffer), new Uint8Array(b.buffer)];
  expect(mine.length).toBe(65536);
  mine[8191] = 7;
  expect(theirs[8191]).toBe(7);
  // Beyond the memfd's end each has memory of its own.
  mine[8192] = 8;
  expect(theirs[8192]).toBe(0);
  a.close();
  expect([mine[8191], theirs[8191]]).toEqual([0, 7]);
  mine[0] = 1;
  expect(theirs[0]).toBe(0);
});

test('a descriptor for reading shows what is written, and can not be mapped for writing', () => {
  const made = memfd(4096);
  const words = new Int32Array(map(made.fd, 4096).buffer);
  const fd = openReadOnly(made);
  try {
    checkMemfd(fd, 4096);
    expect(() => mapShared(fd, 4096)).toThrow('EACCES');
    const seen = mapShared(fd, 4096, 'read');
    open.push(seen);
    words[3] = 42;
    expect(Atomics.load(new Int32Array(seen.buffer), 3)).toBe(42);
  } finally {
    closeSync(fd);
  }
});

test('a part of a wasm memory can be overlaid; what lies beside it stays', () => {
  const { fd } = memfd(65536);
  const { buffer } = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const shared = buffer as unknown as SharedArrayBuffer;
  const bytes = new Uint8Array(shared).fill(9);
  overlay(shared, 8192, 4096, fd, 16384);
  const all = new Uint8Array(map(fd, 65536).buffer);
  bytes.fill(5, 8192, 12288);
  expect([all[16383], all[16384], all[20479], all[20480]]).toEqual([0, 5, 5, 0]);
  expect([bytes[8191], bytes[12288]]).toEqual([9, 9]);
  dropOverlay(shared, 8192, 4096);
  expect([bytes[8191], bytes[8192], bytes[12288], all[16384]]).toEqual([9, 0, 9, 5]);
});

test('overlays that would hit something else are refused', () => {
  const { fd } = memfd(65536);
  const wasm = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
    .buffer as unknown as SharedArrayBuffer;
  expect(() => overlay(wasm, 100, 4096, fd, 0)).toThrow('multiple');
  expect(() => overlay(wasm, 0, 4096, fd, 1)).toThrow('multiple');
  expect(() => overlay(wasm, 0, 131072, fd, 0)).toThrow('131072 bytes at 0 of 65536');
  expect(() => overlay(wasm, 65536, 4096, fd, 0)).toThrow('of 65536');
  expect(() => overlay(wasm, 0, 0, fd, 0)).toThrow("can't map");
  expect(() => overlay(wasm, 0, 4096, 9999, 0)).toThrow('EBADF');
  expect(() => overlay(new SharedArrayBuffer(1 << 20), 0, 4096, fd, 0)).toThrow('not that of a wasm memory');
});

test('files are read and written straight from and to shared memory', () => {
  const { fd, size } = memfd(65536);
  const bytes = new Uint8Array(map(fd, size).buffer);
  const folder = mkdtempSync(join(tmpdir(), 'polyvisor-memfd-'));
  const file = openSync(join(folder, 'file'), 'w+');
  try {
    bytes.fill(3, 0, 4096);
    expect(writeSync(file, bytes, 0, 4096, 0)).toBe(4096);
    expect(readSync(file, bytes, 8192, 4096, 0)).toBe(4096);
    expect([bytes[8191], bytes[8192], bytes[12287], bytes[12288]]).toEqual([0, 3, 3, 0]);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
});

test('ranges that were touched are found without touching the rest', () => {
  const { fd, size } = memfd(1 << 20);
  expect(writtenRanges(fd)).toEqual([]);
  const bytes = new Uint8Array(map(fd, size).buffer);
  bytes[5000] = 1;
  bytes[9000] = 1;
  bytes[size - 1] = 1;
  expect(writtenRanges(fd)).toEqual([
    { offset: 4096, length: 8192 },
    { offset: size - 4096, length: 4096 },
  ]);
});

test('the probe succeeds here, and is made once', async () => {
  expect(await probeOverlay()).toEqual({ works: true });
  expect(probeOverlay()).toBe(probeOverlay());
});
