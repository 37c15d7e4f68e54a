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
  BitmapCapability,
  CheckCapability,
  CompressionCapability,
  FormatNode,
  ImageDescription,
  Json,
  OptionValue,
  SnapshotCapability,
  WorkOptions,
} from '../graph/format-node.ts';
import { PIECE_BYTES, piecesOf } from '../graph/parallel.ts';
import type { CompressionCodecs } from '../compression/compression-codecs.ts';
import type { AlignedAccess } from '../graph/sector-padder.ts';
import { SectorPadder } from '../graph/sector-padder.ts';
import { amendQcow2 } from './amend-qcow2.ts';
import { Qcow2Bitmaps } from './bitmaps.ts';
import { checkQcow2 } from './check-qcow2.ts';
import { ClusterEraser } from './cluster-eraser.ts';
import { ClusterLookup } from './cluster-lookup.ts';
import { ClusterReader } from './cluster-reader.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { CompressedClusters } from './compressed-clusters.ts';
import { CompressedWriter } from './compressed-writer.ts';
import { describeQcow2 } from './describe-qcow2.ts';
import { InFlight } from './in-flight.ts';
import { L2Tables } from './l2-tables.ts';
import { mapExtent } from './map-extent.ts';
import { INCOMPATIBLE_DIRTY, SUBCLUSTERS } from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';
import { resizeQcow2 } from './resize-qcow2.ts';
import { Qcow2Snapshots } from './snapshots.ts';

/** What a {@link Qcow2Node} is made with. */
export interface Qcow2NodeOptions {
  readonly codecs: CompressionCodecs;
  /** The file and the backing node belong to somebody else. */
  readonly borrowed?: boolean;
  /** What the encryption's header says. */
  readonly describeCipher?: () => Promise<{ readonly [name: string]: Json }>;
}

/** The parts of an open image that change it; for the operations in this folder. */
export interface Qcow2Parts {
  readonly image: Qcow2Image;
  readonly tables: L2Tables;
  readonly reader: ClusterReader;
  readonly writer: ClusterWriter;
  readonly eraser: ClusterEraser;
  readonly compressed: CompressedClusters;
  readonly codecs: CompressionCodecs;
  readonly inFlight: InFlight;
  readonly bitmaps: Qcow2Bitmaps;
}

/** An open qcow2 image. */
export class Qcow2Node implements FormatNode {
  readonly driver = 'qcow2';
  readonly limits: BlockLimits;
  readonly backing: BackingCapability;
  readonly compression: CompressionCapability;
  readonly checking: CheckCapability;
  readonly snapshots: SnapshotCapability;
  readonly bitmaps: BitmapCapability;
  /** Machine state beyond the disk's end, stored with the next snapshot. */
  readonly vmState: {
    readonly offset: number;
    read(offset: number, target: Uint8Array): Promise<void>;
    write(offset: number, source: Uint8Array): Promise<void>;
  };
  readonly #image: Qcow2Image;
  /** For the operations in this folder. */
  readonly parts: Qcow2Parts;
  readonly #lookup: ClusterLookup;
  readonly #borrowed: boolean;
  readonly #padder: SectorPadder | undefined;
  readonly #describeCipher: Qcow2NodeOptions['describeCipher'];
  #closing: Promise<void> | undefined;

  constructor(image: Qcow2Image, { codecs, borrowed = false, describeCipher }: Qcow2NodeOptions) {
    this.#describeCipher = describeCipher;
    if (image.cipher !== undefined) this.#padder = new SectorPadder(image.cipher.sectorBytes ?? 512);
    this.#image = image;
    this.#borrowed = borrowed;
    const compressed = new CompressedClusters(image, codecs);
    const tables = new L2Tables(image);
    const reader = new ClusterReader(image, compressed);
    const inFlight = new InFlight();
    const writer = new ClusterWriter({ image, tables, reader, compressed, inFlight });
    const eraser = new ClusterEraser({ image, tables, writer, compressed, inFlight });
    const bitmaps = new Qcow2Bitmaps(image);
    this.parts = { image, tables, reader, writer, eraser, compressed, codecs, inFlight, bitmaps };
    this.#lookup = new ClusterLookup(image);
    this.limits = {
      alignment: 1,
      preferred: image.clusterSize,
      discardGranule: image.clusterSize,
      maxTransfer: Number.MAX_SAFE_INTEGER,
    };
    const compressing = new CompressedWriter(this.parts);
    this.compression = {
      clusterSize: image.clusterSize,
      write: (offset, source, options) =>
        this.#changing(offset, source.length, options, () => compressing.write(offset, source)),
    };
    this.backing = this.#backingCapability();
    this.checking = {
      check: (repair, options) => image.gate.exclusive(() => checkQcow2(this.parts, repair, options)),
    };
    this.snapshots = new Qcow2Snapshots(
      this.parts,
      (body) => this.#exclusively(body),
      (view) => new Qcow2Node(view, { codecs, borrowed: true }),
    );
    this.bitmaps = bitmaps.capability((body) => this.#exclusively(body));
    this.vmState = this.#vmState();
  }

  get name(): string {
    return this.#image.name;
  }

  get size(): number {
    return this.#image.header.size;
  }

  get readOnly(): boolean {
    return this.#image.readOnly;
  }

  get children(): ReadonlyMap<string, BlockNode> {
    const { file, data, backing } = this.#image;
    const children = new Map([['file', file]]);
    if (data !== file) children.set('data-file', data);
    if (backing !== undefined) children.set('backing', backing);
    return children;
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    const { gate } = this.#image;
    checkCancelled(options?.signal);
    checkRange(this, offset, target.length);
    if (!gate.isOpen) await gate.whenOpen();
    const epoch = gate.enter();
    try {
      await this.parts.reader.read(offset, target, options);
    } finally {
      gate.leave(epoch);
    }
  }

  write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    return this.#changing(offset, source.length, options, () => this.#write(offset, source, options));
  }

  /** Encrypted sectors can only be written whole. */
  #write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    const { reader, writer } = this.parts;
    if (this.#padder === undefined) return writer.write(offset, source, options);
    const access: AlignedAccess = {
      read: async (at, target) => reader.read(at, target, options),
      write: (at, bytes) => writer.write(at, bytes, options),
    };
    return this.#padder.write(offset, source, access, options);
  }

  writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    return this.#changing(offset, length, options, async () => {
      const { eraser } = this.parts;
      if (this.#padder === undefined) return eraser.writeZeroes(offset, length, options);
      const { head, middle, tail } = this.#padder.split(offset, length);
      if (head > 0) await this.#write(offset, new Uint8Array(head), options);
      if (middle > 0) await eraser.writeZeroes(offset + head, middle, options);
      if (tail > 0) await this.#write(offset + length - tail, new Uint8Array(tail), options);
    });
  }

  discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    return this.#changing(offset, length, options, () => this.parts.eraser.discard(offset, length, options));
  }

  async #changing(
    offset: number,
    length: number,
    options: WriteOptions | undefined,
    body: () => Promise<void>,
  ): Promise<void> {
    const image = this.#image;
    checkCancelled(options?.signal);
    checkWritable(image);
    checkRange(this, offset, length);
    if (length === 0) return;
    if (!image.gate.isOpen) await image.gate.whenOpen();
    const epoch = image.gate.enter();
    try {
      image.checkSound();
      if (!image.isPrepared) await image.prepareWrite();
      image.onChange?.(offset, length);
      await body();
    } finally {
      image.gate.leave(epoch);
    }
    if (options?.fua === true) await this.flush();
  }

  async flush(options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    if (this.#image.readOnly) return;
    await this.#image.flush();
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    const { gate } = this.#image;
    checkCancelled(options?.signal);
    checkRange(this, offset, length);
    if (!gate.isOpen) await gate.whenOpen();
    const epoch = gate.enter();
    try {
      return await mapExtent(this.#image, this.#lookup, offset, length);
    } finally {
      gate.leave(epoch);
    }
  }

  async resize(size: number, options: ResizeOptions = {}): Promise<void> {
    checkCancelled(options.signal);
    await this.#exclusively(() => resizeQcow2(this.parts, size, options));
  }

  describe(): Promise<ImageDescription> {
    return describeQcow2(this.#image, this.#describeCipher);
  }

  async amend(values: Readonly<Record<string, OptionValue>>, options?: WorkOptions): Promise<void> {
    await this.#exclusively(() => amendQcow2(this.parts, values, options));
  }

  async makeEmpty(options: WorkOptions = {}): Promise<void> {
    const { size, clusterSize } = { size: this.size, clusterSize: this.#image.clusterSize };
    const step = Math.max(clusterSize, PIECE_BYTES * 512);
    for (const piece of piecesOf(0, size, step)) {
      checkCancelled(options.signal);
      await this.#changing(piece.offset, piece.length, options, () =>
        this.parts.eraser.discard(piece.offset, piece.length, { full: true }),
      );
      options.progress?.(piece.offset + piece.length, size);
    }
  }

  /** Nothing else is under way, everything is in the file; ends with all of it durable. */
  async #exclusively<T>(body: () => Promise<T>): Promise<T> {
    const image = this.#image;
    checkWritable(image);
    return image.gate.exclusive(async () => {
      image.checkSound();
      await image.prepareWrite();
      await image.quiesce();
      try {
        return await body();
      } finally {
        image.forgetMetadata();
        this.parts.compressed.forget();
        await image.flush();
      }
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const image = this.#image;
    try {
      await image.gate.exclusive(async () => {
        if (image.readOnly) return;
        await image.corruptMarked();
        if (image.isCorrupt) return;
        await this.parts.bitmaps.store();
        await image.finish();
      });
    } finally {
      if (!this.#borrowed) {
        await image.file.close();
        if (image.data !== image.file) await image.data.close();
        await image.backing?.close();
      }
    }
  }

  /** Reads the bitmaps that the image says it has. */
  async loadBitmaps(): Promise<void> {
    await this.parts.bitmaps.load();
  }

  /** Brings an image in order that was not closed properly while its refcounts were kept lazily. */
  async repairDirty(): Promise<void> {
    const image = this.#image;
    await image.gate.exclusive(async () => {
      const report = await checkQcow2(this.parts, 'all');
      if (report.checkErrors > 0 || report.corruptions > 0) {
        throw new PolyvisorError('corrupt', { what: 'Could not repair dirty image', which: this.name });
      }
      if ((image.header.incompatible & INCOMPATIBLE_DIRTY) !== 0) {
        await image.setIncompatible(INCOMPATIBLE_DIRTY, false);
      }
    });
  }

  #backingCapability(): BackingCapability {
    const image = this.#image;
    return {
      get node() {
        return image.backing;
      },
      get reference() {
        return image.header.backingFile;
      },
      get format() {
        return image.header.backingFormat;
      },
      setReference: (reference, format) =>
        this.#exclusively(async () => {
          if (reference !== undefined && image.dataFileIsRaw) {
            throw new PolyvisorError('invalid-argument', {
              what: 'Cannot set backing file: data_file_raw is incompatible with a backing file',
              which: this.name,
            });
          }
          const before = { file: image.header.backingFile, format: image.header.backingFormat };
          image.header.backingFile = reference === '' ? undefined : reference;
          image.header.backingFormat = image.header.backingFile === undefined ? undefined : format;
          try {
            await image.writeHeader();
          } catch (error) {
            image.header.backingFile = before.file;
            image.header.backingFormat = before.format;
            throw error;
          }
        }),
      setNode: (node) => {
        const old = image.backing;
        image.backing = node;
        return old;
      },
    };
  }

  #vmState(): Qcow2Node['vmState'] {
    const image = this.#image;
    const base = (): number => Math.ceil(image.header.size / image.tableReach) * image.tableReach;
    return {
      get offset() {
        return base();
      },
      read: async (offset, target) => {
        await image.gate.whenOpen();
        const epoch = image.gate.enter();
        try {
          // A backing file's data does not reach there.
          await this.parts.reader.read(base() + offset, target);
        } finally {
          image.gate.leave(epoch);
        }
      },
      write: async (offset, source) => {
        checkWritable(image);
        await image.gate.whenOpen();
        const epoch = image.gate.enter();
        try {
          image.checkSound();
          if (!image.isPrepared) await image.prepareWrite();
          await this.parts.writer.write(base() + offset, source);
        } finally {
          image.gate.leave(epoch);
        }
      },
    };
  }

  /** Parts of a cluster that are told apart. */
  get subclusters(): number {
    return this.#image.extended ? SUBCLUSTERS : 1;
  }
}
