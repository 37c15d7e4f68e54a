import type { IoOptions } from '../graph/block-node.ts';

/** Where the bytes of one block of a virtual disk are. */
export type Placement =
  /** Nowhere in this image: they come from the backing node, or are zeroes without one. */
  | { readonly kind: 'absent' }
  /** Zeroes that take no space. */
  | { readonly kind: 'zero' }
  /** In the file, from `offset` on. */
  | { readonly kind: 'data'; readonly offset: number }
  /** In the file from `offset` on, but only those sectors that {@link BlockMap.sectors} tells; the others are absent. */
  | { readonly kind: 'sectors'; readonly offset: number }
  /** Compressed: {@link BlockMap.readCompressed} has them. */
  | { readonly kind: 'compressed' };

export const ABSENT: Placement = { kind: 'absent' };
export const ZERO: Placement = { kind: 'zero' };
export const COMPRESSED: Placement = { kind: 'compressed' };

/** Room in the file for blocks that follow each other. */
export interface Space {
  /** Where the first block's bytes go. */
  readonly offset: number;
  /** How many blocks have room there, one after the other; at least 1. */
  readonly count: number;
  /** It reads as zeroes until it is written. */
  readonly fresh: boolean;
}

/** Part of a block, in bytes from its start; whole sectors. */
export interface SectorRange {
  readonly from: number;
  readonly length: number;
}

/**
 * What tells the formats apart that cut a disk into blocks and find each in a table: VDI, VHD, VHDX and the
 * extents of VMDK. {@link SparseNode} does everything else. It calls {@link allocate}, {@link publish} and
 * {@link clear} for one block at a time.
 */
export interface BlockMap {
  /** Bytes of a block: a multiple of {@link sectorSize}. */
  readonly blockSize: number;
  /** The unit that sector bitmaps, and so all operations, are in. */
  readonly sectorSize: number;
  /** New blocks of a disk with a backing node hold only the sectors that were written. */
  readonly bySector: boolean;
  /** What {@link clear} can make of a block that stands in the table. */
  readonly clears: { readonly absent: boolean; readonly zero: boolean };
  /** Cheap when its table page is in memory: then it returns without a promise. */
  lookup(block: number): Placement | Promise<Placement>;
  /** Whether the sector at `from` of a block placed by sectors is in the file, and how many bytes share that. */
  sectors?(
    block: number,
    from: number,
    length: number,
  ): Promise<{ readonly present: boolean; readonly length: number }>;
  /** The whole block, decompressed, at least as far as the disk reaches. */
  readCompressed?(block: number, options?: IoOptions): Promise<Uint8Array>;
  /** Finds room for `block` and, where they fit, those after it, `count` in all. Nothing in the file refers to it yet. */
  allocate(block: number, count: number): Promise<Space>;
  /** The bytes of `count` blocks are in place: the table shows them. `range`: only these sectors of the one block. */
  publish(block: number, count: number, offset: number, range?: SectorRange): Promise<void>;
  /** Gives back what {@link allocate} gave and nothing was published for. */
  abandon(offset: number, count: number): void;
  /** Sectors of a block that is placed by sectors are in place. */
  publishSectors?(block: number, range: SectorRange): Promise<void>;
  /** The block is absent or zero, its room is free. Only what {@link clears} allows. */
  clear(block: number, kind: 'absent' | 'zero'): Promise<void>;
  /** Before the first change of this session, once: headers that must tell of it. Absent: nothing to do. */
  begin?(): Promise<void>;
  /** What was published before the call survives a power cut. Includes the flush of the file. */
  flush(options?: IoOptions): Promise<void>;
  /** Leaves the file tidy; after the last operation. The file stays open. */
  close(): Promise<void>;
  /** Makes the table fit a new size of the disk; blocks past it were cleared before. Absent: it can't. */
  resize?(size: number): Promise<void>;
}
