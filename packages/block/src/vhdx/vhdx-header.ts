import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { crc32cWithout } from './crc32c.ts';

export const KIB = 1024;
export const MIB = 1024 * 1024;
/** Where the two headers stand, [MS-VHDX] 2.2.2. */
const HEADER_OFFSETS = [64 * KIB, 128 * KIB] as const;
const HEADER_BYTES = 4 * KIB;
/** `head` */
const SIGNATURE = 0x64616568;
/** A log that is longer is refused: it is read as a whole. */
const MOST_LOG_BYTES = 64 * MIB;
/** Where the checksum stands in headers, region tables and log entries. */
export const CHECKSUM_AT = 4;

/** Facts of a header. GUIDs are 16 bytes as stored. */
export interface VhdxHeader {
  readonly sequence: bigint;
  /** Changes with any byte of the file. */
  readonly fileWriteGuid: Uint8Array;
  /** Changes with the disk's contents. */
  readonly dataWriteGuid: Uint8Array;
  /** Of the entries in the log; null: it is empty. */
  readonly logGuid: Uint8Array;
  readonly logOffset: number;
  readonly logLength: number;
}

function parseHeader(bytes: Uint8Array): VhdxHeader | 'damaged' | 'unsupported' {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (view.getUint32(0, true) !== SIGNATURE) return 'damaged';
  if (view.getUint32(CHECKSUM_AT, true) !== crc32cWithout(bytes, CHECKSUM_AT)) return 'damaged';
  if (view.getUint16(66, true) !== 1 || view.getUint16(64, true) !== 0) return 'unsupported';
  return {
    sequence: view.getBigUint64(8, true),
    fileWriteGuid: bytes.slice(16, 32),
    dataWriteGuid: bytes.slice(32, 48),
    logGuid: bytes.slice(48, 64),
    logLength: view.getUint32(68, true),
    logOffset: Number(view.getBigUint64(72, true)),
  };
}

function encodeHeader(header: VhdxHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SIGNATURE, true);
  view.setBigUint64(8, header.sequence, true);
  bytes.set(header.fileWriteGuid, 16);
  bytes.set(header.dataWriteGuid, 32);
  bytes.set(header.logGuid, 48);
  view.setUint16(66, 1, true);
  view.setUint32(68, header.logLength, true);
  view.setBigUint64(72, BigInt(header.logOffset), true);
  view.setUint32(CHECKSUM_AT, crc32cWithout(bytes, CHECKSUM_AT), true);
  return bytes;
}

/** The two headers of a file: the one with the higher number counts, the other one is written next. */
export class VhdxHeaders {
  readonly #file: BlockNode;
  #current: VhdxHeader;
  #slot: number;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: BlockNode, current: VhdxHeader, slot: number) {
    this.#file = file;
    this.#current = current;
    this.#slot = slot;
  }

  /** @throws PolyvisorError `corrupt`: neither header is whole, or both are and say the same number. */
  static async read(file: BlockNode): Promise<VhdxHeaders> {
    let best: VhdxHeader | undefined;
    let slot = 0;
    let unsupported = false;
    for (const [index, offset] of HEADER_OFFSETS.entries()) {
      const bytes = new Uint8Array(HEADER_BYTES);
      await file.read(offset, bytes);
      const header = parseHeader(bytes);
      unsupported ||= header === 'unsupported';
      if (typeof header === 'string' || (best !== undefined && header.sequence <= best.sequence)) continue;
      best = header;
      slot = index;
    }
    if (best === undefined && unsupported) {
      throw new PolyvisorError('unsupported', { what: 'version of VHDX or of its log', which: file.name });
    }
    if (best === undefined) throw corrupt(file.name, 'both headers of the VHDX image are damaged');
    const { logOffset, logLength } = best;
    const fits = Number.isSafeInteger(logOffset) && logOffset >= MIB && logOffset + logLength <= file.size;
    if (logLength > 0 && (!fits || logOffset % MIB !== 0 || logLength % MIB !== 0)) {
      throw corrupt(file.name, 'VHDX log', `${logLength} bytes at ${logOffset} of ${file.size}`);
    }
    if (logLength > MOST_LOG_BYTES) {
      throw new PolyvisorError('limit', {
        what: 'VHDX log is too long',
        which: file.name,
        limit: `${logLength} bytes`,
      });
    }
    return new VhdxHeaders(file, best, slot);
  }

  /** Writes both headers of a new file. */
  static async create(file: BlockNode, header: VhdxHeader): Promise<void> {
    await file.write(HEADER_OFFSETS[0], encodeHeader(header));
    await file.write(HEADER_OFFSETS[1], encodeHeader({ ...header, sequence: header.sequence + 1n }));
  }

  /** How many of the headers in the file are damaged. */
  static async damaged(file: BlockNode): Promise<number> {
    let count = 0;
    for (const offset of HEADER_OFFSETS) {
      const bytes = new Uint8Array(HEADER_BYTES);
      await file.read(offset, bytes);
      if (typeof parseHeader(bytes) === 'string') count++;
    }
    return count;
  }

  get current(): VhdxHeader {
    return this.#current;
  }

  /** Changes fields, durably, after everything written before; a power cut leaves the old header or the new one. */
  update(change: Partial<VhdxHeader>): Promise<void> {
    const next = this.#writing.then(async () => {
      const header = { ...this.#current, ...change, sequence: this.#current.sequence + 1n };
      const slot = 1 - this.#slot;
      await this.#file.flush();
      await this.#file.write(HEADER_OFFSETS[slot]!, encodeHeader(header));
      await this.#file.flush();
      this.#current = header;
      this.#slot = slot;
    });
    this.#writing = next.catch(() => {});
    return next;
  }
}
