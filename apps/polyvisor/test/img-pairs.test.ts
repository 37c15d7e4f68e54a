import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODE_DRIVERS } from '@polyvisor/block/node';
import { describeWith } from '@polyvisor/testkit/needs';
import { runOurs, runTheirs } from './img-command.ts';

const MIB = 1024 * 1024;
const FORMATS = NODE_DRIVERS.filter(({ kind, name }) => kind === 'format' && name !== 'luks').map(
  ({ name }) => name,
);
/** QEMU rounds sizes of these up to whole cylinders unless told otherwise. */
const CREATE: Readonly<Record<string, readonly string[]>> = { vpc: ['-o', 'force_size=on'] };
const CHECKED = ['qcow2', 'vdi', 'vmdk', 'vhdx'];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'img-pairs-'));
  const bytes = new Uint8Array(9 * MIB);
  bytes.fill(0x11, 100_000, 400_000);
  bytes.fill(0x22, 5 * MIB - 3, 6 * MIB + 70_000);
  for (let at = 8 * MIB; at < 9 * MIB; at += 3) bytes[at] = at >> 5;
  writeFileSync(join(folder, 'disk.raw'), bytes);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function img(...args: string[]): Promise<string> {
  const { status, output, errors } = await runOurs(['img', ...args]);
  expect({ args, status, errors }).toEqual({ args, status: 0, errors: '' });
  return output;
}

test.each(FORMATS)('from %s to every format, each compared', async (from) => {
  const source = join(folder, `pair.${from}`);
  await img('convert', '-f', 'raw', '-O', from, ...(CREATE[from] ?? []), join(folder, 'disk.raw'), source);
  for (const to of FORMATS) {
    const target = join(folder, `pair.${from}.${to}`);
    await img('convert', '-f', from, '-O', to, ...(CREATE[to] ?? []), source, target);
    expect(await img('compare', '-f', to, '-F', 'raw', target, join(folder, 'disk.raw'))).toContain(
      'Images are identical.',
    );
    rmSync(target);
  }
});

describeWith({ programs: ['qemu-img'] }, "formats beside QEMU's", () => {
  const theirs = (...args: string[]): string => {
    const { status, output, errors } = runTheirs('qemu-img', args);
    expect({ args, status, errors }).toEqual({ args, status: 0, errors: '' });
    return output;
  };

  test.each(FORMATS)('%s: ours is read there, theirs here', async (format) => {
    const raw = join(folder, 'disk.raw');
    const mine = join(folder, `mine.${format}`);
    const other = join(folder, `other.${format}`);
    await img('convert', '-f', 'raw', '-O', format, ...(CREATE[format] ?? []), raw, mine);
    theirs('convert', '-f', 'raw', '-O', format, ...(CREATE[format] ?? []), raw, other);
    theirs('compare', '-f', format, '-F', 'raw', mine, raw);
    await img('compare', '-f', format, '-F', 'raw', other, raw);
    if (CHECKED.includes(format)) {
      theirs('check', '-f', format, mine);
      // QEMU leaves room in some that nothing refers to.
      expect([0, 3]).toContain((await runOurs(['img', 'check', '-f', format, other])).status);
      await img('check', '-f', format, mine);
    }
  });
});

test('a conversion that was killed goes on', async () => {
  const source = join(folder, 'long.raw');
  writeFileSync(source, '');
  truncateSync(source, 2048 * MIB);
  const { openFileNode } = await import('@polyvisor/block/node');
  const node = await openFileNode({ path: source, readOnly: false });
  for (let at = 0; at < 2048; at += 64) await node.write(at * MIB, new Uint8Array(MIB).fill(1 + at / 64));
  await node.close();
  const target = join(folder, 'long.qcow2');
  const args = ['convert', '--resume', '-f', 'raw', '-O', 'qcow2', '-r', '12M', source, target];
  const main = join(import.meta.dirname, '../src/main.ts');
  const child = spawn(process.execPath, ['--conditions=@polyvisor/source', main, 'img', ...args], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  for (let i = 0; i < 600 && !existsSync(`${target}.resume`); i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill('SIGKILL');
  await ended;
  expect(existsSync(`${target}.resume`)).toBe(true);
  await img(...args.filter((word) => word !== '-r' && word !== '12M'));
  expect(existsSync(`${target}.resume`)).toBe(false);
  expect(await img('compare', '-f', 'raw', '-F', 'qcow2', source, target)).toContain('Images are identical.');
  expect(await img('check', target)).toContain('No errors');
}, 60_000);
