import { describe, expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryNode } from './memory-node.ts';

describeBlockNode('memory', async (size) => new MemoryNode({ size }));

describe('memory node', () => {
  test('takes memory for what was written only, and gives it back', async () => {
    const node = new MemoryNode({ size: 2 ** 50 });
    await node.write(2 ** 49, new Uint8Array([1, 2, 3]));
    expect(node.storedBytes).toBe(65536);
    expect(await node.map(0, 2 ** 50)).toMatchObject({ zero: true, data: false });
    await node.discard(0, 2 ** 50);
    expect(node.storedBytes).toBe(0);
  });

  test('grows, if it may', async () => {
    const node = new MemoryNode({ growable: true });
    const bytes = new Uint8Array(4).fill(1);
    await node.read(100, bytes);
    expect([...bytes]).toEqual([0, 0, 0, 0]);
    await node.write(10, new Uint8Array([7]));
    expect(node.size).toBe(11);
    await node.writeZeroes(0, 600);
    expect(node.size).toBe(600);
  });
});
