import { describe, expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryNode } from '../memory/memory-node.ts';
import { openRaw } from './open-raw.ts';
import { RawNode } from './raw-node.ts';

describeBlockNode('raw', async (size) => new RawNode(new MemoryNode({ size, growable: true })));
describeBlockNode(
  'raw, a part of a file',
  async (size) => new RawNode(new MemoryNode({ size: size + 1000, growable: true }), { offset: 1000 }),
);

describe('raw node', () => {
  test('is a window of its file', async () => {
    const file = new MemoryNode({ contents: Uint8Array.from({ length: 4096 }, (_, at) => at >> 4) });
    const node = await openRaw(file, { readOnly: false, values: { offset: 1024, size: 512 } });
    const bytes = new Uint8Array(512);
    await node.read(0, bytes);
    expect([node.size, bytes[0], bytes[511]]).toEqual([512, 64, 95]);
    await expect(node.resize(1024)).rejects.toMatchObject({ code: 'unsupported' });
  });

  test.each([{ offset: 5000 }, { size: 8192 }, { offset: 4096, size: 512 }, { size: 100 }])(
    'refuses %p of a file of 4096 bytes',
    async (values) => {
      const file = new MemoryNode({ size: 4096 });
      await expect(openRaw(file, { readOnly: true, values })).rejects.toMatchObject({
        code: 'invalid-argument',
      });
    },
  );
});
