import { compressionCodecs } from '#compression-codecs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../graph/driver.ts';
import { parseQcowHeader } from './qcow-header.ts';
import { QcowNode } from './qcow-node.ts';

/** Header, and a backing file's name behind it. */
const HEAD_BYTES = 4096;

/** @throws PolyvisorError `corrupt`, `unsupported`, `invalid-argument`, and what opening its backing file throws. */
export async function openQcow(
  file: BlockNode,
  { readOnly }: FormatOpenOptions,
  context: OpenContext,
): Promise<QcowNode> {
  const head = new Uint8Array(Math.min(HEAD_BYTES, file.size));
  await file.read(0, head);
  const header = parseQcowHeader(head, file.name);
  const length = header.l1Size * 8;
  if (header.l1Offset + length > Math.ceil(file.size / 512) * 512) {
    throw new PolyvisorError('corrupt', { what: 'L1 table is beyond the end of the file', which: file.name });
  }
  const l1 = new Uint8Array(length);
  await file.read(header.l1Offset, l1.subarray(0, Math.min(length, file.size - header.l1Offset)));
  const backing = await context.openBacking(header.backingFile, undefined, { unrecordable: true });
  return new QcowNode({ file, backing, header, l1, readOnly, codecs: compressionCodecs });
}
