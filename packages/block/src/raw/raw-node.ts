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
import { checkRange, checkWritable } from '../graph/check-range.ts';
import type { FormatNode, ImageDescription } from '../graph/format-node.ts';

const SECTOR_BYTES = 512;

/** Looks at what the first bytes are about to become. */
export interface HeadGuard {
  readonly length: number;
  allows(head: Uint8Array): boolean;
}

/**
 * A file, or a part of one, as a disk. The size is rounded up to sectors of 512 bytes: what lies between the file's
 * end and the sector's end reads as zeroes, and a write there makes the file longer.
 */
export class RawNode implements FormatNode {
  readonly driver = 'raw';
  readonly readOnly: boolean;
  readonly children: ReadonlyMap<string, BlockNode>;
  /** Writes of the first bytes that it doesn't allow are refused. */
  guard: HeadGuard | undefined;
  readonly #file: BlockNode;
  readonly #offset: number;
  #size: number | undefined;

  constructor(
    file: BlockNode,
    options: { readonly offset?: number; readonly size?: number; readonly readOnly?: boolean } = {},
  ) {
    this.#file = file;
    this.#offset = options.offset ?? 0;
    this.#size = options.size;
    this.readOnly = options.readOnly ?? file.readOnly;
    this.children = new Map([['file', file]]);
  }

  get name(): string {
    return this.#file.name;
  }

  get size(): number {
    if (this.#size !== undefined) return this.#size;
    return Math.ceil((this.#file.size - this.#offset) / SECTOR_BYTES) * SECTOR_BYTES;
  }

  get limits(): BlockLimits {
    return this.#file.limits;
  }

  read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    try {
      checkRange(this, offset, target.length);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#file.read(offset + this.#offset, target, options);
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, source.length);
    if (this.guard !== undefined && offset < this.guard.length)
      await this.#checkHead(this.guard, offset, source);
    return this.#file.write(offset + this.#offset, source, options);
  }

  async #checkHead({ length, allows }: HeadGuard, offset: number, source: Uint8Array): Promise<void> {
    const head = new Uint8Array(Math.min(length, this.size));
    if (offset > 0 || source.length < head.length) await this.read(0, head);
    head.set(source.subarray(0, Math.max(0, head.length - offset)), offset);
    if (allows(head)) return;
    throw new PolyvisorError('permission', {
      what: 'write would make a raw disk look like another format',
      which: this.name,
      hint: 'say that its format is raw when it is opened',
    });
  }

  async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, length);
    return this.#file.writeZeroes(offset + this.#offset, length, options);
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, length);
    const inFile = Math.min(length, this.#file.size - this.#offset - offset);
    if (inFile > 0) await this.#file.discard(offset + this.#offset, inFile, options);
  }

  flush(options?: IoOptions): Promise<void> {
    return this.#file.flush(options);
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkRange(this, offset, length);
    const at = offset + this.#offset;
    const inFile = Math.min(length, this.#file.size - at);
    if (inFile <= 0) return { length, allocated: true, zero: true, data: false, depth: 0 };
    const extent = await this.#file.map(at, inFile, options);
    // The rounded-up tail of the last sector belongs to what stands before it.
    if (at + extent.length === this.#file.size) return { ...extent, length };
    return extent;
  }

  async resize(size: number, options?: ResizeOptions): Promise<void> {
    checkWritable(this);
    if (
      this.#file.resize === undefined ||
      (this.#size !== undefined && this.#offset + this.#size < this.#file.size)
    ) {
      throw new PolyvisorError('unsupported', { what: "disk can't be resized", which: this.name });
    }
    await this.#file.resize(this.#offset + size, options);
    if (this.#size !== undefined) this.#size = size;
  }

  async describe(): Promise<ImageDescription> {
    return {};
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
