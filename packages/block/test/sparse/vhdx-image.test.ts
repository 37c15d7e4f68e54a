import { describe, expect, test } from '@jest/globals';
import type { MemoryNode } from '../../src/memory/memory-node.ts';
import { RecorderNode, replay } from '../../src/record/recorder-node.ts';
import { crc32cWithout } from '../../src/vhdx/crc32c.ts';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;

describe('VHDX', () => {
  test('checksum is CRC-32C', () => {
    expect(crc32cWithout(new TextEncoder().encode('123456789'), 9)).toBe(0xe3069283);
  });

  test('a log that was not replayed is seen through read-only, and replayed for writing', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vhdx', 8 * MIB, { block_size: MIB });
    const recorder = new RecorderNode(folder.file('disk'));
    const before = new Uint8Array(folder.file('disk').size);
    await folder.file('disk').read(0, before);
    folder.files.set('disk', recorder);
    const node = await folder.open('disk', 'vhdx');
    await node.write(5 * MIB, new Uint8Array(4096).fill(5));
    // Killed: only the log knows of the block.
    const killed = await replay(recorder.events, { after: recorder.events.length, random: () => 0 }, before);
    folder.files.set('disk', killed);
    const bytes = new Uint8Array(4096);
    const looking = await folder.open('disk', 'vhdx', { readOnly: true });
    await looking.read(5 * MIB, bytes);
    expect(bytes[0]).toBe(5);
    expect((await looking.describe!()).dirty).toBe(true);
    await looking.close();
    const entry = new Uint8Array(8);
    await killed.read(2 * MIB + 5 * 8, entry);
    expect(entry[0]! & 7).toBe(2);
    const writing = await folder.open('disk', 'vhdx');
    await killed.read(2 * MIB + 5 * 8, entry);
    expect(entry[0]! & 7).toBe(6);
    bytes.fill(0);
    await writing.read(5 * MIB, bytes);
    expect(bytes[0]).toBe(5);
    expect((await writing.describe!()).dirty).toBe(false);
    await writing.close();
    await node.close();
  });

  test('a log that goes round many times', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vhdx', 2048 * MIB, { block_size: MIB });
    let node = await folder.open('disk', 'vhdx');
    for (let i = 0; i < 1500; i++) {
      await node.write(((i * 37) % 2048) * MIB, new Uint8Array(512).fill((i % 255) + 1));
      if (i % 100 === 0) await node.flush();
    }
    await node.close();
    node = await folder.open('disk', 'vhdx', { readOnly: true });
    const bytes = new Uint8Array(512);
    for (let i = 0; i < 1500; i++) {
      await node.read(((i * 37) % 2048) * MIB, bytes);
      expect(bytes[0]).toBe((i % 255) + 1);
    }
    expect(await node.checking!.check('none')).toMatchObject({
      corruptions: 0,
      leaks: 0,
      allocatedClusters: 1500,
    });
    await node.close();
  });

  test('grows beyond its block table', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vhdx', 64 * MIB, { block_size: MIB });
    let node = await folder.open('disk', 'vhdx');
    await node.write(63 * MIB, new Uint8Array(512).fill(7));
    await node.resize!(200_000 * MIB);
    await node.write(199_999 * MIB, new Uint8Array(512).fill(8));
    await node.close();
    node = await folder.open('disk', 'vhdx');
    expect(node.size).toBe(200_000 * MIB);
    const bytes = new Uint8Array(512);
    await node.read(63 * MIB, bytes);
    expect(bytes[0]).toBe(7);
    await node.read(199_999 * MIB, bytes);
    expect(bytes[0]).toBe(8);
    expect((await node.checking!.check('none')).corruptions).toBe(0);
    await node.close();
  });

  test('a parent that was changed is refused, until it is named again', async () => {
    const folder = new MemoryFolder();
    await folder.create('base', 'vhdx', 3 * MIB);
    await folder.create('disk', 'vhdx', 3 * MIB, { backing_file: 'base' });
    const base = await folder.open('base', 'vhdx');
    await base.write(0, new Uint8Array(512).fill(1));
    await base.close();
    await expect(folder.open('disk', 'vhdx')).rejects.toMatchObject({ code: 'invalid-argument' });
    let node = await folder.open('disk', 'vhdx', { purpose: 'repair' });
    await node.backing!.setReference('base', 'vhdx');
    await node.close();
    node = await folder.open('disk', 'vhdx');
    const bytes = new Uint8Array(512);
    await node.read(0, bytes);
    expect(bytes[0]).toBe(1);
    await node.close();
  });

  test('one damaged header or region table does no harm, and is repaired', async () => {
    for (const offset of [64, 128, 192, 256]) {
      const folder = new MemoryFolder();
      await folder.create('disk', 'vhdx', 3 * MIB);
      await folder.file('disk').write(offset * 1024 + 20, new Uint8Array(8).fill(0xaa));
      const node = await folder.open('disk', 'vhdx');
      expect((await node.checking!.check('none')).leaks).toBeGreaterThan(0);
      await node.checking!.check('all');
      expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0, leaks: 0 });
      await node.close();
    }
  });

  test('regions and metadata that must be known are refused by their GUID', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vhdx', 3 * MIB);
    const file = folder.file('disk') as MemoryNode;
    await file.write(3 * MIB + 32, new Uint8Array(16).fill(0xab));
    await expect(folder.open('disk', 'vhdx')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('abababab-abab-abab-abab-abababababab') as unknown,
    });
  });
});
