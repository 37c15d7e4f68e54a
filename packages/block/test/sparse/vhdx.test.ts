import { expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;

for (const values of [{ block_size: MIB }, {}, { subformat: 'fixed', logical_sector_size: '4096' }]) {
  const folder = new MemoryFolder();
  describeBlockNode(
    `vhdx ${JSON.stringify(values)}`,
    async (size) => {
      await folder.create('disk.vhdx', 'vhdx', size, values);
      return folder.open('disk.vhdx', 'vhdx');
    },
    {
      size: 6 * MIB,
      reopen: () => folder.open('disk.vhdx', 'vhdx'),
      granule: 'logical_sector_size' in values ? 4096 : 512,
    },
  );
}

test('differencing VHDX finds its parent', async () => {
  const folder = new MemoryFolder();
  await folder.create('base.vhdx', 'vhdx', 3 * MIB);
  await folder.create('over.vhdx', 'vhdx', 3 * MIB, { backing_file: 'base.vhdx' });
  const node = await folder.open('over.vhdx', 'vhdx');
  expect(node.backing?.reference).toBe('base.vhdx');
});
