import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stripModule } from './strip-module.ts';

const compiler = 'riscv64-unknown-elf-gcc';
const testIfCompiler = spawnSync(compiler, ['--version']).status === 0 ? test : test.skip;

testIfCompiler(`an object file keeps what links it (needs ${compiler} and readelf)`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'polyvisor-'));
  const source = Array.from(
    { length: 50 },
    (_, i) => `static int f${i}(int a) { return a > ${i} ? g(a) : ${i}; } int (*p${i})(int) = f${i};`,
  );
  writeFileSync(join(folder, 'a.c'), `int g(int);\n${source.join('\n')}\n`);
  expect(spawnSync(compiler, ['-c', '-O1', '-o', join(folder, 'a.o'), join(folder, 'a.c')]).status).toBe(0);
  const before = readFileSync(join(folder, 'a.o'));
  const after = stripModule(before);
  expect(after.length).toBeLessThan(before.length);
  writeFileSync(join(folder, 'b.o'), after);
  // Type, symbol's value, symbol and addend of each relocation, whatever the symbol's number.
  const relocations = (name: string) =>
    spawnSync('riscv64-unknown-elf-readelf', ['-rW', join(folder, name)], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter((line) => /^[0-9a-f]{12,16} /.test(line))
      .map((line) => line.split(/\s+/).toSpliced(1, 1).join(' '));
  expect(relocations('b.o').length).toBeGreaterThan(50);
  expect(relocations('b.o')).toEqual(relocations('a.o'));
  rmSync(folder, { recursive: true });
});

test('anything else comes back unchanged', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const result = stripModule(bytes);
      if (bytes.length < 64) expect(result).toBe(bytes);
    }),
  );
});
