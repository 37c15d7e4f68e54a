import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeAr, makeDeb } from '../../test/make-deb.ts';
import { listAr } from './ar.ts';
import { readDeb } from './deb.ts';

const folder = mkdtempSync(join(tmpdir(), 'polyvisor-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'x.deb');
const hasXz = spawnSync('xz', ['--version']).status === 0;

describe('packages', () => {
  const kinds = (['', '.gz', '.zst', '.xz'] as const).filter((kind) => kind !== '.xz' || hasXz);
  test.each(kinds)('data.tar%s: wanted files only, in order', async (kind) => {
    const long = `usr/lib/${'deep/'.repeat(30)}file`;
    writeFileSync(
      file,
      await makeDeb(
        [
          { path: 'boot/a', content: 'A'.repeat(100_000) },
          { path: 'b', content: 'B' },
          { path: 'l', link: 'boot/a' },
          { path: long, content: 'L' },
        ],
        kind,
      ),
    );
    const entries = await readDeb(file, (path) => path !== 'b');
    expect(entries.map(({ path, type }) => [path, type])).toEqual([
      ['boot/a', 'file'],
      ['l', 'symlink'],
      [long, 'file'],
    ]);
    expect(entries[0]!.data.length).toBe(100_000);
    expect(entries[1]!.linkTarget).toBe('boot/a');
  });

  test('unknown compression', async () => {
    writeFileSync(file, makeAr([['data.tar.lz4', Buffer.from('x')]]));
    await expect(readDeb(file, () => true)).rejects.toThrow('unknown compression in package');
  });

  test('no data member', async () => {
    writeFileSync(file, makeAr([['debian-binary', Buffer.from('2.0\n')]]));
    await expect(readDeb(file, () => true)).rejects.toThrow('no data.tar member');
  });

  test('a cut package is refused', async () => {
    const whole = await makeDeb([{ path: 'a', content: Buffer.alloc(5000, 1) }], '.zst');
    for (const length of [0, 5, 40, 100, whole.length - 20]) {
      writeFileSync(file, whole.subarray(0, length));
      await expect(readDeb(file, () => true)).rejects.toThrow();
    }
  });
});

test('ar: any bytes are listed or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      writeFileSync(file, Buffer.concat([Buffer.from('!<arch>\n'), bytes]));
      try {
        listAr(file);
      } catch (error) {
        expect((error as { code?: string }).code).toBe('corrupt');
      }
    }),
    { numRuns: 50 },
  );
});

(spawnSync('ar', ['--version']).status === 0 ? test : test.skip)('ar lists the same members', () => {
  writeFileSync(
    file,
    makeAr([
      ['one', Buffer.from('123')],
      ['two', Buffer.from('4567')],
    ]),
  );
  const listed = spawnSync('ar', ['t', file], { encoding: 'utf8' }).stdout.trim().split('\n');
  expect(listAr(file).map(({ name }) => name)).toEqual(listed);
});
