import { describe, expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;

for (const values of [{}, { static: true }]) {
  const folder = new MemoryFolder();
  describeBlockNode(
    `vdi ${JSON.stringify(values)}`,
    async (size) => {
      await folder.create('disk.vdi', 'vdi', size, values);
      return folder.open('disk.vdi', 'vdi');
    },
    { size: 6 * MIB, reopen: () => folder.open('disk.vdi', 'vdi') },
  );
}

describe('differencing VDI', () => {
  test('opens', async () => {
    const folder = new MemoryFolder();
    await folder.create('base.vdi', 'vdi', 3 * MIB);
    await folder.create('over.vdi', 'vdi', 3 * MIB, { backing_file: 'base.vdi' });
    const node = await folder.open('over.vdi', 'vdi');
    expect(node.backing?.reference).toBe('base.vdi');
  });
});
