import { PolyvisorError } from '@polyvisor/contracts';
import { corrupt } from '../sparse/corrupt.ts';
import { COWD_MAGIC, SPARSE_MAGIC } from './probe-vmdk.ts';

export const SECTOR_BYTES = 512;
/** Bytes of a sparse extent's header. */
export const HEADER_BYTES = 512;
/** Where the directory is said to be when a footer says it. */
const DIRECTORY_AT_END = 0xffffffffffffffffn;
const COMPRESSION_DEFLATE = 1;

/** Bits of {@link SparseHeader.flags}. */
export const VMDK_FLAG = {
  newlines: 1,
  redundantTable: 1 << 1,
  zeroedGrains: 1 << 2,
  compressed: 1 << 16,
  markers: 1 << 17,
} as const;

/** Where the fields stand. Source: Virtual Disk Format 5.0, "Hosted sparse extents"; little-endian, unaligned. */
const AT = {
  version: 4,
  flags: 8,
  capacity: 12,
  grainSize: 20,
  descriptorOffset: 28,
  descriptorSize: 36,
  tableEntries: 44,
  redundantOffset: 48,
  directoryOffset: 56,
  overhead: 64,
  unclean: 72,
  newlines: 73,
  compression: 77,
} as const;

/** Facts of a sparse extent. Offsets and sizes in bytes. */
export interface SparseHeader {
  readonly version: number;
  readonly flags: number;
  readonly capacity: number;
  readonly grainSize: number;
  readonly descriptorOffset: number;
  readonly descriptorSize: number;
  /** Of a grain table. */
  readonly tableEntries: number;
  /** 0: there is no second directory. */
  readonly redundantOffset: number;
  /** Undefined: the footer knows. */
  readonly directoryOffset: number | undefined;
  /** Grains begin here. */
  readonly overhead: number;
  readonly compressed: boolean;
}

/** How an extent's tables are laid out, in whichever kind of extent. Offsets and sizes in bytes. */
export interface GrainLayout {
  readonly capacity: number;
  readonly grainSize: number;
  readonly tableEntries: number;
  readonly directoryOffset: number;
  readonly redundantOffset: number;
  readonly kind: 'hosted' | 'cowd' | 'sesparse';
  readonly zeroedGrains: boolean;
  readonly compressed: boolean;
  readonly markers: boolean;
  /** Of a seSparse extent. */
  readonly tablesOffset: number;
  readonly grainsOffset: number;
}

const MOST_DIRECTORY_ENTRIES = 32 * 1024 * 1024;
const MOST_CAPACITY = 2 ** 47;

/** Entries of the directory. */
export function directoryEntriesOf({ capacity, grainSize, tableEntries }: GrainLayout): number {
  return Math.ceil(capacity / (grainSize * tableEntries));
}

/**
 * Reads a sparse extent's header, or the footer that repeats it.
 * @throws PolyvisorError `corrupt`, `unsupported`
 */
export function parseSparseHeader(bytes: Uint8Array, name: string): SparseHeader {
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== SPARSE_MAGIC)
    throw corrupt(name, 'not a sparse VMDK extent');
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const sectors = (at: number): number => Number(view.getBigUint64(at, true)) * SECTOR_BYTES;
  const version = view.getUint32(AT.version, true);
  if (version < 1 || version > 3) {
    throw new PolyvisorError('unsupported', {
      what: 'version of VMDK extent',
      which: name,
      limit: `${version}, known are 1 to 3`,
    });
  }
  const flags = view.getUint32(AT.flags, true);
  const compression = view.getUint16(AT.compression, true);
  const compressed = (flags & VMDK_FLAG.compressed) !== 0 && compression === COMPRESSION_DEFLATE;
  if ((flags & VMDK_FLAG.compressed) !== 0 && compression > COMPRESSION_DEFLATE) {
    throw new PolyvisorError('unsupported', {
      what: 'compression of VMDK extent',
      which: name,
      limit: `${compression}`,
    });
  }
  const newlines = [view.getUint8(73), view.getUint8(74), view.getUint8(75), view.getUint8(76)];
  if ((flags & VMDK_FLAG.newlines) !== 0 && String.fromCharCode(...newlines) !== '\n \r\n') {
    throw corrupt(name, 'VMDK extent was copied as a text: its line ends were changed');
  }
  return {
    version,
    flags,
    capacity: sectors(AT.capacity),
    grainSize: sectors(AT.grainSize),
    descriptorOffset: sectors(AT.descriptorOffset),
    descriptorSize: sectors(AT.descriptorSize),
    tableEntries: view.getUint32(AT.tableEntries, true),
    redundantOffset: (flags & VMDK_FLAG.redundantTable) === 0 ? 0 : sectors(AT.redundantOffset),
    directoryOffset:
      view.getBigUint64(AT.directoryOffset, true) === DIRECTORY_AT_END
        ? undefined
        : sectors(AT.directoryOffset),
    overhead: sectors(AT.overhead),
    compressed,
  };
}

/** A header's bytes. */
export function encodeSparseHeader(header: SparseHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const sectors = (at: number, value: number): void =>
    view.setBigUint64(at, BigInt(value / SECTOR_BYTES), true);
  bytes.set(new TextEncoder().encode(SPARSE_MAGIC));
  view.setUint32(AT.version, header.version, true);
  view.setUint32(AT.flags, header.flags, true);
  sectors(AT.capacity, header.capacity);
  sectors(AT.grainSize, header.grainSize);
  sectors(AT.descriptorOffset, header.descriptorOffset);
  sectors(AT.descriptorSize, header.descriptorSize);
  view.setUint32(AT.tableEntries, header.tableEntries, true);
  sectors(AT.redundantOffset, header.redundantOffset);
  if (header.directoryOffset === undefined) view.setBigUint64(AT.directoryOffset, DIRECTORY_AT_END, true);
  else sectors(AT.directoryOffset, header.directoryOffset);
  sectors(AT.overhead, header.overhead);
  bytes.set(new TextEncoder().encode('\n \r\n'), AT.newlines);
  view.setUint16(AT.compression, header.compressed ? COMPRESSION_DEFLATE : 0, true);
  return bytes;
}

/** The layout that a header describes; `directoryOffset` where it stands. */
export function hostedLayout(header: SparseHeader, directoryOffset: number): GrainLayout {
  return {
    capacity: header.capacity,
    grainSize: header.grainSize,
    tableEntries: header.tableEntries,
    directoryOffset,
    redundantOffset: header.redundantOffset,
    kind: 'hosted',
    zeroedGrains: (header.flags & VMDK_FLAG.zeroedGrains) !== 0,
    compressed: header.compressed,
    markers: (header.flags & VMDK_FLAG.markers) !== 0,
    tablesOffset: 0,
    grainsOffset: 0,
  };
}

/** Reads the header of an ESX sparse extent (vmfsSparse). */
export function parseCowdHeader(bytes: Uint8Array, name: string): GrainLayout {
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== COWD_MAGIC)
    throw corrupt(name, 'not an ESX sparse extent');
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const sectors = (at: number): number => view.getUint32(at, true) * SECTOR_BYTES;
  return {
    capacity: sectors(12),
    grainSize: sectors(16),
    tableEntries: 4096,
    directoryOffset: sectors(20),
    redundantOffset: 0,
    kind: 'cowd',
    zeroedGrains: false,
    compressed: false,
    markers: false,
    tablesOffset: 0,
    grainsOffset: 0,
  };
}

/**
 * Reads the header of a seSparse extent.
 * @throws PolyvisorError `corrupt`; `unsupported`: its journal must be replayed by ESX first.
 */
export function parseSeSparseHeader(bytes: Uint8Array, volatile: Uint8Array, name: string): GrainLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const version = view.getBigUint64(8, true);
  if (u64(0) !== 0xcafebabe || version !== 0x0000000200000001n)
    throw corrupt(name, 'not a seSparse extent of version 2.1');
  const changing = new DataView(volatile.buffer, volatile.byteOffset, HEADER_BYTES);
  if (Number(changing.getBigUint64(0, true)) !== 0xcafecafe)
    throw corrupt(name, 'seSparse extent has no volatile header');
  if (changing.getBigUint64(24, true) !== 0n) {
    throw new PolyvisorError('unsupported', {
      what: 'seSparse extent with a journal to replay',
      which: name,
    });
  }
  if (u64(24) * SECTOR_BYTES !== 4096 || u64(32) !== 64)
    throw corrupt(name, 'grains or tables of seSparse extent');
  return {
    capacity: u64(16) * SECTOR_BYTES,
    grainSize: u64(24) * SECTOR_BYTES,
    tableEntries: 4096,
    directoryOffset: u64(128) * SECTOR_BYTES,
    redundantOffset: 0,
    kind: 'sesparse',
    zeroedGrains: true,
    compressed: false,
    markers: false,
    tablesOffset: u64(144) * SECTOR_BYTES,
    grainsOffset: u64(192) * SECTOR_BYTES,
  };
}

/** @throws PolyvisorError `corrupt`: sizes that can't be, a directory outside the file. */
export function checkLayout(layout: GrainLayout, fileSize: number, name: string): void {
  const { capacity, grainSize, tableEntries, directoryOffset, redundantOffset, kind } = layout;
  const grainSectors = grainSize / SECTOR_BYTES;
  if (!(capacity <= MOST_CAPACITY)) throw corrupt(name, 'VMDK extent size', `${capacity} bytes`);
  if (!(grainSectors >= 1 && grainSectors <= 0x200000) || (grainSectors & (grainSectors - 1)) !== 0) {
    throw corrupt(name, 'VMDK grain size', `${grainSize}, must be a power of two from 512 to 1 GiB`);
  }
  if (tableEntries < 1 || tableEntries > 4096)
    throw corrupt(name, 'VMDK grain table', `${tableEntries} entries`);
  const entries = directoryEntriesOf(layout);
  if (entries > MOST_DIRECTORY_ENTRIES) throw corrupt(name, 'VMDK grain directory', `${entries} entries`);
  const bytes = entries * (kind === 'sesparse' ? 8 : 4);
  for (const offset of redundantOffset === 0 ? [directoryOffset] : [directoryOffset, redundantOffset]) {
    if (Number.isSafeInteger(offset) && offset >= SECTOR_BYTES && offset + bytes <= fileSize) continue;
    if (entries === 0) continue;
    throw corrupt(
      name,
      'VMDK grain directory lies outside the file',
      `${bytes} bytes at ${offset} of ${fileSize}`,
    );
  }
}
