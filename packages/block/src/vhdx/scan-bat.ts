import type { BlockNode } from '../graph/block-node.ts';
import { MIB } from './vhdx-header.ts';
import type { VhdxRegion } from './vhdx-regions.ts';

const CHUNK_BYTES = MIB;
/** Files of 1 EiB are looked at no more closely. */
const MOST_UNITS = 2 ** 30;

/** What a block is, [MS-VHDX] 2.5.1.1. */
export const STATE = { notPresent: 0, undefined: 1, zero: 2, unmapped: 3, present: 6, partial: 7 } as const;

/** The sizes that give each table entry its meaning. */
export interface BatLayout {
  readonly blockSize: number;
  readonly logicalSector: number;
  readonly hasParent: boolean;
  /** Blocks of the disk. */
  readonly blocks: number;
}

/** Blocks that share a block of sector bitmaps. */
export function chunkRatioOf({
  blockSize,
  logicalSector,
}: Pick<BatLayout, 'blockSize' | 'logicalSector'>): number {
  return (2 ** 23 * logicalSector) / blockSize;
}

/** Entries that the table has. */
export function batEntriesOf(layout: BatLayout): number {
  const ratio = chunkRatioOf(layout);
  if (layout.hasParent) return Math.ceil(layout.blocks / ratio) * (ratio + 1);
  return layout.blocks === 0 ? 0 : layout.blocks + Math.floor((layout.blocks - 1) / ratio);
}

/** What a walk through a block allocation table found. */
export interface BatScan {
  /** Where the last used room ends. */
  readonly end: number;
  /** Blocks with room. */
  readonly used: number;
  /** MiB in the file that nothing uses. */
  readonly unused: number;
  readonly problem: string | undefined;
}

/** Walks through the table in the file: rooms past the end, on each other or on regions, unknown states. */
export async function scanBat(
  file: BlockNode,
  bat: VhdxRegion,
  layout: BatLayout,
  regions: readonly VhdxRegion[],
  onProblem?: (line: string) => void,
): Promise<BatScan> {
  const units = Math.min(MOST_UNITS, Math.ceil(file.size / MIB));
  const bits = new Uint8Array(Math.ceil(units / 8));
  let taken = 0;
  const take = (offset: number, length: number): boolean => {
    const first = offset / MIB;
    const end = first + length / MIB;
    for (let unit = first; unit < end; unit++)
      if ((bits[unit >>> 3]! & (1 << (unit & 7))) !== 0) return false;
    for (let unit = first; unit < end; unit++) bits[unit >>> 3]! |= 1 << (unit & 7);
    taken += end - first;
    return true;
  };
  let problem: string | undefined;
  const report = (line: string): void => {
    problem ??= line;
    onProblem?.(line);
  };
  take(0, MIB);
  let end = MIB;
  for (const { offset, length } of regions) {
    if (!take(offset, length)) report(`ERROR: region at ${offset} overlaps another one`);
    end = Math.max(end, offset + length);
  }
  let used = 0;
  await walkBat(file, bat, layout, ({ bitmap, index, state, offset, reserved }) => {
    const which = bitmap ? `sector bitmap of chunk ${index}` : `block ${index}`;
    const known = bitmap ? state === STATE.notPresent || state === STATE.present : state <= 3 || state >= 6;
    if (!known || (state === STATE.partial && !layout.hasParent))
      report(`ERROR: ${which} has the state ${state}`);
    else if (reserved !== 0) report(`ERROR: ${which} has reserved bits set`);
    else if (state >= STATE.present) {
      const length = bitmap ? MIB : layout.blockSize;
      if (offset < MIB || offset + length > file.size)
        report(`ERROR: ${which} lies outside the file, at ${offset}`);
      else if (!take(offset, length)) report(`ERROR: ${which} overlaps something else, at ${offset}`);
      else {
        if (!bitmap) used++;
        end = Math.max(end, offset + length);
      }
    }
  });
  return { end, used, unused: units - taken, problem };
}

interface BatEntry {
  readonly bitmap: boolean;
  /** Of the block or the chunk. */
  readonly index: number;
  readonly state: number;
  readonly offset: number;
  readonly reserved: number;
}

async function walkBat(
  file: BlockNode,
  bat: VhdxRegion,
  layout: BatLayout,
  visit: (entry: BatEntry) => void,
): Promise<void> {
  const ratio = chunkRatioOf(layout);
  const length = batEntriesOf(layout) * 8;
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, length));
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const part = chunk.subarray(0, Math.min(CHUNK_BYTES, length - at));
    await file.read(bat.offset + at, part);
    const view = new DataView(part.buffer, 0, part.length);
    for (let i = 0; i < part.length; i += 8) {
      const low = view.getUint32(i, true);
      const high = view.getUint32(i + 4, true);
      if (low === 0 && high === 0) continue;
      const entry = (at + i) / 8;
      const inChunk = entry % (ratio + 1);
      const chunkIndex = Math.floor(entry / (ratio + 1));
      const bitmap = inChunk === ratio;
      const index = bitmap ? chunkIndex : chunkIndex * ratio + inChunk;
      // Entries past the disk's last block fill the table of a disk with a parent; they say nothing.
      if (!bitmap && index >= layout.blocks) continue;
      visit({
        bitmap,
        index,
        state: low & 7,
        offset: (high * 4096 + (low >>> 20)) * MIB,
        reserved: (low >>> 3) & 0x1ffff,
      });
    }
  }
}
