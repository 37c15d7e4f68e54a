import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createImage, FaultNode, MemoryNode, openImage } from '@polyvisor/block';
import { NODE_DRIVERS } from '@polyvisor/block/node';
import { RemoteNode } from '../../src/block/index.ts';
import { DiskWorkload, seededRandom } from './disk-workload.ts';
import { filled, TestHost } from './link.ts';

const MIB = 1 << 20;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

for (const shared of [false, true]) {
  describe(shared ? 'a remote disk over its pool' : 'a remote disk over its stream', () => {
    test('reads, writes, zeroes, discards, and flushes', async () => {
      const host = new TestHost(new MemoryNode({ size: 8 * MIB + 100 }), {}, shared);
      const disk = await host.open();
      expect([disk.sizeBytes, disk.readOnly, disk.attached, disk.shared]).toEqual([
        8 * MIB,
        false,
        true,
        shared,
      ]);
      await disk.write(512, filled(1024, 7));
      await disk.flush();
      const back = filled(2048, 1);
      await disk.read(0, back);
      expect([back[0], back[511], back[512], back[1535], back[1536]]).toEqual([0, 0, 7, 7, 0]);
      // More than one operation, and more than the pool holds.
      const large = Uint8Array.from({ length: 6 * MIB }, (_, index) => index % 251);
      await Promise.all([disk.write(MIB, large), disk.flush()]);
      const read = new Uint8Array(6 * MIB);
      await disk.read(MIB, read);
      expect(Buffer.compare(read, large)).toBe(0);
      await disk.writeZeroes(MIB, 512, true);
      await disk.discard(2 * MIB, MIB);
      await disk.read(MIB, back);
      expect([back[0], back[512]]).toEqual([0, large[512]]);
      const [info] = host.server.list();
      expect(info).toMatchObject({ volume: 'disk0', attached: true, epoch: 1, errors: 0 });
      await disk.close();
      await expect(disk.read(0, back)).rejects.toThrow(/closed/);
      await host.close();
    });

    test('a burst of operations, more than may be under way', async () => {
      const host = new TestHost(new MemoryNode({ size: 8 * MIB }), {}, shared);
      const disk = await host.open();
      await Promise.all(
        Array.from({ length: 2000 }, (_, index) => disk.write(index * 4096, filled(4096, index % 251))),
      );
      const buffers = Array.from({ length: 2000 }, () => new Uint8Array(4096));
      await Promise.all(buffers.map((buffer, index) => disk.read(index * 4096, buffer)));
      for (const [index, buffer] of buffers.entries()) expect(buffer[17]).toBe(index % 251);
      await disk.close();
      await host.close();
    });

    test('operations that a broken stream left come to their end, once and in order', async () => {
      const node = new FaultNode(new MemoryNode({ size: MIB }), [
        { event: 'write', error: 'none', delayMs: 30 },
      ]);
      const host = new TestHost(node, {}, shared);
      const disk = await host.open();
      const written = [disk.write(0, filled(512, 1)), disk.write(512, filled(512, 2))];
      await pause(5);
      host.links[0]?.cut();
      written.push(disk.write(1024, filled(512, 3)));
      await Promise.all(written);
      const back = new Uint8Array(1536);
      await disk.read(0, back);
      expect([back[0], back[512], back[1024]]).toEqual([1, 2, 3]);
      expect(host.links.length).toBe(2);
      expect(disk.pending).toBe(0);
      await disk.close();
      await host.close();
    });

    test('a block host that is started again, with another key', async () => {
      const host = new TestHost(undefined, {}, shared);
      const disk = await host.open();
      await disk.write(0, filled(512, 9));
      await host.restart();
      const back = new Uint8Array(512);
      await disk.read(0, back);
      expect(back[3]).toBe(9);
      await disk.close();
      await host.close();
    });

    test('no space: reported, or waited for', async () => {
      const node = new FaultNode(new MemoryNode({ size: MIB }));
      const host = new TestHost(node, {}, shared);
      const plain = await host.open(0, { policy: 'report' });
      const remove = node.inject({ event: 'write', error: 'no-space' });
      await expect(plain.write(0, filled(512, 1))).rejects.toThrow(/no space left/);
      remove();
      await plain.close();
      if (shared) {
        await host.close();
        return;
      }
      const stalls: [boolean, string][] = [];
      const disk = await host.open(1, { onStall: (active, reason) => stalls.push([active, reason]) });
      node.inject({ event: 'write', error: 'no-space', times: 2 });
      const begun = performance.now();
      await Promise.all([disk.write(0, filled(512, 5)), disk.write(512, filled(512, 6))]);
      expect(performance.now() - begun).toBeGreaterThan(900);
      const back = new Uint8Array(1024);
      await disk.read(0, back);
      expect([back[0], back[512]]).toEqual([5, 6]);
      expect(stalls).toEqual([
        [true, 'no space left on the host'],
        [false, 'no space left on the host'],
      ]);
      node.inject({ event: 'read', error: 'io', times: 1 });
      await expect(disk.read(0, back)).rejects.toMatchObject({ code: 'io' });
      await disk.close();
      await host.close();
    });
  });
}

test('policy pause waits for any error to go away', async () => {
  const node = new FaultNode(new MemoryNode({ size: MIB }), [{ event: 'read', error: 'io', times: 1 }]);
  const host = new TestHost(node);
  const stalls: boolean[] = [];
  const disk = await host.open(0, { policy: 'pause', onStall: (active) => stalls.push(active) });
  await disk.read(0, new Uint8Array(512));
  expect(stalls).toEqual([true, false]);
  await disk.close();
  await host.close();
});

test('silence is a stall once somebody waits', async () => {
  const node = new FaultNode(new MemoryNode({ size: MIB }));
  const host = new TestHost(node);
  const stalls: [boolean, string][] = [];
  const disk = await host.open(0, { onStall: (active, reason) => stalls.push([active, reason]) });
  host.up = false;
  host.links[0]?.cut();
  await pause(50);
  const read = disk.read(0, new Uint8Array(512));
  await pause(300);
  expect(stalls).toEqual([]);
  while (stalls.length < 1) await pause(20);
  expect(stalls).toEqual([[true, "the disk's host does not answer"]]);
  host.up = true;
  await read;
  while (stalls.length < 2) await pause(20);
  expect(stalls.map(([active]) => active)).toEqual([true, false]);
  await disk.close();
  await host.close();
});

test('a newer user waits for what the older one began, and fences it', async () => {
  const node = new FaultNode(new MemoryNode({ size: MIB }));
  const host = new TestHost(node);
  const old = await host.open(0);
  node.break('write', 'slow');
  const slow = old.write(0, filled(512, 1)).catch((error: unknown) => error);
  await pause(10);
  host.links[0]?.hold();
  const late = old.write(512, filled(512, 2)).catch((error: unknown) => error);
  let attached = false;
  const opening = host.open(1).then((disk) => {
    attached = true;
    return disk;
  });
  await pause(50);
  expect(attached).toBe(false);
  node.resume('slow');
  const young = await opening;
  await young.write(0, filled(1024, 3));
  // The old process wakes up.
  host.links[0]?.release();
  expect(await slow).toMatchObject({ code: 'superseded' });
  expect(await late).toMatchObject({ code: 'superseded' });
  await expect(old.write(0, filled(512, 4))).rejects.toMatchObject({ code: 'superseded' });
  const back = new Uint8Array(1024);
  await young.read(0, back);
  expect([back[0], back[512]]).toEqual([3, 3]);
  await expect(host.open(0)).rejects.toMatchObject({ code: 'superseded' });
  await young.close();
  await host.close();
});

test('sizes change while a disk is attached', async () => {
  const host = new TestHost(new MemoryNode({ size: MIB }));
  const sizes: number[] = [];
  const disk = await host.open(0);
  disk.onResize(() => sizes.push(disk.sizeBytes));
  await host.server.resize('disk0', 2 * MIB, false);
  await expect(host.server.resize('disk0', MIB, false)).rejects.toMatchObject({ code: 'invalid-argument' });
  await pause(20);
  expect([sizes, disk.sizeBytes]).toEqual([[2 * MIB], 2 * MIB]);
  await disk.write(2 * MIB - 512, filled(512, 1));
  await disk.close();
  await host.close();
});

test('a capability for reading', async () => {
  const host = new TestHost();
  const disk = await host.open(0, { capability: host.grant('read') });
  expect(disk.readOnly).toBe(true);
  await expect(disk.write(0, filled(512, 1))).rejects.toMatchObject({ code: 'permission' });
  await disk.flush();
  const node = new RemoteNode(disk);
  await node.read(0, new Uint8Array(512));
  await expect(node.map(0, 2 * MIB)).rejects.toMatchObject({ code: 'invalid-argument' });
  await node.close();
  await host.close();
});

test('opening tells why it is refused', async () => {
  const host = new TestHost();
  await expect(host.open(0, { capability: Buffer.from('p1.e30.AAAA') })).rejects.toThrow();
  const other = new TestHost();
  await expect(host.open(0, { capability: other.grant() })).rejects.toThrow();
  host.up = false;
  await expect(host.open(0, { openTimeoutMs: 200, capability: other.grant() })).rejects.toMatchObject({
    code: 'unavailable',
  });
  await host.close();
  await other.close();
});

test('a qcow2 image through a pool: written and read straight from shared memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pool-qcow2-'));
  const image = join(folder, 'disk.qcow2');
  const environment = { drivers: NODE_DRIVERS };
  await createImage(image, { format: 'qcow2', size: 16 * MIB }, environment);
  const node = await openImage(image, { readOnly: false, format: 'qcow2' }, environment);
  const host = new TestHost(node, {}, true);
  const disk = await host.open();
  const workload = new DiskWorkload(16 * MIB, seededRandom(5));
  await workload.run(disk, 8, 400);
  const whole = new Uint8Array(16 * MIB);
  await disk.read(0, whole);
  workload.check(whole);
  await disk.close();
  await host.close();
  rmSync(folder, { recursive: true });
});
