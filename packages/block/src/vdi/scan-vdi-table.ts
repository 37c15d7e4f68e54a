import type { BlockNode } from '../graph/block-node.ts';
import { VDI_ZERO } from './vdi-header.ts';
import type { VdiHeader } from './vdi-header.ts';

const CHUNK_BYTES = 1024 * 1024;

/** What a walk through a VDI block table found. */
export interface VdiTable {
  /** One more than the highest block number in use. */
  readonly end: number;
  /** Blocks in use. */
  readonly used: number;
  /** Numbers below {@link end} that are not in use. */
  readonly gapCount: number;
  /** The first contradiction; undefined: none. */
  readonly problem: string | undefined;
  gaps(): Iterable<number>;
}

/** Told of every entry that is a block number. */
export type VdiEntryVisitor = (block: number, index: number) => void;

/**
 * Walks through the table in the file. Memory: a bit a block, and 1 MiB.
 * @param onProblem told of each contradiction, in words.
 */
export async function scanVdiTable(
  file: BlockNode,
  header: VdiHeader,
  visit?: VdiEntryVisitor,
  onProblem?: (line: string) => void,
): Promise<VdiTable> {
  // Numbers past the number of blocks appear while an image is being resized; past the file's end they are wrong.
  const stride = header.blockSize + header.blockExtra;
  const inFile = Math.min(
    2 * header.blocks,
    Math.max(0, Math.ceil((file.size - header.dataOffset) / stride)),
  );
  const bits = new Uint8Array(Math.ceil(inFile / 8));
  let end = 0;
  let used = 0;
  let problem: string | undefined;
  const report = (line: string): void => {
    problem ??= line;
    onProblem?.(line);
  };
  await walkVdiTable(file, header, (block, index) => {
    if (index >= inFile) {
      report(`ERROR: block index ${block} out of range, is ${index}`);
      return;
    }
    const bit = 1 << (index & 7);
    if ((bits[index >>> 3]! & bit) !== 0) {
      report(`ERROR: block index ${block} also used twice`);
      return;
    }
    bits[index >>> 3]! |= bit;
    used++;
    if (index >= end) end = index + 1;
    visit?.(block, index);
  });
  return {
    end,
    used,
    gapCount: end - used,
    problem,
    *gaps() {
      for (let index = 0; index < end; index++) {
        if ((bits[index >>> 3]! & (1 << (index & 7))) === 0) yield index;
      }
    },
  };
}

/** Tells of every entry that is a block number, in order of blocks. */
export async function walkVdiTable(
  file: BlockNode,
  header: VdiHeader,
  visit: VdiEntryVisitor,
): Promise<void> {
  const length = header.blocks * 4;
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, length));
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const part = chunk.subarray(0, Math.min(CHUNK_BYTES, length - at));
    await file.read(header.tableOffset + at, part);
    const view = new DataView(part.buffer, 0, part.length);
    for (let i = 0; i < part.length; i += 4) {
      const entry = view.getUint32(i, true);
      if (entry < VDI_ZERO) visit((at + i) / 4, entry);
    }
  }
}
