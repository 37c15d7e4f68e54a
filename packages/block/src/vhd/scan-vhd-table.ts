import type { BlockNode } from '../graph/block-node.ts';
import { PlacementSet } from '../sparse/placement-set.ts';
import { SECTOR_BYTES, VHD_FREE } from './vhd-header.ts';
import type { VhdDynamic } from './vhd-header.ts';

const CHUNK_BYTES = 1024 * 1024;

/** What a walk through a VHD block table found. */
export interface VhdTable {
  /** Where the last block ends. */
  readonly end: number;
  readonly used: number;
  /** The first contradiction. */
  readonly problem: string | undefined;
}

/** Part of the file. */
export interface FileRange {
  readonly offset: number;
  readonly end: number;
}

/** Bytes of the sector bitmap before each block. */
export function bitmapBytesOf(blockSize: number): number {
  return Math.ceil(blockSize / SECTOR_BYTES / 8 / SECTOR_BYTES) * SECTOR_BYTES;
}

/** Walks through the table in the file: blocks that lie where metadata is, past the end, or on each other. */
export async function scanVhdTable(
  file: BlockNode,
  header: VhdDynamic,
  metadata: readonly FileRange[],
  onProblem?: (line: string) => void,
): Promise<VhdTable> {
  const stride = bitmapBytesOf(header.blockSize) + header.blockSize;
  const places = new PlacementSet(stride, SECTOR_BYTES, file.size);
  const length = header.entries * 4;
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, length));
  let end = Math.max(...metadata.map((range) => range.end));
  let used = 0;
  let problem: string | undefined;
  const report = (line: string): void => {
    problem ??= line;
    onProblem?.(line);
  };
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const part = chunk.subarray(0, Math.min(CHUNK_BYTES, length - at));
    await file.read(header.tableOffset + at, part);
    const view = new DataView(part.buffer, 0, part.length);
    for (let i = 0; i < part.length; i += 4) {
      const entry = view.getUint32(i);
      if (entry === VHD_FREE) continue;
      const offset = entry * SECTOR_BYTES;
      const block = (at + i) / 4;
      if (metadata.some((range) => offset < range.end && range.offset < offset + stride))
        report(`ERROR: block ${block} lies in the image's metadata, at ${offset}`);
      else if (offset + stride > file.size)
        report(`ERROR: block ${block} reaches past the file's end, at ${offset}`);
      else if (!places.add(offset)) report(`ERROR: block ${block} overlaps another one, at ${offset}`);
      else {
        used++;
        end = Math.max(end, offset + stride);
      }
    }
  }
  return { end, used, problem };
}
