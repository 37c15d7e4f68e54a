import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { writeCpio, type CpioEntry } from './cpio.ts';

const testIfCpio = spawnSync('cpio', ['--version']).status === 0 ? test : test.skip;

testIfCpio('cpio lists what was written', () => {
  const entries = [
    { type: 'directory', path: 'dev', mode: 0o755 },
    { type: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { type: 'file', path: 'init', mode: 0o755, data: Buffer.from('#!/bin/sh\n') },
    { type: 'symlink', path: 'sh', target: 'busybox' },
  ] satisfies CpioEntry[];
  const listed = spawnSync('cpio', ['-itv', '--quiet', '--numeric-uid-gid'], {
    input: writeCpio(entries),
    encoding: 'utf8',
  });
  expect(listed.stderr).toBe('');
  const lines = listed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' '));
  expect(lines[0]).toMatch(/^drwxr-xr-x 2 0 0 0 .* dev$/);
  expect(lines[1]).toMatch(/^crw------- 1 0 0 5, 1 .* dev\/console$/);
  expect(lines[2]).toMatch(/^-rwxr-xr-x 1 0 0 10 .* init$/);
  expect(lines[3]).toMatch(/^lrwxrwxrwx 1 0 0 7 .* sh -> busybox$/);
});

testIfCpio('cpio unpacks the same content', () => {
  const name = fc.stringMatching(/^[a-z]{1,20}$/);
  fc.assert(
    fc.property(
      fc.dictionary(name, fc.uint8Array({ maxLength: 70 }), { minKeys: 1, maxKeys: 10 }),
      (files) => {
        const folder = mkdtempSync(join(tmpdir(), 'polyvisor-'));
        try {
          const entries = Object.entries(files).map(([path, data]): CpioEntry => ({
            type: 'file',
            path,
            mode: 0o640,
            data,
          }));
          const input = writeCpio([...entries, { type: 'symlink', path: 'LINK', target: 'some/where' }]);
          expect(input.length % 4).toBe(0);
          expect(spawnSync('cpio', ['-id', '--quiet'], { input, cwd: folder }).status).toBe(0);
          for (const [path, data] of Object.entries(files)) {
            expect(Buffer.compare(readFileSync(join(folder, path)), data)).toBe(0);
            expect(lstatSync(join(folder, path)).mode & 0o777).toBe(0o640);
          }
          expect(readlinkSync(join(folder, 'LINK'))).toBe('some/where');
        } finally {
          rmSync(folder, { recursive: true });
        }
      },
    ),
    { numRuns: 10 },
  );
});

test('equal input gives equal bytes', () => {
  const entries: CpioEntry[] = [{ type: 'directory', path: 'a', mode: 0o755 }];
  expect(writeCpio(entries)).toEqual(writeCpio(entries));
});
