import { describe, expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryNode } from '../memory/memory-node.ts';
import { RecorderNode, replay } from './recorder-node.ts';

describeBlockNode('recorder', async (size) => new RecorderNode(new MemoryNode({ size })), { runs: 10 });

describe('power cut', () => {
  const sector = (value: number): Uint8Array => new Uint8Array(512).fill(value);
  const byteAt = async (node: MemoryNode, offset: number): Promise<number> => {
    const byte = new Uint8Array(1);
    await node.read(offset, byte);
    return byte[0]!;
  };

  test('keeps what was flushed and loses the rest as it likes', async () => {
    const node = new RecorderNode(new MemoryNode({ size: 4096 }));
    await node.write(0, sector(1));
    await node.flush();
    node.mark('first is durable');
    await node.write(512, sector(2));
    await node.write(1024, sector(3));
    expect(node.events.map(({ kind }) => kind)).toEqual(['write', 'flush', 'mark', 'write', 'write']);
    const lost = await replay(node.events, { after: 5, random: () => 0.9 });
    expect([await byteAt(lost, 0), await byteAt(lost, 512), await byteAt(lost, 1024)]).toEqual([1, 0, 0]);
    const numbers = [0.9, 0.1];
    const reordered = await replay(node.events, { after: 5, random: () => numbers.shift()! });
    expect([await byteAt(reordered, 512), await byteAt(reordered, 1024)]).toEqual([0, 3]);
    const early = await replay(node.events, { after: 1, random: () => 0.9 });
    expect(await byteAt(early, 0)).toBe(0);
  });

  test('a write that was under way when the flush began is not durable', async () => {
    const below = new MemoryNode({ size: 4096 });
    const node = new RecorderNode(below);
    const flush = node.flush();
    const write = node.write(0, sector(1));
    await Promise.all([flush, write]);
    const lost = await replay(node.events, { after: node.events.length, random: () => 0.9 });
    expect(await byteAt(lost, 0)).toBe(0);
  });

  test('tears writes at sectors', async () => {
    const node = new RecorderNode(new MemoryNode({ size: 4096 }));
    await node.write(256, new Uint8Array(1024).fill(5));
    const numbers = [0, 1, 0];
    const torn = await replay(node.events, { after: 1, random: () => numbers.shift()!, tear: true });
    expect([await byteAt(torn, 256), await byteAt(torn, 512), await byteAt(torn, 1024)]).toEqual([5, 0, 5]);
  });
});
