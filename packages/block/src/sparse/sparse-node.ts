import { PolyvisorError } from '@polyvisor/contracts';
import type {
  BlockLimits,
  BlockNode,
  Extent,
  IoOptions,
  ResizeOptions,
  WriteOptions,
  ZeroOptions,
} from '../graph/block-node.ts';
import { checkCancelled, checkRange, checkWritable } from '../graph/check-range.ts';
import type {
  BackingCapability,
  CheckCapability,
  CompressionCapability,
  FormatNode,
  ImageDescription,
} from '../graph/format-node.ts';
import { padRange } from '../graph/pad-range.ts';
import { piecesOf } from '../graph/parallel.ts';
import { RangeLock } from '../graph/range-lock.ts';
import type { BlockMap } from './block-map.ts';
import { SparseBlocks } from './sparse-blocks.ts';

/** The parent that an image names. */
export interface BackingNames {
  readonly reference: string | undefined;
  readonly format: string | undefined;
}

/** What an image is known by to those that are based on it. */
export interface ImageIdentity {
  /** UUID text of the image. */
  readonly id: string;
  /** Changes whenever the disk's contents do. */
  readonly version: string;
}

/** What one format adds to the {@link SparseNode} of its images. */
export interface SparseFormat {
  describe(): ImageDescription;
  readonly identity?: ImageIdentity;
  readonly checking?: CheckCapability;
  readonly compression?: CompressionCapability;
  /** Absent: the format has no parents. */
  readonly backing?: {
    names(): BackingNames;
    setNames(names: BackingNames, node: BlockNode | undefined): Promise<void>;
  };
}

/** What a {@link SparseNode} is made of. */
export interface SparseNodeParts {
  readonly driver: string;
  readonly name: string;
  /** Bytes of the disk: a multiple of the map's sector size. */
  readonly size: number;
  readonly readOnly: boolean;
  /** Where the blocks' bytes lie, growable. Closed with this node, as is `backing`. */
  readonly file: BlockNode;
  readonly map: BlockMap;
  readonly format: SparseFormat;
  /** Where absent blocks come from; zeroes past its end. */
  readonly backing?: BlockNode | undefined;
  /** This disk's byte 0 is this one of the backing node. Default 0. */
  readonly backingOffset?: number;
  /** False: the children are somebody else's to close. Default true. */
  readonly ownsChildren?: boolean;
}

/**
 * A disk whose blocks are found in a table, for every format that is a {@link BlockMap}: the border, where ranges
 * are checked and padded; {@link SparseBlocks} does the work.
 */
export class SparseNode implements FormatNode {
  readonly driver: string;
  readonly name: string;
  readonly readOnly: boolean;
  readonly limits: BlockLimits;
  readonly backing?: BackingCapability;
  readonly checking?: CheckCapability;
  readonly compression?: CompressionCapability;
  readonly #format: SparseFormat;
  readonly #file: BlockNode;
  readonly #map: BlockMap;
  readonly #blocks: SparseBlocks;
  readonly #ownsChildren: boolean;
  /** Where blocks hold sectors: exclusive for writes of parts of sectors, which read the rest. */
  readonly #sectorLocks = new RangeLock();
  #size: number;
  #begun: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  resize?: (size: number, options?: ResizeOptions) => Promise<void>;

  constructor(parts: SparseNodeParts) {
    this.driver = parts.driver;
    this.name = parts.name;
    this.readOnly = parts.readOnly;
    this.#size = parts.size;
    this.#file = parts.file;
    this.#map = parts.map;
    this.#format = parts.format;
    this.#ownsChildren = parts.ownsChildren ?? true;
    this.#blocks = new SparseBlocks({
      name: parts.name,
      file: parts.file,
      map: parts.map,
      backing: parts.backing,
      backingOffset: parts.backingOffset ?? 0,
    });
    const { checking, compression, backing } = parts.format;
    if (checking !== undefined) this.checking = checking;
    if (compression !== undefined) this.compression = compression;
    if (backing !== undefined) this.backing = this.#backingCapability(backing);
    this.limits = {
      alignment: 1,
      preferred: Math.min(parts.map.blockSize, 2 ** 30),
      discardGranule: parts.map.blockSize,
      maxTransfer: Number.MAX_SAFE_INTEGER,
    };
    if (parts.map.resize !== undefined) this.resize = (size, options) => this.#resize(size, options);
  }

  get size(): number {
    return this.#size;
  }

  get children(): ReadonlyMap<string, BlockNode> {
    const { backing } = this.#blocks;
    return new Map<string, BlockNode>([
      ['file', this.#file],
      ...(backing === undefined ? [] : [['backing', backing] as const]),
    ]);
  }

  /** What images based on this one know it by; undefined: the format has no such thing. */
  get identity(): ImageIdentity | undefined {
    return this.#format.identity;
  }

  async describe(): Promise<ImageDescription> {
    return this.#format.describe();
  }

  #backingCapability(format: NonNullable<SparseFormat['backing']>): BackingCapability {
    const blocks = this.#blocks;
    return {
      get node() {
        return blocks.backing;
      },
      get reference() {
        return format.names().reference;
      },
      get format() {
        return format.names().format;
      },
      setReference: async (reference, name) => {
        checkWritable(this);
        await format.setNames({ reference, format: name }, blocks.backing);
      },
      setNode: (node) => {
        const old = blocks.backing;
        blocks.backing = node;
        return old;
      },
    };
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkRange(this, offset, target.length);
    checkCancelled(options?.signal);
    if (target.length > 0) await this.#blocks.read(offset, target, options);
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkRange(this, offset, length);
    checkCancelled(options?.signal);
    if (length > 0) return this.#blocks.map(offset, length, options);
    throw new PolyvisorError('invalid-argument', { what: 'nothing to map', which: this.name });
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkRange(this, offset, source.length);
    checkWritable(this);
    checkCancelled(options?.signal);
    if (source.length === 0) return;
    await this.#begin();
    if (this.#map.bySector) await this.#writeSectors(offset, source, options);
    else await this.#blocks.write(offset, source, options);
    if (options?.fua === true) await this.flush(options);
  }

  #begin(): Promise<void> | undefined {
    if (this.#map.begin === undefined) return undefined;
    this.#begun ??= this.#map.begin().catch((error: unknown) => {
      this.#begun = undefined;
      throw error;
    });
    return this.#begun;
  }

  /** Sectors are present or absent as a whole: those written in part get the rest from what the disk has. */
  async #writeSectors(offset: number, source: Uint8Array, options: IoOptions | undefined): Promise<void> {
    const { sectorSize } = this.#map;
    const { start, length } = padRange(offset, source.length, sectorSize);
    const shared = start === offset && length === source.length;
    const release = await this.#sectorLocks.acquire(start, length, { shared, signal: options?.signal });
    try {
      if (shared) return await this.#blocks.write(offset, source, options);
      const padded = new Uint8Array(length);
      const last = length - sectorSize;
      await this.#blocks.read(start, padded.subarray(0, sectorSize), options);
      if (last > 0) await this.#blocks.read(start + last, padded.subarray(last), options);
      padded.set(source, offset - start);
      await this.#blocks.write(start, padded, options);
    } finally {
      release();
    }
  }

  async writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    checkRange(this, offset, length);
    checkWritable(this);
    checkCancelled(options.signal);
    if (length === 0) return;
    await this.#begin();
    if (this.#map.bySector) await this.#zeroSectors(offset, length, options);
    else await this.#blocks.writeZeroes(offset, length, options, this.#size);
    if (options.fua === true) await this.flush(options);
  }

  async #zeroSectors(offset: number, length: number, options: ZeroOptions): Promise<void> {
    const { sectorSize } = this.#map;
    const end = offset + length;
    const from = Math.min(end, Math.ceil(offset / sectorSize) * sectorSize);
    const to = Math.max(from, end - (end % sectorSize));
    if (from > offset) await this.#writeSectors(offset, new Uint8Array(from - offset), options);
    if (to < end) await this.#writeSectors(to, new Uint8Array(end - to), options);
    if (to <= from) return;
    const release = await this.#sectorLocks.acquire(from, to - from, {
      shared: true,
      signal: options.signal,
    });
    try {
      await this.#blocks.writeZeroes(from, to - from, options, this.#size);
    } finally {
      release();
    }
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkRange(this, offset, length);
    checkWritable(this);
    checkCancelled(options?.signal);
    if (length === 0) return;
    await this.#begin();
    await this.#blocks.discard(offset, length, options, this.#size);
  }

  async flush(options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    if (!this.readOnly) await this.#map.flush(options);
  }

  async #resize(size: number, options: ResizeOptions = {}): Promise<void> {
    checkWritable(this);
    checkCancelled(options.signal);
    const old = this.#size;
    this.#checkSize(size, options);
    if (size === old) return;
    await this.#begin();
    await this.#blocks.resize(old, size);
    this.#size = size;
    const covered = this.#blocks.backedUpTo(size);
    if (covered > old) await this.writeZeroes(old, covered - old, { mayUnmap: true });
    const { preallocation = 'off' } = options;
    if (size > old && preallocation !== 'off' && preallocation !== 'metadata') {
      for (const piece of piecesOf(old, size - old)) {
        await this.write(piece.offset, new Uint8Array(piece.length), options);
      }
    }
    await this.flush();
  }

  #checkSize(size: number, options: ResizeOptions): void {
    const { sectorSize } = this.#map;
    if (!Number.isSafeInteger(size) || size < 0 || size % sectorSize !== 0) {
      throw new PolyvisorError('invalid-argument', {
        what: 'disk size is not in whole sectors',
        which: this.name,
        limit: `${size} bytes, sectors of ${sectorSize}`,
      });
    }
    if (size >= this.#size || options.shrink === true) return;
    throw new PolyvisorError('invalid-argument', {
      what: 'shrinking a disk throws data away',
      which: this.name,
      limit: `${this.#size} bytes to ${size}`,
      hint: 'say so with shrink',
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    try {
      if (!this.readOnly) {
        await this.#map.flush();
        await this.#map.close();
      }
    } finally {
      if (this.#ownsChildren) {
        await this.#file.close();
        await this.#blocks.backing?.close();
      }
    }
  }
}
