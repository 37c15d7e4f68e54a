import { PolyvisorError } from '@polyvisor/contracts';
import type { ResizeOptions } from '../graph/block-node.ts';
import { preallocate } from './preallocate.ts';
import { MAX_L1_BYTES, MAX_OFFSET, roundUp } from './qcow2-format.ts';
import type { Qcow2Parts } from './qcow2-node.ts';

/** Entries of an L1 table for a disk of `size` bytes. @throws PolyvisorError `limit` */
export function l1EntriesFor(size: number, tableReach: number, name: string): number {
  const entries = Math.ceil(size / tableReach);
  if (size > MAX_OFFSET || entries * 8 > MAX_L1_BYTES) {
    throw new PolyvisorError('limit', {
      what: 'The image size is too large for file format',
      which: name,
      hint: 'try using a larger cluster size',
    });
  }
  return entries;
}

/** Changes the disk's size; nothing else is under way. */
export async function resizeQcow2(parts: Qcow2Parts, size: number, options: ResizeOptions): Promise<void> {
  const { image } = parts;
  const old = image.header.size;
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new PolyvisorError('invalid-argument', { what: 'size is no number of bytes', which: image.name });
  }
  if (size % 512 !== 0) {
    throw new PolyvisorError('invalid-argument', {
      what: 'The new size must be a multiple of 512',
      which: image.name,
    });
  }
  if (image.snapshots.length > 0 && image.header.version === 2) {
    throw new PolyvisorError('unsupported', {
      what: "Can't resize a v2 image which has snapshots",
      which: image.name,
    });
  }
  parts.bitmaps.checkResizable();
  if (size === old) return;
  if (size < old) await shrink(parts, size, options);
  else await grow(parts, size, options);
  parts.bitmaps.resize(size);
}

async function grow(parts: Qcow2Parts, size: number, options: ResizeOptions): Promise<void> {
  const { image, tables, eraser } = parts;
  const { header, clusterSize } = image;
  const old = header.size;
  const entries = l1EntriesFor(size, image.tableReach, image.name);
  if (image.dataFileIsRaw && image.data.size < size) await image.data.resize?.(size);
  await tables.growL1(entries);
  // What a larger backing file holds beyond the old end must not show, nor what lies behind the end in its cluster.
  const seam = Math.min(size, roundUp(old, clusterSize));
  const hidden = image.backing === undefined ? seam : Math.min(size, Math.max(seam, image.backing.size));
  await image.setHeaderSize(size);
  try {
    if (hidden > old) await eraser.writeZeroes(old, hidden - old, { mayUnmap: true });
    const mode = options.preallocation ?? 'off';
    if (mode !== 'off') await preallocate(parts, old, size, mode, options);
  } catch (error) {
    await image.writer.sync();
    await image.setHeaderSize(old);
    throw error;
  }
  await image.quiesce();
}

async function shrink(parts: Qcow2Parts, size: number, options: ResizeOptions): Promise<void> {
  const { image, eraser } = parts;
  const { header, clusterSize, l1, tableReach } = image;
  const old = header.size;
  if (options.shrink !== true) {
    throw new PolyvisorError('invalid-argument', {
      what: 'Use the --shrink option to perform a shrink operation.',
      which: image.name,
      hint: 'shrinking deletes all data beyond the shrunken image end',
    });
  }
  if (options.preallocation !== undefined && options.preallocation !== 'off') {
    throw new PolyvisorError('invalid-argument', {
      what: "Preallocation can't be used for shrinking an image",
      which: image.name,
    });
  }
  const start = roundUp(size, clusterSize);
  if (start < old) await eraser.discard(start, old - start, { full: true, reason: 'request' });
  await image.quiesce();
  await image.setHeaderSize(size);
  // Tables that map nothing of the disk any more go; entries behind (machine state) stay what they are.
  const entries = Math.ceil(size / tableReach);
  const oldEntries = Math.ceil(old / tableReach);
  const freed: number[] = [];
  for (let i = entries; i < Math.min(oldEntries, l1.size); i++) {
    const table = l1.tableAt(i);
    if (table === 0) continue;
    freed.push(table);
    l1.set(i, 0, false);
  }
  await image.writer.sync();
  for (const table of freed) image.allocator.free(table, 1, 'request');
  if (image.dataFileIsRaw) await image.data.resize?.(size, { shrink: true });
  await image.quiesce();
  await image.allocator.trim(0);
}
