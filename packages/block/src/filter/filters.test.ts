import { describe, expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { CacheNode } from '../cache/cache-node.ts';
import { ChecksumNode } from '../checksum/checksum-node.ts';
import { xxhash32 } from '../checksum/xxhash32.ts';
import { CopyOnReadNode } from '../copy-on-read/copy-on-read-node.ts';
import { FaultNode } from '../fault/fault-node.ts';
import type { Extent } from '../graph/block-node.ts';
import { MemoryNode } from '../memory/memory-node.ts';
import { ThrottleNode } from '../throttle/throttle-node.ts';
import { FilterNode } from './filter-node.ts';

const memory = (size: number): MemoryNode => new MemoryNode({ size });
const quick = { runs: 15 };

describeBlockNode(
  'throttle',
  async (size) => new ThrottleNode(memory(size), { iopsTotal: 1e9, bpsTotal: 1e15 }),
  quick,
);
describeBlockNode('cache', async (size) => new CacheNode(memory(size), { bytes: 1 << 20 }), { runs: 40 });
describeBlockNode(
  'cache of two blocks',
  async (size) => new CacheNode(memory(size), { bytes: 8192, blockBytes: 4096 }),
  quick,
);
describeBlockNode('checksum', async (size) => new ChecksumNode(memory(size)), quick);
describeBlockNode('fault without rules', async (size) => new FaultNode(memory(size)), quick);
describeBlockNode('copy-on-read', async (size) => new CopyOnReadNode(new Overlay(size)), quick);

/** Everything is unallocated until it is written, in blocks of 4 KiB; reads as what `base` has. */
class Overlay extends FilterNode {
  readonly written = new Set<number>();

  constructor(size: number) {
    super('overlay', memory(size));
  }

  override async map(offset: number, length: number): Promise<Extent> {
    const extent = await super.map(offset, length);
    const block = Math.floor(offset / 4096);
    const allocated = this.written.has(block);
    const run = Math.min(extent.length, (block + 1) * 4096 - offset);
    return { ...extent, length: run, allocated, zero: extent.zero && allocated };
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    await super.write(offset, source);
    for (let at = Math.floor(offset / 4096); at * 4096 < offset + source.length; at++) this.written.add(at);
  }
}

describe('throttle', () => {
  test('keeps to its limits', async () => {
    const node = new ThrottleNode(memory(1 << 20), { iopsWrite: 100 });
    const begun = performance.now();
    // A second's worth is free; 20 more take 200 ms.
    await Promise.all(Array.from({ length: 120 }, () => node.write(0, new Uint8Array(512))));
    expect(performance.now() - begun).toBeGreaterThan(150);
    await node.read(0, new Uint8Array(512));
  });

  test('waiting can be given up', async () => {
    const node = new ThrottleNode(memory(1 << 20), { bpsRead: 1000 });
    const controller = new AbortController();
    const read = node.read(0, new Uint8Array(500_000), { signal: controller.signal });
    controller.abort();
    await expect(read).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('cache', () => {
  test('reads a block once, whoever asks', async () => {
    const node = new CacheNode(memory(1 << 20));
    await Promise.all([1, 2, 3].map(() => node.read(0, new Uint8Array(100))));
    await node.read(200, new Uint8Array(100));
    expect([node.hits, node.misses]).toEqual([1, 3]);
  });

  test('a read under way does not bring back what a write replaced', async () => {
    const slow = new FaultNode(memory(1 << 20));
    const node = new CacheNode(slow);
    slow.inject({ event: 'read', error: 'none', delayMs: 20, times: 1 });
    const read = node.read(0, new Uint8Array(4));
    await node.write(0, new Uint8Array([1, 2, 3, 4]));
    await read;
    const bytes = new Uint8Array(4);
    await node.read(0, bytes);
    expect([...bytes]).toEqual([1, 2, 3, 4]);
  });

  test('a failed write leaves no trace in it', async () => {
    const faulty = new FaultNode(memory(1 << 20));
    const node = new CacheNode(faulty);
    const bytes = new Uint8Array(4);
    await node.read(0, bytes);
    faulty.inject({ event: 'write', times: 1 });
    await expect(node.write(0, new Uint8Array([9, 9]))).rejects.toMatchObject({ code: 'io' });
    await node.read(0, bytes);
    expect([...bytes]).toEqual([0, 0, 0, 0]);
  });
});

describe('checksum', () => {
  test.each([
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('XXH32 of %p', (text, hash) => expect(xxhash32(new TextEncoder().encode(text))).toBe(hash));

  test('notices a byte that changed below', async () => {
    const below = memory(1 << 20);
    const node = new ChecksumNode(below);
    await node.write(100, new Uint8Array(100_000).fill(7));
    await node.read(0, new Uint8Array(200_000));
    await below.write(70_000, new Uint8Array([8]));
    await node.read(0, new Uint8Array(1000));
    await expect(node.read(65536, new Uint8Array(1))).rejects.toMatchObject({ code: 'corrupt' });
    expect(node.mismatches).toBe(1);
  });
});

describe('copy-on-read', () => {
  test('writes what it read, once', async () => {
    const below = new Overlay(1 << 20);
    const node = new CopyOnReadNode(below);
    await node.read(5000, new Uint8Array(5000));
    expect([...below.written].toSorted()).toEqual([1, 2]);
  });
});

describe('fault', () => {
  test('fails as told', async () => {
    const below = memory(4096);
    const node = new FaultNode(below, [
      { event: 'write', skip: 1, times: 1, torn: true },
      { event: 'read', offset: 1000 },
    ]);
    const ones = new Uint8Array(2048).fill(1);
    await node.write(2048, ones);
    await expect(node.write(0, ones)).rejects.toMatchObject({ code: 'io' });
    const bytes = new Uint8Array(2048);
    await below.read(0, bytes);
    expect([bytes[1023], bytes[1024]]).toEqual([1, 0]);
    await expect(node.read(512, bytes)).rejects.toMatchObject({ code: 'io' });
    await node.read(1001, bytes);
  });

  test('stops and goes on', async () => {
    const node = new FaultNode(memory(4096));
    node.break('write', 'A');
    const write = node.write(0, new Uint8Array(512));
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect([node.isStopped('A'), node.resume('B')]).toEqual([true, false]);
    expect(node.resume('A')).toBe(true);
    await write;
  });
});
