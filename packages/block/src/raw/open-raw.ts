import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions } from '../graph/driver.ts';
import { RawNode } from './raw-node.ts';

const SECTOR_BYTES = 512;

/**
 * Opens a file as a disk.
 * @throws PolyvisorError `invalid-argument`: `offset` or `size` don't fit into the file.
 */
export async function openRaw(file: BlockNode, { readOnly, values }: FormatOpenOptions): Promise<RawNode> {
  const offset = (values['offset'] as number | undefined) ?? 0;
  const size = values['size'] as number | undefined;
  if (offset > file.size || (size !== undefined && size > file.size - offset)) {
    throw new PolyvisorError('invalid-argument', {
      what: 'offset and size reach beyond the end of the file',
      which: file.name,
      limit: `${file.size} bytes`,
    });
  }
  if (size !== undefined && size % SECTOR_BYTES !== 0) {
    throw new PolyvisorError('invalid-argument', {
      what: 'size is no multiple of 512 bytes',
      which: file.name,
      limit: `${size} bytes`,
    });
  }
  return new RawNode(file, { offset, readOnly, ...(size === undefined ? {} : { size }) });
}
