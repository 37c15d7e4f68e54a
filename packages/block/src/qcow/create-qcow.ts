import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions } from '../graph/driver.ts';
import { serializeQcowHeader } from './qcow-header.ts';

/** Writes an empty image. Clusters are small over a backing file, as in QEMU: less is copied up. */
export async function createQcow(file: BlockNode, { size, values }: FormatCreateOptions): Promise<void> {
  if (values['encryption'] === true || values['encrypt.format'] !== undefined) {
    throw new PolyvisorError('unsupported', {
      what: 'qcow AES encryption is not supported',
      which: file.name,
    });
  }
  if (size < 2) {
    throw new PolyvisorError('invalid-argument', {
      what: 'Image size is too small, cannot be zero length',
      which: file.name,
    });
  }
  const backingFile = values['backing_file'] === undefined ? '' : String(values['backing_file']);
  const [clusterBits, l2Bits] = backingFile === '' ? [12, 9] : [9, 12];
  const bytes = Math.ceil(size / 512) * 512;
  const header = serializeQcowHeader(
    { backingFile: backingFile === '' ? undefined : backingFile, size: bytes, clusterBits, l2Bits },
    file.name,
  );
  const l1 = new Uint8Array(Math.ceil(bytes / 2 ** (clusterBits + l2Bits)) * 8);
  await file.write(0, header);
  // Whole sectors: the L1 table is written in these.
  await file.write(
    header.length,
    new Uint8Array(Math.ceil((header.length + l1.length) / 512) * 512 - header.length),
  );
  await file.flush();
}
