import { describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { FaultNode } from '../../src/fault/fault-node.ts';
import { FilterNode } from '../../src/filter/filter-node.ts';
import { NbdNode } from '../../src/nbd/nbd-node.ts';
import { exportOf, memoryConnector } from './memory-server.ts';
import type { PipeEnd } from './memory-pipe.ts';

/** Small pieces of lengths that look random. */
function choppy(): (available: number) => number {
  let seed = 12345;
  return (available) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed % 7 === 0 ? 1 + (seed % 64) : Math.min(available, 1 + (seed % 90000));
  };
}

/** Wants whole blocks. */
class CoarseNode extends FilterNode {
  override get limits(): MemoryNode['limits'] {
    return { ...super.limits, alignment: 512 };
  }
  override read(offset: number, target: Uint8Array): Promise<void> {
    expect([offset % 512, target.length % 512]).toEqual([0, 0]);
    return super.read(offset, target);
  }
  override write(offset: number, source: Uint8Array): Promise<void> {
    expect([offset % 512, source.length % 512]).toEqual([0, 0]);
    return super.write(offset, source);
  }
}

/** Has no room. */
class FullNode extends FilterNode {
  override async write(): Promise<void> {
    const cause = Object.assign(new Error('no room'), { code: 'ENOSPC' });
    throw new PolyvisorError('io', { what: "can't write", which: '/secret/path', cause });
  }
}

const options = { name: 'memory', readOnly: false } as const;

describeBlockNode('nbd', (size) => {
  const disk = new MemoryNode({ size });
  return NbdNode.open(
    memoryConnector(() => exportOf(disk, { resizable: true })),
    options,
  );
});

describeBlockNode(
  'nbd, cut into pieces',
  (size) => {
    const disk = new MemoryNode({ size });
    return NbdNode.open(
      memoryConnector(() => exportOf(disk), { cutter: choppy() }),
      options,
    );
  },
  { runs: 15 },
);

describeBlockNode(
  'nbd, server with blocks of 512 bytes',
  (size) => {
    const disk = new CoarseNode('coarse', new MemoryNode({ size }));
    return NbdNode.open(
      memoryConnector(() => exportOf(disk)),
      options,
    );
  },
  { runs: 15 },
);

describe('NBD node', () => {
  test('asks again what a lost connection did not answer', async () => {
    const disk = new MemoryNode({ size: 1 << 20 });
    const connections: PipeEnd[] = [];
    const connector = memoryConnector(() => exportOf(disk), {
      onConnect: (client) => void connections.push(client),
    });
    const node = await NbdNode.open(connector, { ...options, reconnectDelayMs: 5000 });
    const writes = Array.from({ length: 100 }, (_, index) =>
      node.write(index * 4096, new Uint8Array(4096).fill(index)),
    );
    connections[0]!.destroy();
    await Promise.all(writes);
    for (let index = 0; index < 100; index++) {
      const bytes = new Uint8Array(4096);
      const reading = node.read(index * 4096, bytes);
      if (index % 10 === 5) connections.at(-1)!.destroy();
      await reading;
      expect(bytes.every((byte) => byte === index)).toBe(true);
    }
    expect(connections.length).toBe(12);
    await node.close();
  });

  test('fails at once without a delay, and connects again for later requests', async () => {
    const disk = new MemoryNode({ size: 1 << 20 });
    const connections: PipeEnd[] = [];
    const connector = memoryConnector(() => exportOf(disk), {
      onConnect: (client) => void connections.push(client),
    });
    const node = await NbdNode.open(connector, options);
    const reading = node.read(0, new Uint8Array(512));
    connections[0]!.destroy();
    await expect(reading).rejects.toMatchObject({ code: 'unavailable' });
    await node.read(0, new Uint8Array(512));
    expect(connections.length).toBe(2);
    await node.close();
  });

  test('refuses another disk after a reconnect', async () => {
    const disks = [new MemoryNode({ size: 1 << 20 }), new MemoryNode({ size: 1 << 19 })];
    const connections: PipeEnd[] = [];
    let count = 0;
    const connector = memoryConnector(() => exportOf(disks[count++]!), {
      onConnect: (client) => void connections.push(client),
    });
    const node = await NbdNode.open(connector, { ...options, reconnectDelayMs: 1000 });
    connections[0]!.destroy();
    const reading = node.read(0, new Uint8Array(512));
    await expect(reading).rejects.toThrow(/another one/);
    await node.close();
  });

  test('gives up what is cancelled; data that comes later goes nowhere', async () => {
    const disk = new MemoryNode({ contents: new Uint8Array(1 << 20).fill(7) });
    let held: PipeEnd | undefined;
    const node = await NbdNode.open(
      memoryConnector(() => exportOf(disk), { onConnect: (client) => (held = client) }),
      options,
    );
    const abort = new AbortController();
    const bytes = new Uint8Array(65536);
    const reading = node.read(0, bytes, { signal: abort.signal });
    held!.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    abort.abort();
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
    held!.resume();
    await node.read(0, new Uint8Array(512));
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    await node.close();
  });

  test("tells the server's errors", async () => {
    const disk = new FullNode(
      'full',
      new FaultNode(new MemoryNode({ size: 1 << 20 }), [{ event: 'read', error: 'io', skip: 0, times: 1 }]),
    );
    const node = await NbdNode.open(
      memoryConnector(() => exportOf(disk)),
      options,
    );
    await expect(node.write(0, new Uint8Array(512))).rejects.toThrow(
      /no space left on the server: can't write\)/,
    );
    await expect(node.read(0, new Uint8Array(512))).rejects.toMatchObject({ code: 'io' });
    await expect(node.read(0, new Uint8Array(200_000))).resolves.toBeUndefined();
    await node.close();
  });

  test('is refused for writing where the export is read-only', async () => {
    const disk = new MemoryNode({ size: 4096, readOnly: true });
    const connector = memoryConnector(() => exportOf(disk));
    await expect(NbdNode.open(connector, options)).rejects.toMatchObject({ code: 'permission' });
    const node = await NbdNode.open(connector, { ...options, readOnly: true });
    await expect(node.write(0, new Uint8Array(1))).rejects.toMatchObject({ code: 'permission' });
    await node.close();
  });

  test('a server keeps few bytes for a client that does not read', async () => {
    const disk = new MemoryNode({ contents: new Uint8Array(4 << 20).fill(1) });
    let ends: readonly PipeEnd[] = [];
    const node = await NbdNode.open(
      memoryConnector(() => exportOf(disk), { onConnect: (...both) => (ends = both) }),
      options,
    );
    const [client, server] = ends;
    client!.pause();
    const reads = Array.from({ length: 100 }, () => node.read(0, new Uint8Array(4 << 20)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server!.mostUnsent).toBeGreaterThan(8 << 20);
    expect(server!.mostUnsent).toBeLessThan(48 << 20);
    client!.resume();
    await Promise.all(reads);
    await node.close();
  });
});
