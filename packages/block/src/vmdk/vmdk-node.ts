import { PolyvisorError } from '@polyvisor/contracts';
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
  CheckCapability,
  CompressionCapability,
  FormatNode,
  ImageDescription,
  Json,
} from '../graph/format-node.ts';
import { piecesOf } from '../graph/parallel.ts';
import { identityOf } from '../sparse/parent-identity.ts';
import type { ImageIdentity, SparseNode } from '../sparse/sparse-node.ts';
import { checkVmdk } from './check-vmdk.ts';
import type { DescriptorStore } from './descriptor-store.ts';
import type { GrainMap } from './grain-map.ts';
import type { StreamWriter } from './stream-writer.ts';
import { NO_CID, formatCid } from './vmdk-descriptor.ts';

/** A part of the disk, open. */
export interface OpenExtent {
  readonly node: SparseNode;
  readonly file: BlockNode;
  /** The file is the image's own, too. */
  readonly shared: boolean;
  /** Absent: no tables. */
  readonly map?: GrainMap;
  /** Present: compressed grains can be written into it, all in a stream. */
  readonly stream?: StreamWriter;
  readonly type: string;
  /** Byte of the disk where it begins. */
  readonly start: number;
}

/** What a {@link VmdkNode} is made of. */
export interface VmdkNodeParts {
  readonly file: BlockNode;
  readonly readOnly: boolean;
  readonly extents: readonly OpenExtent[];
  readonly backing: BlockNode | undefined;
  /** Absent: a bare extent. */
  readonly descriptor: DescriptorStore | undefined;
}

/** VMDK images have no name of their own but their contents': the part of an identity that never differs. */
export const VMDK_ID = 'vmdk';

/** The extents of a VMDK image, one after the other. */
export class VmdkNode implements FormatNode {
  readonly driver = 'vmdk';
  readonly name: string;
  readonly size: number;
  readonly readOnly: boolean;
  readonly limits: BlockLimits;
  readonly backing?: BackingCapability;
  readonly compression?: CompressionCapability;
  readonly checking?: CheckCapability;
  readonly #parts: VmdkNodeParts;
  #backing: BlockNode | undefined;
  /** Of a new stream-optimised image. */
  readonly #stream: StreamWriter | undefined;
  #touched: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: VmdkNodeParts) {
    const { file, extents, descriptor } = parts;
    this.#parts = parts;
    this.#backing = parts.backing;
    this.name = file.name;
    this.readOnly = parts.readOnly;
    const last = extents.at(-1);
    this.size = last === undefined ? 0 : last.start + last.node.size;
    const grain = Math.max(512, ...extents.map(({ map }) => map?.blockSize ?? 0));
    this.limits = {
      alignment: 1,
      preferred: grain,
      discardGranule: grain,
      maxTransfer: Number.MAX_SAFE_INTEGER,
    };
    if (descriptor !== undefined) this.backing = this.#backingCapability(descriptor);
    const stream = extents.length === 1 ? extents[0]!.stream : undefined;
    this.#stream = stream;
    if (stream !== undefined) {
      this.compression = {
        clusterSize: grain,
        sequential: true,
        write: (offset, source) => this.#writeStream(stream, offset, source),
      };
    }
    if (extents.some(({ map }) => map !== undefined)) {
      this.checking = { check: (repair, work) => checkVmdk(extents, repair, work) };
    }
  }

  get children(): ReadonlyMap<string, BlockNode> {
    const extents = this.#parts.extents.flatMap(({ file, shared }, i) =>
      shared ? [] : [[`extents.${i}`, file] as const],
    );
    const backing = this.#backing === undefined ? [] : [['backing', this.#backing] as const];
    return new Map<string, BlockNode>([['file', this.#parts.file], ...extents, ...backing]);
  }

  /** What images based on this one know it by: its content ID. */
  get identity(): ImageIdentity | undefined {
    const { descriptor } = this.#parts;
    return descriptor === undefined
      ? undefined
      : { id: VMDK_ID, version: formatCid(descriptor.descriptor.cid) };
  }

  #backingCapability(store: DescriptorStore): BackingCapability {
    const current = (): BlockNode | undefined => this.#backing;
    return {
      get node() {
        return current();
      },
      get reference() {
        return store.descriptor.parent;
      },
      get format() {
        return store.descriptor.parent === undefined ? undefined : 'vmdk';
      },
      setReference: async (reference, format) => {
        checkWritable(this);
        if (format !== undefined && format !== 'vmdk') {
          throw new PolyvisorError('unsupported', {
            what: 'a VMDK image needs a VMDK as its backing file',
            which: this.name,
          });
        }
        const version = identityOf(this.#backing)?.version;
        const known = version === undefined ? store.descriptor.parentCid : Number.parseInt(version, 16);
        await store.change({ parent: reference, parentCid: reference === undefined ? NO_CID : known });
        await this.#parts.file.flush();
      },
      setNode: (node) => {
        const old = this.#backing;
        this.#backing = node;
        for (const extent of this.#parts.extents) extent.node.backing?.setNode(node);
        return old;
      },
    };
  }

  async describe(): Promise<ImageDescription> {
    const { extents, descriptor } = this.#parts;
    const grains = new Set(extents.map(({ map }) => map?.blockSize));
    const [grain] = grains;
    return {
      ...(grains.size === 1 && grain !== undefined ? { clusterSize: grain } : {}),
      ...(descriptor === undefined
        ? {}
        : {
            formatSpecific: {
              type: 'vmdk',
              data: {
                cid: descriptor.descriptor.cid,
                'parent-cid': descriptor.descriptor.parentCid,
                'create-type': descriptor.descriptor.createType,
                extents: extents.map(describeExtent),
              },
            },
          }),
    };
  }

  /** Runs `body` for each extent's share of a range; alone, without a promise more, when it lies in one. */
  #split(
    offset: number,
    length: number,
    body: (node: SparseNode, at: number, from: number, length: number) => Promise<void>,
  ): Promise<void> {
    const { extents } = this.#parts;
    let low = 0;
    let high = extents.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (extents[middle]!.start <= offset) low = middle;
      else high = middle - 1;
    }
    const work: Promise<void>[] = [];
    for (let done = 0; done < length; low++) {
      const { node, start } = extents[low]!;
      const at = offset + done - start;
      const part = Math.min(length - done, node.size - at);
      if (part > 0) work.push(body(node, at, done, part));
      done += Math.max(0, part);
    }
    return work.length === 1 ? work[0]! : Promise.all(work).then(() => {});
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkRange(this, offset, target.length);
    checkCancelled(options?.signal);
    if (this.#streaming) {
      throw new PolyvisorError('unsupported', {
        what: 'a VMDK stream can be read once it is closed',
        which: this.name,
      });
    }
    return this.#split(offset, target.length, (node, at, from, length) =>
      node.read(at, target.subarray(from, from + length), options),
    );
  }

  get #streaming(): boolean {
    return this.#parts.extents.some(({ stream }) => stream?.begun === true);
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkRange(this, offset, source.length);
    this.#checkWritable(offset, source.length);
    checkCancelled(options?.signal);
    if (this.#stream !== undefined) return this.#writeGrains(this.#stream, offset, source);
    await this.#touch();
    const { fua, ...rest } = options ?? {};
    await this.#split(offset, source.length, (node, at, from, length) =>
      node.write(at, source.subarray(from, from + length), rest),
    );
    if (fua === true) await this.flush();
  }

  async #writeGrains(stream: StreamWriter, offset: number, source: Uint8Array): Promise<void> {
    await this.#touch();
    await stream.writeRange(offset, source);
  }

  async #writeStream(stream: StreamWriter, offset: number, source: Uint8Array): Promise<void> {
    checkRange(this, offset, source.length);
    checkWritable(this);
    await this.#touch();
    await stream.write(offset, source);
  }

  /** Parts of the disk may be read-only. @throws PolyvisorError `permission`, `unsupported` */
  #checkWritable(offset: number, length: number): void {
    checkWritable(this);
    for (const { node, start, map } of this.#parts.extents) {
      if (start >= offset + length || start + node.size <= offset) continue;
      checkWritable(node);
      if (map?.layout.compressed !== true || this.#stream !== undefined) continue;
      throw new PolyvisorError('unsupported', {
        what: 'a stream-optimised VMDK takes compressed grains only, while it is new',
        which: this.name,
        hint: 'convert the image',
      });
    }
  }

  /** Images based on this one must notice that it changed: it gets another content ID, once a session. */
  #touch(): Promise<void> {
    this.#touched ??= this.#changeCid().catch((error: unknown) => {
      this.#touched = undefined;
      throw error;
    });
    return this.#touched;
  }

  async #changeCid(): Promise<void> {
    const { descriptor } = this.#parts;
    if (descriptor === undefined) return;
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    await descriptor.change({ cid: random! % NO_CID });
  }

  async writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    checkRange(this, offset, length);
    this.#checkWritable(offset, length);
    checkCancelled(options.signal);
    // What was not written yet is zeroes, and the end of a stream only grows.
    if (this.#stream !== undefined) {
      if (this.#stream.isAhead(offset)) return;
      for (const piece of piecesOf(offset, length))
        await this.write(piece.offset, new Uint8Array(piece.length));
      return;
    }
    await this.#touch();
    const { fua, ...rest } = options;
    await this.#split(offset, length, (node, at, _, part) => node.writeZeroes(at, part, rest));
    if (fua === true) await this.flush();
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkRange(this, offset, length);
    this.#checkWritable(offset, length);
    checkCancelled(options?.signal);
    await this.#touch();
    await this.#split(offset, length, (node, at, _, part) => node.discard(at, part, options));
  }

  async flush(options?: IoOptions): Promise<void> {
    checkCancelled(options?.signal);
    if (this.readOnly) return;
    const { file, extents } = this.#parts;
    const own = extents.some(({ shared }) => shared) ? [] : [file.flush(options)];
    await Promise.all([...own, ...extents.map(({ node }) => node.flush(options))]);
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkRange(this, offset, length);
    checkCancelled(options?.signal);
    const extent = this.#parts.extents.find(({ node, start }) => offset < start + node.size);
    if (extent === undefined || length === 0) {
      throw new PolyvisorError('invalid-argument', { what: 'nothing to map', which: this.name });
    }
    const at = offset - extent.start;
    return extent.node.map(at, Math.min(length, extent.node.size - at), options);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { file, extents } = this.#parts;
    try {
      for (const { node, stream } of extents) {
        await stream?.finish();
        await node.close();
      }
    } finally {
      for (const extent of extents) if (!extent.shared) await extent.file.close();
      await file.close();
      await this.#backing?.close();
    }
  }
}

function describeExtent({ node, file, map, type }: OpenExtent): Json {
  return {
    ...(map?.layout.compressed === true ? { compressed: true } : {}),
    'virtual-size': node.size,
    filename: file.name,
    ...(map === undefined ? {} : { 'cluster-size': map.blockSize }),
    format: type,
  };
}
