import { describe, expect, test } from '@jest/globals';
import type { MemoryNode } from '../../src/memory/memory-node.ts';
import { identityOf } from '../../src/sparse/parent-identity.ts';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;

async function at(
  node: { read(offset: number, target: Uint8Array): Promise<void> },
  offset: number,
): Promise<number> {
  const bytes = new Uint8Array(512);
  await node.read(offset, bytes);
  return bytes[0]!;
}

async function u32(folder: MemoryFolder, offset: number): Promise<number> {
  const bytes = new Uint8Array(4);
  await folder.file('disk').read(offset, bytes);
  return new DataView(bytes.buffer).getUint32(0, true);
}

describe('VDI', () => {
  test('grows over its table: blocks make room, contents stay, smaller again', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vdi', 100 * MIB);
    let node = await folder.open('disk', 'vdi');
    for (let i = 0; i < 100; i += 7) await node.write(i * MIB, new Uint8Array(512).fill(i + 1));
    await node.resize!(3000 * MIB);
    expect(await u32(folder, 0x158)).toBe(0x400 + MIB);
    await node.write(2999 * MIB, new Uint8Array(512).fill(200));
    await node.close();
    node = await folder.open('disk', 'vdi');
    for (let i = 0; i < 100; i += 7) expect(await at(node, i * MIB)).toBe(i + 1);
    expect(await at(node, 2999 * MIB)).toBe(200);
    expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0, leaks: 0 });
    await expect(node.resize!(50 * MIB)).rejects.toMatchObject({ code: 'invalid-argument' });
    await node.resize!(50 * MIB, { shrink: true });
    await node.resize!(100 * MIB);
    expect(await at(node, 49 * MIB)).toBe(50);
    expect(await at(node, 56 * MIB)).toBe(0);
    expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0, leaks: 0 });
    await node.close();
  });

  test('closing leaves no gaps in the data area, and counts the blocks', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vdi', 10 * MIB);
    let node = await folder.open('disk', 'vdi');
    for (let i = 0; i < 10; i++) await node.write(i * MIB, new Uint8Array(512).fill(i + 1));
    await node.discard(2 * MIB, 3 * MIB);
    await node.close();
    expect(await u32(folder, 0x184)).toBe(7);
    expect(folder.file('disk').size).toBe(0x400 + 7 * MIB);
    node = await folder.open('disk', 'vdi');
    for (const i of [0, 1, 5, 9]) expect(await at(node, i * MIB)).toBe(i + 1);
    expect(await node.checking!.check('none')).toMatchObject({
      corruptions: 0,
      leaks: 0,
      allocatedClusters: 7,
    });
    await node.close();
  });

  test('a disk that was full, discarded and written again keeps its numbers in range', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vdi', 3 * MIB, { static: true });
    const node = await folder.open('disk', 'vdi');
    for (let i = 0; i < 8; i++) {
      await node.discard((i % 3) * MIB, MIB);
      await node.write((i % 3) * MIB, new Uint8Array(MIB).fill(i + 1));
    }
    expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0 });
    expect([await at(node, 0), await at(node, MIB), await at(node, 2 * MIB)]).toEqual([7, 8, 6]);
    await node.close();
  });

  test('a differencing image knows its parent by UUID and name', async () => {
    const folder = new MemoryFolder();
    await folder.create('base', 'vdi', 3 * MIB);
    await folder.create('other', 'vdi', 3 * MIB);
    await folder.create('disk', 'vdi', 3 * MIB, { backing_file: 'base' });
    let node = await folder.open('disk', 'vdi');
    expect(node.backing).toMatchObject({ reference: 'base', format: 'vdi' });
    await node.close();
    folder.files.set('base', folder.file('other'));
    await expect(folder.open('disk', 'vdi')).rejects.toMatchObject({ code: 'invalid-argument' });
    // Made by VirtualBox: it has no name for the parent, and nobody gives one.
    await (folder.file('disk') as MemoryNode).write(0x54, new Uint8Array(256));
    node = await folder.open('disk', 'vdi');
    await expect(node.read(0, new Uint8Array(512))).rejects.toMatchObject({ code: 'not-found' });
    await node.backing!.setReference('other', 'vdi');
    await node.close();
  });

  test('a new UUID, a changed modification UUID', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vdi', MIB, { uuid: '11111111-2222-4333-8444-555555555555' });
    const node = await folder.open('disk', 'vdi');
    const first = identityOf(node)!;
    expect(first.id).toBe('11111111-2222-4333-8444-555555555555');
    await node.write(0, new Uint8Array(512));
    expect(identityOf(node)!.version).not.toBe(first.version);
    await node.amend!({ uuid: 'random' });
    expect(identityOf(node)!.id).not.toBe(first.id);
    await expect(node.amend!({ uuid: 'nonsense' })).rejects.toMatchObject({ code: 'invalid-argument' });
    await node.close();
  });

  test('repairs: shared places get one each, gaps are closed', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vdi', 4 * MIB);
    let node = await folder.open('disk', 'vdi');
    for (const i of [0, 1, 3]) await node.write(i * MIB, new Uint8Array(MIB).fill(i + 1));
    await node.close();
    const entries = new Uint8Array(16);
    await folder.file('disk').read(512, entries);
    entries.set(entries.subarray(0, 4), 4);
    await folder.file('disk').write(512, entries);
    node = await folder.open('disk', 'vdi');
    await expect(node.write(2 * MIB, new Uint8Array(512))).rejects.toMatchObject({ code: 'corrupt' });
    expect((await node.checking!.check('none')).corruptions).toBeGreaterThan(0);
    expect(await node.checking!.check('all')).toMatchObject({ corruptions: 0, corruptionsFixed: 1 });
    expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0, leaks: 0 });
    await node.write(0, new Uint8Array(512).fill(9));
    expect([await at(node, 0), await at(node, MIB), await at(node, 3 * MIB)]).toEqual([9, 1, 4]);
    await node.close();
  });
});
