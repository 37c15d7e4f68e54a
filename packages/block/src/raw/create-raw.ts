import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions } from '../graph/driver.ts';

const FIRST_BLOCK_BYTES = 4096;

/** Gives a file its size. */
export async function createRaw(
  file: BlockNode,
  { size, values, signal }: FormatCreateOptions,
): Promise<void> {
  // A device has its size.
  if (file.size > 0 && file.size >= size) return;
  const preallocation = values['preallocation'] as 'off' | 'falloc' | 'full' | undefined;
  await file.resize?.(size, {
    preallocation: preallocation ?? 'off',
    ...(signal === undefined ? {} : { signal }),
  });
  // A first block that is stored lets others find out, by reading it, what direct IO asks for; QEMU does so, too.
  if (preallocation !== 'full' && size > 0)
    await file.write(0, new Uint8Array(Math.min(size, FIRST_BLOCK_BYTES)));
}
