import { PolyvisorError } from '@polyvisor/contracts';
import { corrupt } from '../sparse/corrupt.ts';
import { VDI_SIGNATURE, probeVdi } from './probe-vdi.ts';

/** Bytes of a header that are read and written; it fits into the first sector, so a write of it is atomic. */
export const HEADER_BYTES = 512;
const VERSION = 0x00010001;
/** From the header's own size field to its end, as VirtualBox has it since 4.0. */
const HEADER_SIZE = 0x190;
const LEAST_HEADER_SIZE = 0x180;
const SECTOR_BYTES = 512;
const COMMENT_BYTES = 256;
const INFO_BYTES = 64;
/** As in QEMU. */
export const MOST_BLOCKS = 0x3fffffff;

/** What {@link VdiHeader.type} can be. */
export const VDI_TYPE = { dynamic: 1, fixed: 2, undo: 3, differencing: 4 } as const;

/** Table entries that are no block numbers: nothing there; zeroes. */
export const VDI_FREE = 0xffffffff;
export const VDI_ZERO = 0xfffffffe;

/** Where the fields stand. Source: VirtualBox's VDI header, version 1.1; all little-endian. */
const AT = {
  info: 0x00,
  signature: 0x40,
  version: 0x44,
  headerSize: 0x48,
  type: 0x4c,
  flags: 0x50,
  comment: 0x54,
  tableOffset: 0x154,
  dataOffset: 0x158,
  sectorSize: 0x168,
  diskSize: 0x170,
  blockSize: 0x178,
  blockExtra: 0x17c,
  blocks: 0x180,
  allocated: 0x184,
  id: 0x188,
  modification: 0x198,
  parentId: 0x1a8,
  parentModification: 0x1b8,
  geometry: 0x1c8,
} as const;

/** Facts of a VDI header. UUIDs are 16 bytes, the first three groups little-endian. */
export interface VdiHeader {
  readonly type: number;
  readonly flags: number;
  readonly comment: string;
  /** Bytes from the file's start. */
  readonly tableOffset: number;
  readonly dataOffset: number;
  /** Bytes of the disk. */
  readonly diskSize: number;
  readonly blockSize: number;
  /** Bytes before each block's data. */
  readonly blockExtra: number;
  /** Entries of the table. */
  readonly blocks: number;
  /** One more than the highest block number in use, while nobody writes: how many are in use. */
  readonly allocated: number;
  readonly id: Uint8Array;
  /** Changes with the contents. */
  readonly modification: Uint8Array;
  /** Null UUIDs without parent. */
  readonly parentId: Uint8Array;
  readonly parentModification: Uint8Array;
}

/**
 * Reads a header and checks all that can be checked without the table.
 * @throws PolyvisorError `corrupt`, or `unsupported` for another version.
 */
export function parseVdiHeader(bytes: Uint8Array, name: string, fileSize: number): VdiHeader {
  if (probeVdi(bytes) === 0) throw corrupt(name, 'not a VDI image');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const u32 = (at: number): number => view.getUint32(at, true);
  if (u32(AT.version) !== VERSION) {
    throw new PolyvisorError('unsupported', {
      what: 'VDI version',
      which: name,
      limit: `${u32(AT.version) >>> 16}.${u32(AT.version) & 0xffff}, known is 1.1`,
    });
  }
  const headerSize = u32(AT.headerSize);
  const header: VdiHeader = {
    type: u32(AT.type),
    flags: u32(AT.flags),
    comment: textOf(bytes.subarray(AT.comment, AT.comment + COMMENT_BYTES)),
    tableOffset: u32(AT.tableOffset),
    dataOffset: u32(AT.dataOffset),
    diskSize: Number(view.getBigUint64(AT.diskSize, true)),
    blockSize: u32(AT.blockSize),
    blockExtra: u32(AT.blockExtra),
    blocks: u32(AT.blocks),
    allocated: u32(AT.allocated),
    id: bytes.slice(AT.id, AT.id + 16),
    modification: bytes.slice(AT.modification, AT.modification + 16),
    parentId: bytes.slice(AT.parentId, AT.parentId + 16),
    parentModification:
      headerSize < LEAST_HEADER_SIZE
        ? new Uint8Array(16)
        : bytes.slice(AT.parentModification, AT.parentModification + 16),
  };
  checkHeader(header, name, fileSize, u32(AT.sectorSize));
  return header;
}

function checkHeader(header: VdiHeader, name: string, fileSize: number, sectorSize: number): void {
  const { type, tableOffset, dataOffset, diskSize, blockSize, blockExtra, blocks } = header;
  if (type < VDI_TYPE.dynamic || type > VDI_TYPE.differencing)
    throw corrupt(name, 'VDI image type', `${type}`);
  if (type === VDI_TYPE.undo)
    throw new PolyvisorError('unsupported', { what: 'VDI undo image', which: name });
  if (sectorSize !== SECTOR_BYTES) throw corrupt(name, 'VDI sector size', `${sectorSize}, must be 512`);
  if ((blockSize & (blockSize - 1)) !== 0 || blockSize < SECTOR_BYTES || blockSize > 2 ** 30) {
    throw corrupt(name, 'VDI block size', `${blockSize}, must be a power of two from 512 to 1 GiB`);
  }
  if (blockExtra % SECTOR_BYTES !== 0 || blockExtra > blockSize) {
    throw corrupt(name, 'VDI extra bytes of blocks', `${blockExtra}`);
  }
  if (!Number.isSafeInteger(diskSize) || diskSize > blocks * blockSize) {
    throw corrupt(name, 'VDI disk size', `${diskSize} bytes, ${blocks} blocks of ${blockSize}`);
  }
  if (blocks > MOST_BLOCKS) throw corrupt(name, 'VDI block count', `${blocks}, at most ${MOST_BLOCKS}`);
  const tableEnd = tableOffset + blocks * 4;
  if (tableOffset % SECTOR_BYTES !== 0 || dataOffset % SECTOR_BYTES !== 0 || tableOffset < SECTOR_BYTES) {
    throw corrupt(
      name,
      'VDI offsets',
      `table at ${tableOffset}, data at ${dataOffset}, must be multiples of 512`,
    );
  }
  if (tableEnd > dataOffset || tableEnd > fileSize) {
    throw corrupt(
      name,
      'VDI block table',
      `${tableEnd} past the data's start ${dataOffset} or the file's end ${fileSize}`,
    );
  }
}

/** Writes the fields into `sector`, which holds the old header or zeroes. */
export function encodeVdiHeader(header: VdiHeader, sector: Uint8Array): void {
  const view = new DataView(sector.buffer, sector.byteOffset);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  if (probeVdi(sector) === 0) {
    sector.set(
      new TextEncoder().encode('<<< Polyvisor VirtualBox Disk Image >>>\n').subarray(0, INFO_BYTES),
      AT.info,
    );
    u32(AT.signature, VDI_SIGNATURE);
    u32(AT.version, VERSION);
    u32(AT.headerSize, HEADER_SIZE);
    u32(AT.sectorSize, SECTOR_BYTES);
    u32(AT.geometry + 12, SECTOR_BYTES);
  }
  u32(AT.type, header.type);
  u32(AT.flags, header.flags);
  sector.fill(0, AT.comment, AT.comment + COMMENT_BYTES);
  sector.set(encodeComment(header.comment), AT.comment);
  u32(AT.tableOffset, header.tableOffset);
  u32(AT.dataOffset, header.dataOffset);
  view.setBigUint64(AT.diskSize, BigInt(header.diskSize), true);
  u32(AT.blockSize, header.blockSize);
  u32(AT.blockExtra, header.blockExtra);
  u32(AT.blocks, header.blocks);
  u32(AT.allocated, header.allocated);
  sector.set(header.id, AT.id);
  sector.set(header.modification, AT.modification);
  sector.set(header.parentId, AT.parentId);
  sector.set(header.parentModification, AT.parentModification);
}

/** @throws PolyvisorError `invalid-argument`: it doesn't fit. */
export function encodeComment(comment: string): Uint8Array {
  const bytes = new TextEncoder().encode(comment);
  if (bytes.length < COMMENT_BYTES) return bytes;
  throw new PolyvisorError('invalid-argument', {
    what: 'comment (or parent name) is too long for a VDI header',
    limit: `${bytes.length} of ${COMMENT_BYTES - 1} bytes`,
  });
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
