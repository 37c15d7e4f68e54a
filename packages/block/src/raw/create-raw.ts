import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions } from '../graph/driver.ts';

/** Gives a file its size. */
export async function createRaw(
  file: BlockNode,
  { size, values, signal }: FormatCreateOptions,
): Promise<void> {
  const preallocation = values['preallocation'] as 'off' | 'falloc' | 'full' | undefined;
  await file.resize?.(size, {
    preallocation: preallocation ?? 'off',
    ...(signal === undefined ? {} : { signal }),
  });
}
