import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { describeWith } from '@polyvisor/testkit/needs';
import type { BlockNode } from '../../src/graph/block-node.ts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { openFileNode } from '../../src/node/file/open-file.ts';
import { createQcow } from '../../src/qcow/create-qcow.ts';
import { openQcow } from '../../src/qcow/open-qcow.ts';
import type { QcowNode } from '../../src/qcow/qcow-node.ts';
import { contextOf, KeptNode } from '../qcow2/images.ts';
import { randomFrom } from '../qcow2/random.ts';

const SIZE = 1024 * 1024;

const open = (file: BlockNode, backing?: BlockNode): Promise<QcowNode> =>
  openQcow(file, { readOnly: false, values: {} }, contextOf(backing === undefined ? {} : { backing }));

let file = new MemoryNode();
describeBlockNode(
  'qcow',
  async (size) => {
    file = new MemoryNode({ growable: true });
    await createQcow(file, { size, values: {} });
    return open(new KeptNode(file));
  },
  { size: SIZE, runs: 20, reopen: () => open(new KeptNode(file)) },
);

const initial = new Uint8Array(SIZE).map((_, i) => (i >>> 9) & 0xff);
const base = new MemoryNode({ contents: initial, readOnly: true });
describeBlockNode(
  'qcow over a backing file',
  async (size) => {
    file = new MemoryNode({ growable: true });
    await createQcow(file, { size, values: { backing_file: 'base' } });
    return open(new KeptNode(file), base);
  },
  { size: SIZE, runs: 20, initial, reopen: () => open(new KeptNode(file), base) },
);

test('refuses encryption by name', async () => {
  const image = new MemoryNode({ growable: true });
  await createQcow(image, { size: SIZE, values: {} });
  await image.write(36, new Uint8Array([0, 0, 0, 1]));
  await expect(open(image)).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('AES'),
  });
});

describeWith({ programs: ['qemu-img', 'qemu-io'] }, 'qcow beside qemu-img', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'qcow-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (...args: string[]): unknown => execFileSync('qemu-img', args, { stdio: 'pipe' });

  const contents = (random: () => number): Uint8Array => {
    const bytes = new Uint8Array(SIZE);
    for (let at = 0; at < SIZE; at += 4096) {
      if (random() < 0.5) continue;
      const value = Math.floor(random() * 256);
      bytes.fill(value, at, at + 4096);
      if (random() < 0.5) for (let i = 0; i < 2000; i++) bytes[at + i] = Math.floor(random() * 256);
    }
    return bytes;
  };

  test('theirs is read', async () => {
    const raw = join(folder, 'a.raw');
    const image = join(folder, 'a.qcow');
    const bytes = contents(randomFrom('theirs'));
    writeFileSync(raw, bytes);
    run('convert', '-f', 'raw', '-O', 'qcow', raw, image);
    const node = await open(await openFileNode({ path: image, readOnly: false, growable: true }));
    const got = new Uint8Array(SIZE);
    await node.read(0, got);
    expect(Buffer.compare(got, bytes)).toBe(0);
    await node.write(5000, new Uint8Array(10000).fill(9));
    bytes.fill(9, 5000, 15000);
    await node.close();
    run('convert', '-f', 'qcow', '-O', 'raw', image, raw);
    expect(Buffer.compare(readFileSync(raw), bytes)).toBe(0);
  });

  test('theirs is read where it is compressed', async () => {
    const image = join(folder, 'c.qcow');
    const raw = join(folder, 'c.raw');
    const bytes = new Uint8Array(SIZE);
    const commands: string[] = [];
    for (let cluster = 0; cluster < 256; cluster += 3) {
      commands.push('-c', `write -q -c -P ${cluster} ${cluster * 4096} 4096`);
      bytes.fill(cluster, cluster * 4096, (cluster + 1) * 4096);
    }
    run('create', '-f', 'qcow', image, String(SIZE));
    execFileSync('qemu-io', ['-f', 'qcow', ...commands, image], { stdio: 'pipe' });
    const node = await open(await openFileNode({ path: image, readOnly: false, growable: true }));
    const got = new Uint8Array(SIZE);
    await node.read(0, got);
    expect(Buffer.compare(got, bytes)).toBe(0);
    await node.write(5000, new Uint8Array(10000).fill(9));
    bytes.fill(9, 5000, 15000);
    await node.close();
    run('convert', '-f', 'qcow', '-O', 'raw', image, raw);
    expect(Buffer.compare(readFileSync(raw), bytes)).toBe(0);
  });

  test('ours is read, some of it compressed', async () => {
    const image = join(folder, 'b.qcow');
    const raw = join(folder, 'b.raw');
    const bytes = contents(randomFrom('ours'));
    const made = await openFileNode({ path: image, readOnly: false, growable: true, create: true });
    await createQcow(made, { size: SIZE, values: {} });
    const node = await open(made);
    const writes: Promise<void>[] = [];
    for (let at = 0; at < SIZE; at += 4096) {
      const part = bytes.subarray(at, at + 4096);
      if (part.every((byte) => byte === 0)) continue;
      writes.push(at % 8192 === 0 ? node.compression.write(at, part) : node.write(at, part));
    }
    await Promise.all(writes);
    await node.close();
    run('convert', '-f', 'qcow', '-O', 'raw', image, raw);
    expect(Buffer.compare(readFileSync(raw), bytes)).toBe(0);
  });
});
