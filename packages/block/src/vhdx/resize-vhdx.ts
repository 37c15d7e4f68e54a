import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { piecesOf } from '../graph/parallel.ts';
import { MIB } from './vhdx-header.ts';
import type { ReadVhdxMetadata } from './vhdx-metadata.ts';
import type { VhdxRegions } from './vhdx-regions.ts';
import { moveBat, readRegions, writeRegions } from './vhdx-regions.ts';

const MOST_DISK_BYTES = 64 * 2 ** 40;

/**
 * Gives an image another size; its log is empty. A table that doesn't fit into its region any more gets another
 * one at the file's end; the old one stays unused. The new entries come first, then the size, which is a single
 * sector's write.
 * @throws PolyvisorError `limit`
 */
export async function resizeVhdx(
  file: BlockNode,
  regions: VhdxRegions,
  metadata: ReadVhdxMetadata,
  to: { readonly size: number; readonly tableBytes: number; readonly oldTableBytes: number },
): Promise<VhdxRegions> {
  if (to.size > MOST_DISK_BYTES) {
    throw new PolyvisorError('limit', {
      what: 'disk is too large for VHDX',
      which: file.name,
      limit: '64 TiB',
    });
  }
  const { bat } = regions;
  let result = regions;
  if (to.tableBytes > bat.length) {
    const moved = { offset: Math.ceil(file.size / MIB) * MIB, length: Math.ceil(to.tableBytes / MIB) * MIB };
    await file.resize?.(moved.offset + moved.length);
    for (const { offset, length } of piecesOf(0, to.oldTableBytes)) {
      const bytes = new Uint8Array(length);
      await file.read(bat.offset + offset, bytes);
      await file.write(moved.offset + offset, bytes);
    }
    const table = moveBat(regions, moved);
    await writeRegions(file, table);
    result = await readRegions(file, { offset: 0, length: 0 });
  } else if (to.tableBytes > to.oldTableBytes) {
    await file.writeZeroes(bat.offset + to.oldTableBytes, to.tableBytes - to.oldTableBytes);
    await file.flush();
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(to.size), true);
  await file.write(metadata.sizeOffset, bytes);
  await file.flush();
  return result;
}
