import { expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;

for (const values of [
  {},
  { zeroed_grain: true },
  { subformat: 'monolithicFlat' },
  { subformat: 'twoGbMaxExtentSparse' },
]) {
  const folder = new MemoryFolder();
  describeBlockNode(
    `vmdk ${JSON.stringify(values)}`,
    async (size) => {
      await folder.create('disk.vmdk', 'vmdk', size, values);
      return folder.open('disk.vmdk', 'vmdk');
    },
    { size: 6 * MIB, reopen: () => folder.open('disk.vmdk', 'vmdk') },
  );
}

test('VMDK finds its parent', async () => {
  const folder = new MemoryFolder();
  await folder.create('base.vmdk', 'vmdk', 3 * MIB);
  await folder.create('over.vmdk', 'vmdk', 3 * MIB, { backing_file: 'base.vmdk' });
  const node = await folder.open('over.vmdk', 'vmdk');
  expect(node.backing?.reference).toBe('base.vmdk');
});
