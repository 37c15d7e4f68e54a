import type { BlockNode } from '../graph/block-node.ts';
import { PIECE_BYTES } from '../graph/parallel.ts';
import { scanVdiTable, walkVdiTable } from './scan-vdi-table.ts';
import type { VdiHeader } from './vdi-header.ts';

/**
 * Moves the last blocks of the data area into its gaps, so that numbers in use have none: VirtualBox takes the
 * number of blocks in use for the next free number. Data first, then a barrier, then the table: a power cut between
 * leaves a gap. Nothing else may be under way.
 * @param most no more blocks are moved; the rest stays.
 * @returns one more than the highest number in use now.
 */
export async function compactVdi(file: BlockNode, header: VdiHeader, most: number): Promise<number> {
  const table = await scanVdiTable(file, header);
  if (table.problem !== undefined || table.gapCount === 0) return table.end;
  const moves = await highestBlocks(file, header, table.used);
  if (moves.length > most) return table.end;
  const stride = header.blockSize + header.blockExtra;
  const gaps = table.gaps()[Symbol.iterator]();
  for (const { block, index } of moves) {
    const { value: gap } = gaps.next() as { value: number };
    await copy(file, header.dataOffset + index * stride, header.dataOffset + gap * stride, stride);
    await file.flush();
    const entry = new Uint8Array(4);
    new DataView(entry.buffer).setUint32(0, gap, true);
    await file.write(header.tableOffset + block * 4, entry);
  }
  await file.flush();
  return table.used;
}

/** Blocks whose number is `from` or above. */
async function highestBlocks(
  file: BlockNode,
  header: VdiHeader,
  from: number,
): Promise<{ readonly block: number; readonly index: number }[]> {
  const found: { block: number; index: number }[] = [];
  await walkVdiTable(file, header, (block, index) => {
    if (index >= from) found.push({ block, index });
  });
  return found;
}

/** Copies a range within a file. Holes cost nothing: a block may be much larger than what is stored of it. */
export async function copy(file: BlockNode, from: number, to: number, length: number): Promise<void> {
  for (let at = 0; at < length;) {
    const extent =
      from + at < file.size
        ? await file.map(from + at, Math.min(length - at, file.size - from - at))
        : { zero: true, length: length - at };
    if (extent.zero) {
      await file.writeZeroes(to + at, extent.length, { mayUnmap: true });
      at += extent.length;
      continue;
    }
    const bytes = new Uint8Array(Math.min(extent.length, PIECE_BYTES));
    await file.read(from + at, bytes);
    await file.write(to + at, bytes);
    at += bytes.length;
  }
}
