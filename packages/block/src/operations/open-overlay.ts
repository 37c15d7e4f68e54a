import { silentLogger } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatNode } from '../graph/format-node.ts';
import { MemoryNode } from '../memory/memory-node.ts';

/** A disk with the contents of `backing`, which then belongs to it; what is written stays in memory and is dropped. */
export async function openOverlay(backing: BlockNode): Promise<FormatNode> {
  const { createQcow2 } = await import('../qcow2/create-qcow2.ts');
  const { openQcow2 } = await import('../qcow2/open-qcow2.ts');
  const file = new MemoryNode({ name: backing.name, growable: true });
  const refuse = (): never => {
    throw new Error('an overlay in memory refers to nothing else');
  };
  const context = {
    logger: silentLogger,
    name: backing.name,
    openBacking: async () => backing,
    openFile: async () => refuse(),
    openImage: async () => refuse(),
    createFile: async () => refuse(),
    secret: async () => refuse(),
  };
  await createQcow2(file, { size: backing.size, values: {} }, context);
  return openQcow2(file, { readOnly: false, values: {} }, context);
}
