import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { describeWith } from '@polyvisor/testkit/needs';
import type { OpenFileOptions } from './open-file.ts';
import { openFileNode } from './open-file.ts';

let folder = '';
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-node-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function newFile(size: number): string {
  const path = join(folder, `${count++}.img`);
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

const variants: readonly (readonly [string, Partial<OpenFileOptions>])[] = [
  ['file', {}],
  ['file with immediate writes', { immediateWrites: true }],
  ['file, direct', { cache: 'none' }],
  ['file, written through', { cache: 'writethrough' }],
  ['file, unsafe, discards ignored', { cache: 'unsafe', discard: false }],
];
for (const [name, options] of variants) {
  let path = '';
  const open = (): ReturnType<typeof openFileNode> => openFileNode({ path, readOnly: false, ...options });
  describeBlockNode(
    name,
    (size) => {
      path = newFile(size);
      return open();
    },
    { reopen: open, runs: name === 'file' ? 60 : 15 },
  );
}

describe('file node', () => {
  test('grows where several write beyond its end at once', async () => {
    const path = newFile(0);
    const node = await openFileNode({ path, readOnly: false, growable: true });
    const work: Promise<void>[] = [];
    for (let i = 0; i < 64; i++) {
      const at = ((i * 37) % 64) * 1000;
      if (i % 3 === 0) work.push(node.writeZeroes(at, 1000, { mayUnmap: i % 2 === 0 }));
      else work.push(node.write(at, new Uint8Array(1000).fill(i)));
    }
    await Promise.all(work);
    expect([node.size, statSync(path).size]).toEqual([64_000, 64_000]);
    const bytes = new Uint8Array(1000);
    for (let i = 0; i < 64; i++) {
      await node.read(((i * 37) % 64) * 1000, bytes);
      expect(bytes.every((byte) => byte === (i % 3 === 0 ? 0 : i))).toBe(true);
    }
    await node.read(64_000, bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    await node.close();
  });

  test('direct IO of any range, up to an odd end', async () => {
    const path = newFile(0);
    const node = await openFileNode({ path, readOnly: false, growable: true, cache: 'none' });
    await node.write(3, new Uint8Array(5000).fill(7));
    await node.write(5003, new Uint8Array(10).fill(8));
    const bytes = new Uint8Array(5100);
    await node.read(0, bytes);
    expect([bytes[2], bytes[3], bytes[5002], bytes[5003], bytes[5012], bytes[5013]]).toEqual([
      0, 7, 7, 8, 8, 0,
    ]);
    await node.close();
    const reader = await openFileNode({ path, readOnly: true, cache: 'none' });
    await reader.close();
  });

  test('tells holes from data', async () => {
    const path = newFile(1 << 20);
    const node = await openFileNode({ path, readOnly: false });
    await node.write(512 * 1024, new Uint8Array(65536).fill(1));
    const extent = await node.map(0, 1 << 20);
    if (extent.length === 1 << 20) {
      console.warn('skipped: this file system does not tell holes');
    } else {
      expect(extent).toMatchObject({ length: 512 * 1024, zero: true, data: false });
      expect(await node.map(512 * 1024, 512 * 1024)).toMatchObject({
        length: 65536,
        zero: false,
        data: true,
      });
    }
    await node.close();
  });

  test('reserves space', async () => {
    const path = newFile(0);
    const node = await openFileNode({ path, readOnly: false });
    await node.resize(1 << 20, { preallocation: 'full' });
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(1 << 20);
    await node.resize(2 << 20, { preallocation: 'falloc' });
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(2 << 20);
    await expect(node.resize(4096)).rejects.toMatchObject({ code: 'invalid-argument' });
    await node.close();
  });

  test('makes files, but does not empty those in use', async () => {
    const path = newFile(5000);
    const reader = await openFileNode({ path, readOnly: true });
    await expect(openFileNode({ path, readOnly: false, create: true })).rejects.toMatchObject({
      code: 'busy',
    });
    await reader.close();
    expect(statSync(path).size).toBe(5000);
    const node = await openFileNode({ path, readOnly: false, create: true });
    expect([node.size, statSync(path).size]).toEqual([0, 0]);
    await node.close();
  });

  test('keeps to the allowed folder', async () => {
    const inside = join(folder, 'inside');
    mkdirSync(inside);
    const outside = newFile(512);
    writeFileSync(join(inside, 'good.img'), 'x');
    symlinkSync(outside, join(inside, 'link.img'));
    const open = (path: string, create = false): Promise<unknown> =>
      openFileNode({ path, readOnly: !create, create, allowedFolder: inside }).then((node) => node.close());
    await open(join(inside, 'good.img'));
    await open(join(inside, 'new.img'), true);
    const bad = [outside, join(inside, 'link.img'), join(inside, '..', outside.split('/').at(-1)!)];
    for (const path of bad) await expect(open(path)).rejects.toMatchObject({ code: 'permission' });
    await expect(open(join(inside, '..', 'made.img'), true)).rejects.toMatchObject({ code: 'permission' });
    expect(() => statSync(join(folder, 'made.img'))).toThrow();
  });
});

describeWith({ programs: ['qemu-io'] }, "file node beside QEMU's programs", () => {
  test('each refuses what the other writes to', async () => {
    const path = newFile(1 << 20);
    const io = (...args: string[]): string => {
      try {
        return execFileSync('qemu-io', ['-f', 'raw', ...args, path], { encoding: 'utf8', stdio: 'pipe' });
      } catch (error) {
        return (error as { stderr: string }).stderr;
      }
    };
    const writer = await openFileNode({ path, readOnly: false });
    expect(io('-c', 'write 0 512')).toContain('Failed to get "write" lock');
    await writer.close();
    expect(io('-c', 'write -P 5 0 512')).toContain('wrote 512/512');
    const reader = await openFileNode({ path, readOnly: true });
    expect(io('-r', '-c', 'read -P 5 0 512')).toContain('read 512/512');
    expect(io('-c', 'write 0 512')).toContain('lock');
    await reader.close();
  });
});
