import { PolyvisorError } from '@polyvisor/contracts';
import type { CompressionCodecs } from '../compression/compression-codecs.ts';
import type {
  BlockLimits,
  BlockNode,
  Extent,
  IoOptions,
  WriteOptions,
  ZeroOptions,
} from '../graph/block-node.ts';
import { checkCancelled, checkRange, checkWritable } from '../graph/check-range.ts';
import type {
  BackingCapability,
  CompressionCapability,
  FormatNode,
  ImageDescription,
} from '../graph/format-node.ts';
import { PIECE_BYTES } from '../graph/parallel.ts';
import { all, readBacking } from '../qcow2/cluster-reader.ts';
import { InFlight } from '../qcow2/in-flight.ts';
import { L1Table } from '../qcow2/l1-table.ts';
import { MetadataCache } from '../qcow2/metadata-cache.ts';
import { MetadataWriter } from '../qcow2/metadata-writer.ts';
import { roundUp, TWO_32 } from '../qcow2/qcow2-format.ts';
import type { QcowHeader } from './qcow-header.ts';

/** What a {@link QcowNode} is made of. */
export interface QcowParts {
  readonly file: BlockNode;
  readonly backing: BlockNode | undefined;
  readonly header: QcowHeader;
  readonly l1: Uint8Array;
  readonly readOnly: boolean;
  readonly codecs: CompressionCodecs;
}

interface Mapping {
  /** Bytes from the asked offset on that are alike and adjacent. */
  readonly length: number;
  /** 0: unallocated. */
  readonly host: number;
  /** Bytes of compressed data; 0: not compressed. */
  readonly compressedBytes: number;
}

const CACHE_BYTES = 1024 * 1024;
const MAX_PARTS = 16;
const WINDOW_BITS = 12;

/** An open qcow (version 1) image. New clusters and tables are put behind the file's end; nothing is ever freed. */
export class QcowNode implements FormatNode {
  readonly driver = 'qcow';
  readonly readOnly: boolean;
  readonly size: number;
  readonly limits: BlockLimits;
  readonly backing: BackingCapability;
  readonly compression: CompressionCapability;
  readonly #p: QcowParts;
  readonly #clusterSize: number;
  readonly #tableEntries: number;
  readonly #l1: L1Table;
  readonly #cache: MetadataCache;
  readonly #writer: MetadataWriter;
  readonly #inFlight = new InFlight();
  readonly #making = new Map<number, Promise<void>>();
  #backing: BlockNode | undefined;
  /** Where the next cluster goes. */
  #end: number;
  #closing: Promise<void> | undefined;

  constructor(parts: QcowParts) {
    const { file, header, l1, readOnly, codecs } = parts;
    this.#p = parts;
    this.readOnly = readOnly;
    this.size = header.size;
    this.#clusterSize = 2 ** header.clusterBits;
    this.#tableEntries = 2 ** header.l2Bits;
    this.#l1 = new L1Table(header.l1Offset, l1);
    this.#cache = new MetadataCache(file, Math.min(4096, this.#tableEntries * 8), CACHE_BYTES);
    this.#writer = new MetadataWriter(file, file, this.#l1);
    this.#backing = parts.backing;
    this.#end = Math.max(file.size, header.l1Offset + l1.length);
    this.limits = {
      alignment: 1,
      preferred: this.#clusterSize,
      discardGranule: this.#clusterSize,
      maxTransfer: Number.MAX_SAFE_INTEGER,
    };
    this.backing = this.#backingCapability();
    this.compression = {
      clusterSize: this.#clusterSize,
      write: (offset, source, options) => this.#writeCompressed(offset, source, codecs, options),
    };
  }

  get name(): string {
    return this.#p.file.name;
  }

  get children(): ReadonlyMap<string, BlockNode> {
    const children = new Map([['file', this.#p.file]]);
    if (this.#backing !== undefined) children.set('backing', this.#backing);
    return children;
  }

  /** Undefined: a slice of a table must be loaded first; {@link missing} says which. */
  #find(offset: number, length: number): Mapping | undefined {
    const clusterSize = this.#clusterSize;
    const reach = this.#tableEntries * clusterSize;
    const l1Index = Math.floor(offset / reach);
    const within = offset - l1Index * reach;
    const table = this.#l1.tableAt(l1Index);
    if (table === 0) return { length: Math.min(length, reach - within), host: 0, compressedBytes: 0 };
    const entry = Math.floor(within / clusterSize);
    const perSlice = this.#cache.sliceBytes / 8;
    const index = entry % perSlice;
    const at = table + (entry - index) * 8;
    const slice = this.#cache.peek(at);
    if (slice === undefined) {
      this.#missing = at;
      return undefined;
    }
    const { view } = slice;
    const inCluster = within % clusterSize;
    const high = view.getUint32(index * 8);
    const low = view.getUint32(index * 8 + 4);
    const most = Math.min(perSlice - index, Math.ceil((inCluster + length) / clusterSize));
    if (high >= 0x8000_0000) {
      const { clusterBits } = this.#p.header;
      const bytes = (high >>> (31 - clusterBits)) & (clusterSize - 1);
      const host = (high & (2 ** (31 - clusterBits) - 1)) * TWO_32 + low;
      return { length: Math.min(length, clusterSize - inCluster), host, compressedBytes: bytes };
    }
    const host = high * TWO_32 + low;
    if (host > Number.MAX_SAFE_INTEGER - reach) {
      throw new PolyvisorError('corrupt', { what: 'cluster lies beyond all limits', which: this.name });
    }
    let n = 1;
    for (; n < most; n++) {
      const next = view.getUint32((index + n) * 8) * TWO_32 + view.getUint32((index + n) * 8 + 4);
      if (next !== (host === 0 ? 0 : host + n * clusterSize)) break;
    }
    const found = Math.min(length, n * clusterSize - inCluster);
    return { length: found, host: host === 0 ? 0 : host + inCluster, compressedBytes: 0 };
  }

  #missing = 0;

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkRange(this, offset, target.length);
    let parts: Promise<void>[] = [];
    try {
      for (let done = 0; done < target.length;) {
        const mapping = this.#find(offset + done, target.length - done);
        if (mapping === undefined) {
          await this.#cache.load(this.#missing);
          continue;
        }
        const part = this.#readRun(
          mapping,
          offset + done,
          target.subarray(done, done + mapping.length),
          options,
        );
        done += mapping.length;
        if (part !== undefined) parts.push(part);
        if (parts.length >= MAX_PARTS) {
          const full = parts;
          parts = [];
          await all(full);
          checkCancelled(options?.signal);
        }
      }
    } catch (error) {
      await Promise.allSettled(parts);
      throw error;
    }
    await all(parts);
  }

  #readRun(
    { host, compressedBytes }: Mapping,
    offset: number,
    target: Uint8Array,
    options?: IoOptions,
  ): Promise<void> | undefined {
    if (compressedBytes > 0) {
      return this.#readCompressed(host, compressedBytes, offset % this.#clusterSize, target);
    }
    if (host > 0) return this.#p.file.read(host, target, options);
    if (this.#backing !== undefined) return readBacking(this.#backing, offset, target, options);
    target.fill(0);
    return undefined;
  }

  async #readCompressed(host: number, bytes: number, inCluster: number, target: Uint8Array): Promise<void> {
    const compressed = new Uint8Array(bytes);
    await this.#p.file.read(host, compressed);
    let cluster: Uint8Array;
    try {
      cluster = await this.#p.codecs.inflateRaw(compressed, this.#clusterSize);
      if (cluster.length < this.#clusterSize) throw new Error(`only ${cluster.length} bytes came out`);
    } catch (cause) {
      if (cause instanceof PolyvisorError) throw cause;
      throw new PolyvisorError('io', {
        what: "compressed cluster can't be decompressed",
        which: this.name,
        cause,
      });
    }
    target.set(cluster.subarray(inCluster, inCluster + target.length));
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    checkRange(this, offset, source.length);
    const parts: Promise<void>[] = [];
    try {
      for (let done = 0; done < source.length;) {
        const at = offset + done;
        const mapping = this.#ready(at, Math.min(source.length - done, PIECE_BYTES));
        if (mapping instanceof Promise) {
          await mapping;
          continue;
        }
        const part = source.subarray(done, done + mapping.length);
        done += mapping.length;
        if (mapping.host > 0 && mapping.compressedBytes === 0) {
          this.#checkHost(mapping.host, part.length);
          parts.push(this.#p.file.write(mapping.host, part).then(() => this.#writer.commit()));
        } else parts.push(this.#allocate(at, part, mapping.host > 0));
        if (parts.length >= MAX_PARTS) await all(parts.splice(0));
      }
    } catch (error) {
      await Promise.allSettled(parts);
      throw error;
    }
    await all(parts);
    if (options?.fua === true) await this.flush();
  }

  /** A hostile table may point into the header or the L1 table. */
  #checkHost(host: number, length: number): void {
    const { l1Offset, l1Size } = this.#p.header;
    if (host >= l1Offset + l1Size * 8 || host + length <= 0) return;
    throw new PolyvisorError('corrupt', {
      what: 'cluster overlaps the header or the L1 table',
      which: this.name,
    });
  }

  /**
   * What maps an offset, if its entry may be changed now: the caller must not wait before it does. Otherwise what to
   * wait for before asking again.
   */
  #ready(offset: number, length: number): Mapping | Promise<unknown> {
    const clusterSize = this.#clusterSize;
    const first = Math.floor(offset / clusterSize);
    const blocked = this.#inFlight.blocking(first, Math.ceil((offset + length) / clusterSize));
    if (blocked !== undefined) return blocked;
    const l1Index = Math.floor(offset / (this.#tableEntries * clusterSize));
    if (this.#l1.tableAt(l1Index) === 0) return this.#makeTable(l1Index);
    return this.#find(offset, length) ?? this.#cache.load(this.#missing);
  }

  #makeTable(l1Index: number): Promise<void> {
    let making = this.#making.get(l1Index);
    if (making === undefined) {
      making = (async () => {
        const bytes = this.#tableEntries * 8;
        const offset = this.#reserve(roundUp(bytes, this.#clusterSize));
        await this.#p.file.writeZeroes(offset, bytes);
        this.#writer.dependOnTables();
        this.#l1.set(l1Index, offset, false);
      })().finally(() => this.#making.delete(l1Index));
      this.#making.set(l1Index, making);
    }
    return making;
  }

  #reserve(bytes: number): number {
    const offset = roundUp(this.#end, this.#clusterSize);
    this.#end = offset + bytes;
    return offset;
  }

  async #allocate(offset: number, source: Uint8Array, hadData: boolean): Promise<void> {
    const clusterSize = this.#clusterSize;
    const first = Math.floor(offset / clusterSize);
    const end = Math.ceil((offset + source.length) / clusterSize);
    const done = this.#inFlight.begin(first, end);
    try {
      const start = first * clusterSize;
      const whole = new Uint8Array((end - first) * clusterSize);
      const head = offset - start;
      const tail = head + source.length;
      const inDisk = Math.min(whole.length, this.size - start);
      await all([
        head > 0 ? this.read(start, whole.subarray(0, head)) : Promise.resolve(),
        tail < inDisk ? this.read(start + tail, whole.subarray(tail, inDisk)) : Promise.resolve(),
      ]);
      whole.set(source, head);
      const host = this.#reserve(whole.length);
      await this.#p.file.write(host, whole);
      // What the cluster held before must not be lost with data that a power cut takes.
      if (this.#backing !== undefined || hadData) this.#writer.dependOnData();
      for (let i = first; i < end; i++) await this.#link(i, host + (i - first) * clusterSize, 0);
    } finally {
      done();
    }
    await this.#writer.commit();
  }

  async #link(cluster: number, host: number, high: number): Promise<void> {
    const reach = this.#tableEntries;
    const table = this.#l1.tableAt(Math.floor(cluster / reach));
    const entry = cluster % reach;
    const perSlice = this.#cache.sliceBytes / 8;
    const index = entry % perSlice;
    const slice = await this.#cache.load(table + (entry - index) * 8);
    slice.view.setUint32(index * 8, (Math.floor(host / TWO_32) | high) >>> 0);
    slice.view.setUint32(index * 8 + 4, host >>> 0);
    this.#writer.markTable(slice);
  }

  async #writeCompressed(
    offset: number,
    source: Uint8Array,
    codecs: CompressionCodecs,
    options?: IoOptions,
  ): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    checkRange(this, offset, source.length);
    const clusterSize = this.#clusterSize;
    const atEnd = offset + source.length === this.size && source.length < clusterSize;
    if (offset % clusterSize !== 0 || (source.length !== clusterSize && !atEnd)) {
      throw new PolyvisorError('invalid-argument', {
        what: 'compressed writes must be whole clusters',
        which: this.name,
        limit: `${clusterSize} bytes`,
      });
    }
    const cluster = new Uint8Array(clusterSize);
    cluster.set(source);
    const compressed = await codecs.deflateRaw(cluster, WINDOW_BITS);
    if (compressed.length >= clusterSize) return this.write(offset, source);
    let mapping = this.#ready(offset, source.length);
    while (mapping instanceof Promise) {
      await mapping;
      mapping = this.#ready(offset, source.length);
    }
    if (mapping.host > 0 && mapping.compressedBytes === 0) return this.write(offset, source);
    const done = this.#inFlight.begin(offset / clusterSize, offset / clusterSize + 1);
    try {
      const host = this.#end;
      this.#end += compressed.length;
      await this.#p.file.write(host, compressed);
      this.#writer.dependOnData();
      const { clusterBits } = this.#p.header;
      const high = (0x8000_0000 | (compressed.length << (31 - clusterBits))) >>> 0;
      await this.#link(offset / clusterSize, host, high);
    } finally {
      done();
    }
    await this.#writer.commit();
  }

  async writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    checkCancelled(options.signal);
    checkWritable(this);
    checkRange(this, offset, length);
    for (let done = 0; done < length;) {
      const mapping = this.#find(offset + done, Math.min(length - done, PIECE_BYTES));
      if (mapping === undefined) {
        await this.#cache.load(this.#missing);
        continue;
      }
      const hidden = this.#backing === undefined || offset + done >= this.#backing.size;
      if (mapping.host > 0 || !hidden) {
        if (options.onlyFast === true) {
          throw new PolyvisorError('unsupported', { what: "zeroes can't be written fast", which: this.name });
        }
        await this.write(offset + done, new Uint8Array(mapping.length), options);
      }
      done += mapping.length;
    }
    await this.#writer.commit();
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    checkWritable(this);
    checkRange(this, offset, length);
  }

  async flush(options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    if (!this.readOnly) await this.#writer.sync();
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkCancelled(options?.signal);
    checkRange(this, offset, length);
    let mapping = this.#find(offset, length);
    while (mapping === undefined) {
      await this.#cache.load(this.#missing);
      mapping = this.#find(offset, length);
    }
    const { host, compressedBytes } = mapping;
    if (compressedBytes > 0) {
      return { length: mapping.length, allocated: true, zero: false, data: true, compressed: true, depth: 0 };
    }
    if (host > 0) {
      const place = { offset: host, file: this.#p.file };
      return { length: mapping.length, allocated: true, zero: false, data: true, depth: 0, ...place };
    }
    const inBacking = this.#backing !== undefined && offset < this.#backing.size;
    const alike = inBacking ? Math.min(mapping.length, this.#backing!.size - offset) : mapping.length;
    return { length: alike, allocated: false, zero: !inBacking, data: false };
  }

  async describe(): Promise<ImageDescription> {
    return { clusterSize: this.#clusterSize, encrypted: false };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      if (!this.readOnly) {
        await this.#writer.commit();
        await this.#p.file.flush();
      }
    } finally {
      await this.#p.file.close();
      await this.#backing?.close();
    }
  }

  #backingCapability(): BackingCapability {
    const node = (): BlockNode | undefined => this.#backing;
    return {
      get node() {
        return node();
      },
      reference: this.#p.header.backingFile,
      format: undefined,
      setReference: () =>
        Promise.reject(
          new PolyvisorError('unsupported', {
            what: "qcow images can't change their backing file",
            which: this.name,
          }),
        ),
      setNode: (next) => {
        const old = this.#backing;
        this.#backing = next;
        return old;
      },
    };
  }
}
