import { describe, expect, test } from '@jest/globals';
import { geometryFor, geometryOf, sectorsOf } from '../../src/vhd/vhd-geometry.ts';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;

describe('VHD', () => {
  test('geometries are those of the specification', () => {
    expect(geometryOf(20480)).toEqual({ cylinders: 301, heads: 4, sectors: 17 });
    expect(geometryFor(20480)).toEqual({ cylinders: 302, heads: 4, sectors: 17 });
    expect(sectorsOf(geometryFor(20480)) * 512).toBe(10514432);
    expect(geometryFor(2 ** 32)).toEqual({ cylinders: 65535, heads: 16, sectors: 255 });
    for (const sectors of [1, 1000, 123456, 7_654_321, 250_000_000]) {
      const found = sectorsOf(geometryFor(sectors));
      expect(found).toBeGreaterThanOrEqual(sectors);
      expect(found - sectors).toBeLessThan(16 * 255 * 2);
    }
  });

  test('either footer will do; repairing writes the other', async () => {
    for (const which of ['first', 'last'] as const) {
      const folder = new MemoryFolder();
      await folder.create('disk', 'vpc', 5 * MIB, { force_size: true });
      let node = await folder.open('disk', 'vpc');
      await node.write(MIB, new Uint8Array(512).fill(5));
      await node.close();
      const file = folder.file('disk');
      await file.write(which === 'first' ? 0 : file.size - 512, new Uint8Array(512));
      node = await folder.open('disk', 'vpc');
      const bytes = new Uint8Array(512);
      await node.read(MIB, bytes);
      expect(bytes[0]).toBe(5);
      expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0, leaks: 1 });
      expect(await node.checking!.check('leaks')).toMatchObject({ leaksFixed: 1 });
      expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0, leaks: 0 });
      await node.close();
    }
  });

  test('refuses a file that was cut short, and a damaged one', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk', 'vpc', 5 * MIB, { subformat: 'fixed', force_size: true });
    const file = folder.file('disk');
    const footer = new Uint8Array(512);
    await file.read(file.size - 512, footer);
    await file.resize!(MIB, { shrink: true });
    await file.write(MIB - 512, footer);
    await expect(folder.open('disk', 'vpc')).rejects.toMatchObject({ code: 'corrupt' });
    await file.write(MIB - 500, Uint8Array.of(1));
    await expect(folder.open('disk', 'vpc')).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('a differencing image names its parent, another one is refused, the name can be changed', async () => {
    const folder = new MemoryFolder();
    await folder.create('base', 'vpc', 3 * MIB, { force_size: true });
    await folder.create('disk', 'vpc', 3 * MIB, { backing_file: 'base' });
    let node = await folder.open('disk', 'vpc');
    await node.write(0, new Uint8Array(512).fill(3));
    expect(node.backing).toMatchObject({ reference: 'base', format: 'vpc' });
    folder.files.set('moved', folder.file('base'));
    await node.backing!.setReference('moved', 'vpc');
    await node.close();
    await folder.create('base', 'vpc', 3 * MIB, { force_size: true });
    node = await folder.open('disk', 'vpc');
    expect(node.backing).toMatchObject({ reference: 'moved' });
    const bytes = new Uint8Array(512);
    await node.read(0, bytes);
    expect(bytes[0]).toBe(3);
    expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0 });
    await node.close();
    folder.files.set('moved', folder.file('base'));
    await expect(folder.open('disk', 'vpc')).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});
