import { describe, expect, test } from '@jest/globals';
import { formatVmdkDescriptor, parseVmdkDescriptor } from '../../src/vmdk/vmdk-descriptor.ts';
import { probeVmdk } from '../../src/vmdk/probe-vmdk.ts';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

describe('VMDK descriptor', () => {
  const parts = {
    cid: 0x1234abcd,
    parentCid: 0xffffffff,
    createType: 'monolithicFlat',
    parent: undefined,
    extents: ['RW 2048 FLAT "disk-flat.vmdk" 0'],
    hardwareVersion: '4',
    adapterType: 'ide',
    toolsVersion: '2147483647',
    size: MIB,
  };

  test('is read as it is written, with either line end', () => {
    const written = formatVmdkDescriptor(parts);
    for (const each of [written, written.replaceAll('\n', '\r\n')]) {
      expect(parseVmdkDescriptor(each, 'x')).toMatchObject({
        cid: 0x1234abcd,
        parentCid: 0xffffffff,
        createType: 'monolithicFlat',
        extents: [{ access: 'RW', size: MIB, type: 'FLAT', file: 'disk-flat.vmdk', offset: 0 }],
      });
      expect(probeVmdk(text(each))).toBe(100);
    }
    expect(probeVmdk(text('# something else\nversion=9\n'))).toBe(0);
  });

  test('what is not supported is refused by name', () => {
    const written = formatVmdkDescriptor(parts);
    for (const [from, to, name] of [
      ['monolithicFlat', 'fullDevice', 'fullDevice'],
      ['RW 2048 FLAT', 'RW 2048 VMFSRDM', 'VMFSRDM'],
      ['RW 2048 FLAT', 'NOACCESS 2048 FLAT', 'NOACCESS'],
    ] as const) {
      expect(() => parseVmdkDescriptor(written.replace(from, to), 'x')).toThrow(name);
    }
  });
});

describe('VMDK', () => {
  test('extents of several kinds make one disk; parts that may not be written are not', async () => {
    const folder = new MemoryFolder();
    await folder.create('sparse', 'vmdk', MIB);
    await folder.createFile('flat').resize!(2 * MIB);
    await folder.file('flat').write(MIB, new Uint8Array(512).fill(9));
    const descriptor = folder.createFile('disk');
    await descriptor.write(
      0,
      text(
        '# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\ncreateType="custom"\n' +
          'RW 2048 SPARSE "sparse"\nRW 2048 ZERO\nRDONLY 2048 FLAT "flat" 2048\n',
      ),
    );
    const node = await folder.open('disk', 'vmdk');
    expect(node.size).toBe(3 * MIB);
    const bytes = new Uint8Array(2 * MIB + 1024).fill(1);
    await node.read(512, bytes);
    expect([bytes[0], bytes[MIB], bytes[2 * MIB - 512]]).toEqual([0, 0, 9]);
    await node.write(MIB - 512, new Uint8Array(512).fill(4));
    await node.read(MIB - 512, bytes.subarray(0, 1024));
    expect([bytes[0], bytes[512]]).toEqual([4, 0]);
    await expect(node.write(MIB, new Uint8Array(512))).rejects.toMatchObject({ code: 'permission' });
    await expect(node.write(2 * MIB, new Uint8Array(512))).rejects.toMatchObject({ code: 'permission' });
    await node.close();
  });

  test('a flat extent that is too short is refused', async () => {
    const folder = new MemoryFolder();
    await folder.create('disk.vmdk', 'vmdk', 2 * MIB, { subformat: 'monolithicFlat' });
    await folder.file('disk-flat.vmdk').resize!(MIB, { shrink: true });
    await expect(folder.open('disk.vmdk', 'vmdk')).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('a changed parent is refused; writing changes the content ID once a session', async () => {
    const folder = new MemoryFolder();
    await folder.create('base', 'vmdk', 3 * MIB);
    await folder.create('disk', 'vmdk', 3 * MIB, { backing_file: 'base' });
    const facts = async (): Promise<{ cid: number; 'parent-cid': number }> => {
      const node = await folder.open('disk', 'vmdk', { purpose: 'repair' });
      const { formatSpecific } = await node.describe!();
      await node.close();
      return formatSpecific!.data as never;
    };
    const first = await facts();
    let node = await folder.open('disk', 'vmdk');
    await node.write(0, new Uint8Array(512).fill(2));
    await node.write(512, new Uint8Array(512).fill(2));
    await node.close();
    expect((await facts()).cid).not.toBe(first.cid);
    const base = await folder.open('base', 'vmdk');
    await base.write(MIB, new Uint8Array(512).fill(1));
    await base.close();
    await expect(folder.open('disk', 'vmdk')).rejects.toMatchObject({ code: 'invalid-argument' });
    node = await folder.open('disk', 'vmdk', { purpose: 'repair' });
    await node.backing!.setReference('base', 'vmdk');
    await node.close();
    node = await folder.open('disk', 'vmdk');
    expect(node.backing).toMatchObject({ reference: 'base', format: 'vmdk' });
    await node.backing!.setReference(undefined, undefined);
    await node.close();
    expect((await facts())['parent-cid']).toBe(0xffffffff);
  });

  test('options that exclude each other', async () => {
    const folder = new MemoryFolder();
    await folder.create('base', 'vmdk', MIB);
    for (const values of [
      { subformat: 'monolithicFlat', backing_file: 'base' },
      { subformat: 'twoGbMaxExtentFlat', zeroed_grain: true },
      { compat6: true, hwversion: '7' },
      { backing_file: 'no\nname' },
    ]) {
      await expect(folder.create('disk', 'vmdk', MIB, values)).rejects.toMatchObject({
        code: 'invalid-argument',
      });
    }
  });

  test('an ESX extent (COWD) and a seSparse one are read, and not written', async () => {
    const folder = new MemoryFolder();
    const cowd = folder.createFile('cowd');
    const head = new DataView(new ArrayBuffer(512));
    [0x44574f43, 1, 3, 4096, 1, 4, 1].forEach((value, i) => head.setUint32(i * 4, value, true));
    await cowd.write(0, new Uint8Array(head.buffer));
    const entry = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
    await cowd.write(4 * 512, entry(8));
    await cowd.write(8 * 512 + 4 * 5, entry(64));
    await cowd.write(64 * 512, new Uint8Array(512).fill(6));
    let node = await folder.open('cowd', 'vmdk');
    const bytes = new Uint8Array(512);
    await node.read(5 * 512, bytes);
    expect(bytes[0]).toBe(6);
    await expect(node.write(0, bytes)).rejects.toMatchObject({ code: 'permission' });
    await node.close();

    const sesparse = folder.createFile('delta');
    const fields = new DataView(new ArrayBuffer(512));
    const u64 = (index: number, value: bigint): void => fields.setBigUint64(index * 8, value, true);
    u64(0, 0xcafebaben);
    u64(1, 0x0000000200000001n);
    u64(2, 2048n);
    u64(3, 8n);
    u64(4, 64n);
    u64(10, 1n);
    u64(16, 8n);
    u64(18, 16n);
    u64(24, 128n);
    await sesparse.write(0, new Uint8Array(fields.buffer));
    const long = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
    await sesparse.write(512, long(0xcafecafen));
    await sesparse.write(8 * 512, long(0x1000000000000000n));
    // Grain 3 of the disk is the second one stored.
    await sesparse.write(16 * 512 + 3 * 8, long(0x3001000000000000n));
    await sesparse.write(128 * 512 + 4096, new Uint8Array(512).fill(8));
    await folder
      .createFile('disk')
      .write(0, text('# Disk DescriptorFile\nversion=1\ncreateType="seSparse"\nRW 2048 SESPARSE "delta"\n'));
    node = await folder.open('disk', 'vmdk');
    await node.read(3 * 4096, bytes);
    expect(bytes[0]).toBe(8);
    await node.read(0, bytes);
    expect(bytes[0]).toBe(0);
    await expect(node.write(0, bytes)).rejects.toMatchObject({ code: 'permission' });
    await node.close();
  });
});
