import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { PolyvisorError } from '@polyvisor/contracts';
import { openRawImage } from './raw-image.ts';
import type { RawImage } from './raw-image.ts';

let folder = '';
let path = '';
const opened: RawImage[] = [];

async function openImage(readOnly = false): Promise<RawImage> {
  const image = await openRawImage({ path, readOnly });
  opened.push(image);
  return image;
}

async function failure(promise: Promise<unknown>): Promise<PolyvisorError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PolyvisorError);
  return error as PolyvisorError;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'raw-image-'));
  path = join(folder, 'disk.img');
  writeFileSync(
    path,
    Uint8Array.from({ length: 8192 }, (_, index) => index >> 4),
  );
});

afterEach(async () => {
  for (const image of opened.splice(0)) await image.close();
  rmSync(folder, { recursive: true });
});

describe('raw image', () => {
  test('reads, writes and flushes', async () => {
    const image = await openImage();
    expect(image.sizeBytes).toBe(8192);
    await image.write(512, new Uint8Array(1024).fill(0xee));
    await Promise.all([image.flush(), image.flush(), image.flush()]);
    const bytes = new Uint8Array(8192);
    await image.read(0, bytes);
    expect([...bytes.subarray(510, 514), bytes[1535], bytes[1536]]).toEqual([31, 31, 0xee, 0xee, 0xee, 96]);
    expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
  });

  test('rounds its size up to sectors', async () => {
    truncateSync(path, 1000);
    const image = await openImage();
    expect(image.sizeBytes).toBe(1024);
    const bytes = new Uint8Array(512).fill(1);
    await image.read(512, bytes);
    expect([bytes[487], bytes[488], bytes[511]]).toEqual([62, 0, 0]);
    await image.write(512, new Uint8Array(512).fill(3));
    expect(statSync(path).size).toBe(1024);
  });

  test('discards and zeroes, if the host can', async () => {
    const image = await openImage();
    if (image.discard === undefined || image.writeZeroes === undefined) {
      console.warn('skipped: this file system has no holes');
      return;
    }
    await image.discard(0, 4096);
    await image.writeZeroes(4096, 512, false);
    await image.writeZeroes(6144, 512, true);
    const bytes = new Uint8Array(8192);
    await image.read(0, bytes);
    const zero = (from: number, to: number): boolean => bytes.subarray(from, to).every((byte) => byte === 0);
    expect([zero(0, 4608), zero(6144, 6656), bytes[4608], bytes[6656]]).toEqual([true, true, 32, 160]);
    expect(statSync(path).size).toBe(8192);
  });

  test('holds what was written, whatever the order of operations', async () => {
    const sectors = 40;
    truncateSync(path, 0);
    truncateSync(path, sectors * 512);
    const image = await openImage();
    const model = new Uint8Array(sectors * 512);
    const range = fc.tuple(fc.nat(sectors - 1), fc.integer({ min: 1, max: 9 })).map(([first, count]) => ({
      offset: first * 512,
      length: Math.min(count, sectors - first) * 512,
    }));
    const operation = fc.tuple(
      fc.constantFrom('read', 'write', 'zero', 'unmap', 'discard', 'flush'),
      range,
      fc.nat(255),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 20 }), async (operations) => {
        for (const [kind, { offset, length }, value] of operations) {
          if (kind === 'flush') await image.flush();
          else if (kind === 'read') {
            const bytes = new Uint8Array(length).fill(0x55);
            await image.read(offset, bytes);
            expect(Buffer.compare(bytes, model.subarray(offset, offset + length))).toBe(0);
          } else if (kind === 'write') {
            await image.write(offset, new Uint8Array(length).fill(value));
            model.fill(value, offset, offset + length);
          } else if (image.discard !== undefined && image.writeZeroes !== undefined) {
            if (kind === 'discard') await image.discard(offset, length);
            else await image.writeZeroes(offset, length, kind === 'unmap');
            model.fill(0, offset, offset + length);
          }
        }
        expect(Buffer.compare(readFileSync(path), model)).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('says what is wrong with a path', async () => {
    const missing = await failure(openRawImage({ path: join(folder, 'no.img'), readOnly: true }));
    expect([missing.code, missing.message]).toEqual([
      'not-found',
      `can't open disk image: ${folder}/no.img (no such file); check the path`,
    ]);
    expect((await failure(openRawImage({ path: folder, readOnly: true }))).message).toContain(
      'it is a directory',
    );
    expect((await failure(openRawImage({ path: folder, readOnly: false }))).message).toContain(
      'it is a directory',
    );
    truncateSync(path, 0);
    expect((await failure(openImage())).message).toContain('it is empty');
  });

  const root = process.getuid?.() === 0;
  (root ? test.skip : test)('says that a file is not writable', async () => {
    chmodSync(path, 0o444);
    const error = await failure(openImage());
    expect([error.code, error.message]).toEqual([
      'permission',
      `can't open disk image for writing: ${path} (no permission); make it writable or attach the disk read-only`,
    ]);
    await openImage(true);
  });

  test('is used by one writer, or by readers', async () => {
    const writer = await openImage();
    const error = await failure(openImage());
    expect([error.code, error.message]).toEqual([
      'busy',
      `disk image is in use: ${path} (by this process); stop the other user or open it read-only in both`,
    ]);
    expect((await failure(openImage(true))).code).toBe('busy');
    await writer.close();
    await openImage(true);
    await openImage(true);
    expect((await failure(openImage())).code).toBe('busy');
  });

  test('is free again once its user was killed', async () => {
    const program = `
      import { openRawImage } from ${JSON.stringify(new URL('raw-image.ts', import.meta.url).href)};
      await openRawImage({ path: ${JSON.stringify(path)}, readOnly: false });
      console.log('open');
      setInterval(() => {}, 1000);`;
    const child = spawn(
      process.execPath,
      ['--conditions=@polyvisor/source', '--input-type=module', '-e', program],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    const error = await failure(openImage());
    expect(error.message).toContain(`(by process ${child.pid} (`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await openImage();
  });
});
