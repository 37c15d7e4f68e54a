import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { copy } from './compact-vdi.ts';
import { scanVdiTable, walkVdiTable } from './scan-vdi-table.ts';
import { MOST_BLOCKS, VDI_FREE, VDI_ZERO } from './vdi-header.ts';
import type { VdiHeader } from './vdi-header.ts';
import type { VdiMap } from './vdi-map.ts';

const CHUNK_ENTRIES = 256 * 1024;

/** What resizing needs of the open table. */
export interface VdiTableAccess {
  entryOf(block: number): Promise<number>;
  forget(): void;
}

/**
 * Gives an image another size. A table that no longer fits before the data is written anew where the first blocks
 * were, which go to the end before; one write of the header's sector makes it all true, so a power cut leaves
 * the old image or the new one. Nothing else may be under way; blocks past the new size are free.
 * @throws PolyvisorError `limit`: more blocks than a table can have.
 */
export async function resizeVdi(
  file: BlockNode,
  map: VdiMap,
  size: number,
  access: VdiTableAccess,
): Promise<void> {
  const { header } = map;
  const blocks = Math.ceil(size / header.blockSize);
  if (blocks > MOST_BLOCKS) {
    throw new PolyvisorError('limit', {
      what: 'disk is too large for VDI',
      which: file.name,
      limit: `${size} bytes`,
    });
  }
  const tableBytes = blocks * 4;
  if (header.tableOffset + tableBytes <= header.dataOffset) {
    if (blocks > header.blocks)
      await writeTable(file, header.tableOffset, header.blocks, blocks, async () => VDI_FREE);
    await file.flush();
    access.forget();
    await map.changeHeader({ diskSize: size, blocks });
    await file.flush();
    return;
  }
  const stride = header.blockSize + header.blockExtra;
  const moved = Math.ceil(tableBytes / stride);
  const end = await moveFirst(file, header, moved);
  access.forget();
  await writeTable(file, header.dataOffset, 0, blocks, async (block) => {
    const entry = block < header.blocks ? await access.entryOf(block) : VDI_FREE;
    return entry < VDI_ZERO ? entry - moved : entry;
  });
  await file.flush();
  access.forget();
  await map.changeHeader({
    diskSize: size,
    blocks,
    tableOffset: header.dataOffset,
    dataOffset: header.dataOffset + moved * stride,
    allocated: end - moved,
  });
  await file.flush();
}

/** Moves the first blocks of the data area to its end. @returns one more than the highest number in use. */
async function moveFirst(file: BlockNode, header: VdiHeader, count: number): Promise<number> {
  const stride = header.blockSize + header.blockExtra;
  const { end } = await scanVdiTable(file, header);
  let next = Math.max(end, count);
  const moves: { block: number; from: number; to: number }[] = [];
  await walkVdiTable(file, header, (block, index) => {
    if (index < count) moves.push({ block, from: index, to: next++ });
  });
  for (const { from, to } of moves) {
    await copy(file, header.dataOffset + from * stride, header.dataOffset + to * stride, stride);
  }
  await file.flush();
  for (const { block, to } of moves) {
    const entry = new Uint8Array(4);
    new DataView(entry.buffer).setUint32(0, to, true);
    await file.write(header.tableOffset + block * 4, entry);
  }
  await file.flush();
  return next;
}

/** Writes entries `from` to `to` of a table, in chunks. */
async function writeTable(
  file: BlockNode,
  offset: number,
  from: number,
  to: number,
  entryOf: (block: number) => Promise<number>,
): Promise<void> {
  for (let at = from; at < to; at += CHUNK_ENTRIES) {
    const count = Math.min(CHUNK_ENTRIES, to - at);
    const view = new DataView(new ArrayBuffer(count * 4));
    for (let i = 0; i < count; i++) view.setUint32(i * 4, await entryOf(at + i), true);
    await file.write(offset + at * 4, new Uint8Array(view.buffer));
  }
}
