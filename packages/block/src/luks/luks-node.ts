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
import type { AlignedAccess } from '../graph/sector-padder.ts';
import { SectorPadder } from '../graph/sector-padder.ts';
import type { FormatNode, ImageDescription, OptionValue } from '../graph/format-node.ts';
import { describeLuks } from './describe-luks.ts';
import type { LuksHeader } from './luks-header.ts';
import { SECTOR_BYTES } from './luks-header.ts';
import type { SectorCipher } from './sector-cipher.ts';

/** Encrypted at a time: what is under way keeps a copy of it. */
const PIECE_BYTES = 1024 * 1024;

/** What a node is made of. */
export interface LuksParts {
  readonly file: BlockNode;
  readonly header: LuksHeader;
  readonly readOnly: boolean;
  /** Undefined: only what the header says is wanted. */
  readonly cipher: SectorCipher | undefined;
  amend(values: Readonly<Record<string, OptionValue>>): Promise<void>;
}

/** An encrypted disk: LUKS version 1 around a raw one. Parts of sectors are read first. */
export class LuksNode implements FormatNode {
  readonly driver = 'luks';
  readonly newIsZero = false;
  readonly readOnly: boolean;
  readonly children: ReadonlyMap<string, BlockNode>;
  readonly #parts: LuksParts;
  readonly #padder = new SectorPadder(SECTOR_BYTES);

  constructor(parts: LuksParts) {
    this.#parts = parts;
    this.readOnly = parts.readOnly;
    this.children = new Map([['file', parts.file]]);
  }

  get name(): string {
    return this.#parts.file.name;
  }

  get size(): number {
    const bytes = Math.max(0, this.#parts.file.size - this.#parts.header.payloadOffset);
    return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
  }

  get limits(): BlockLimits {
    return this.#parts.file.limits;
  }

  async read(offset: number, target: Uint8Array, options: IoOptions = {}): Promise<void> {
    checkRange(this, offset, target.length);
    return this.#padder.read(offset, target, this.#access(options));
  }

  async write(offset: number, source: Uint8Array, options: WriteOptions = {}): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, source.length);
    return this.#padder.write(offset, source, this.#access(options), options);
  }

  #access(options: WriteOptions): AlignedAccess {
    return {
      read: (offset, target) => this.#readSectors(offset, target, options),
      write: (offset, source) => this.#writeSectors(offset, source, options),
    };
  }

  async #readSectors(offset: number, target: Uint8Array, options: IoOptions): Promise<void> {
    const cipher = this.#cipher();
    const { file, header } = this.#parts;
    for (let at = 0; at < target.length; at += PIECE_BYTES) {
      checkCancelled(options.signal);
      const piece = target.subarray(at, at + PIECE_BYTES);
      await file.read(header.payloadOffset + offset + at, piece, options);
      cipher.decrypt((offset + at) / SECTOR_BYTES, piece);
    }
  }

  async #writeSectors(offset: number, source: Uint8Array, options: WriteOptions): Promise<void> {
    const cipher = this.#cipher();
    const { file, header } = this.#parts;
    for (let at = 0; at < source.length; at += PIECE_BYTES) {
      checkCancelled(options.signal);
      const piece = source.slice(at, at + PIECE_BYTES);
      cipher.encrypt((offset + at) / SECTOR_BYTES, piece);
      await file.write(header.payloadOffset + offset + at, piece, options);
    }
  }

  async writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, length);
    if (options.onlyFast === true) {
      throw new PolyvisorError('unsupported', {
        what: 'zeroes cost as much as data on an encrypted disk',
        which: this.name,
      });
    }
    const zeroes = new Uint8Array(Math.min(length, PIECE_BYTES));
    for (let at = 0; at < length; at += PIECE_BYTES) {
      await this.write(offset + at, zeroes.subarray(0, Math.min(PIECE_BYTES, length - at)), options);
    }
  }

  /** What was written stays: holes would tell where there is no data. */
  async discard(offset: number, length: number): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, length);
  }

  flush(options?: IoOptions): Promise<void> {
    return this.#parts.file.flush(options);
  }

  async map(offset: number, length: number): Promise<Extent> {
    checkRange(this, offset, length);
    return { length, allocated: true, zero: false, data: true, depth: 0 };
  }

  async resize(size: number, options?: ResizeOptions): Promise<void> {
    checkWritable(this);
    const { file, header } = this.#parts;
    if (file.resize === undefined) {
      throw new PolyvisorError('unsupported', { what: "disk can't be resized", which: this.name });
    }
    await file.resize(header.payloadOffset + size, options);
  }

  async describe(): Promise<ImageDescription> {
    return {
      encrypted: true,
      formatSpecific: { type: 'luks', data: describeLuks(this.#parts.header) },
    };
  }

  /** Passwords: `state`, `new-secret`, `old-secret`, `keyslot`, `iter-time`. */
  amend(values: Readonly<Record<string, OptionValue>>): Promise<void> {
    return this.#parts.amend(values);
  }

  close(): Promise<void> {
    return this.#parts.file.close();
  }

  #cipher(): SectorCipher {
    const { cipher } = this.#parts;
    if (cipher !== undefined) return cipher;
    throw new PolyvisorError('permission', { what: 'disk was opened without its key', which: this.name });
  }
}
