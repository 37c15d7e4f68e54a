import { expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;

for (const values of [{}, { subformat: 'fixed' }]) {
  const folder = new MemoryFolder();
  describeBlockNode(
    `vpc ${JSON.stringify(values)}`,
    async (size) => {
      await folder.create('disk.vhd', 'vpc', size, { ...values, force_size: true });
      return folder.open('disk.vhd', 'vpc');
    },
    { size: 6 * MIB, reopen: () => folder.open('disk.vhd', 'vpc') },
  );
}

test('differencing VHD finds its parent', async () => {
  const folder = new MemoryFolder();
  await folder.create('base.vhd', 'vpc', 3 * MIB);
  await folder.create('over.vhd', 'vpc', 3 * MIB, { backing_file: 'base.vhd' });
  const node = await folder.open('over.vhd', 'vpc');
  expect(node.backing?.reference).toBe('base.vhd');
});
