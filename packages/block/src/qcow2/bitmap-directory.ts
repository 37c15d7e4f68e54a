import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { Json } from '../graph/format-node.ts';
import { count } from './check-qcow2.ts';
import type { CheckWork } from './check-qcow2.ts';
import {
  AUTOCLEAR_BITMAPS,
  entryOffset,
  get64,
  MAX_BITMAP_BYTES,
  MAX_BITMAP_DIRECTORY_BYTES,
  MAX_BITMAPS,
  roundUp,
  set64,
  viewOf,
} from './qcow2-format.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/** An entry of the bitmap directory. */
export interface StoredBitmap {
  readonly tableOffset: number;
  /** Entries of the table. */
  readonly tableSize: number;
  readonly flags: number;
  readonly type: number;
  readonly granularityBits: number;
  readonly extra: Uint8Array;
  readonly name: string;
  /** Where the flags lie, relative to the directory. */
  readonly flagsAt: number;
}

export const BITMAP_IN_USE = 1;
export const BITMAP_AUTO = 2;
export const BITMAP_EXTRA_COMPATIBLE = 4;
const BITMAP_KNOWN_FLAGS = 7;
export const BITMAP_TYPE_DIRTY = 1;
const FIXED_BYTES = 24;
const MAX_NAME_BYTES = 1023;
const MAX_TABLE_ENTRIES = 0x800_0000 / 8;

/** Reads the directory. @throws PolyvisorError `corrupt` */
export async function readBitmapDirectory(file: BlockNode, header: Qcow2Header): Promise<StoredBitmap[]> {
  const { bitmaps } = header;
  if (bitmaps === undefined || (header.autoclear & AUTOCLEAR_BITMAPS) === 0) return [];
  const clusterSize = 2 ** header.clusterBits;
  const fail = (what: string): never => {
    throw new PolyvisorError('corrupt', { what: `bitmap directory is damaged: ${what}`, which: file.name });
  };
  const { count: wanted, directorySize, directoryOffset } = bitmaps;
  if (wanted === 0 || wanted > MAX_BITMAPS) fail('wrong number of bitmaps');
  if (directoryOffset === 0 || directoryOffset % clusterSize !== 0) fail('it is not aligned');
  if (directorySize > MAX_BITMAP_DIRECTORY_BYTES) fail('it is too large');
  if (directoryOffset + directorySize > roundUp(file.size, clusterSize))
    fail('it is beyond the end of the file');
  const bytes = new Uint8Array(directorySize);
  await file.read(directoryOffset, bytes.subarray(0, Math.max(0, file.size - directoryOffset)));
  const view = viewOf(bytes);
  const decoder = new TextDecoder();
  const found: StoredBitmap[] = [];
  const names = new Set<string>();
  for (let at = 0; at < bytes.length;) {
    if (at + FIXED_BYTES > bytes.length) fail('an entry is cut off');
    const nameBytes = view.getUint16(at + 18);
    const extraBytes = view.getUint32(at + 20);
    const length = roundUp(FIXED_BYTES + extraBytes + nameBytes, 8);
    if (at + length > bytes.length) fail('an entry is cut off');
    if (nameBytes === 0 || nameBytes > MAX_NAME_BYTES) fail('a name has a wrong length');
    const tableOffset = get64(view, at);
    const tableSize = view.getUint32(at + 8);
    const flags = view.getUint32(at + 12);
    const granularityBits = bytes[at + 17]!;
    if (tableOffset % clusterSize !== 0) fail('a table is not aligned');
    if (
      tableSize === 0 ||
      tableSize > MAX_TABLE_ENTRIES ||
      tableSize * clusterSize > MAX_BITMAP_BYTES + clusterSize
    )
      fail('a table has a wrong size');
    if (tableOffset + tableSize * 8 > roundUp(file.size, clusterSize))
      fail('a table is beyond the end of the file');
    if ((flags & ~BITMAP_KNOWN_FLAGS) !== 0) fail('unknown flags');
    if (granularityBits < 9 || granularityBits > 31) fail('a granularity is not supported');
    const nameAt = at + FIXED_BYTES + extraBytes;
    const name = decoder.decode(bytes.subarray(nameAt, nameAt + nameBytes));
    if (names.has(name)) fail('a name occurs twice');
    names.add(name);
    found.push({
      tableOffset,
      tableSize,
      flags,
      type: bytes[at + 16]!,
      granularityBits,
      extra: bytes.slice(at + FIXED_BYTES, nameAt),
      name,
      flagsAt: at + 12,
    });
    if (found.length > wanted) fail('it holds too many bitmaps');
    at += length;
  }
  if (found.length !== wanted) fail('it holds too few bitmaps');
  return found;
}

/** The directory as stored. */
export function serializeBitmapDirectory(bitmaps: readonly Omit<StoredBitmap, 'flagsAt'>[]): {
  readonly bytes: Uint8Array;
  readonly flagsAt: readonly number[];
} {
  const encoder = new TextEncoder();
  const names = bitmaps.map(({ name }) => encoder.encode(name));
  const lengths = bitmaps.map(({ extra }, i) => roundUp(FIXED_BYTES + extra.length + names[i]!.length, 8));
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  const view = viewOf(bytes);
  const flagsAt: number[] = [];
  let at = 0;
  for (const [i, bitmap] of bitmaps.entries()) {
    set64(view, at, bitmap.tableOffset);
    view.setUint32(at + 8, bitmap.tableSize);
    view.setUint32(at + 12, bitmap.flags);
    bytes[at + 16] = bitmap.type;
    bytes[at + 17] = bitmap.granularityBits;
    view.setUint16(at + 18, names[i]!.length);
    view.setUint32(at + 20, bitmap.extra.length);
    bytes.set(bitmap.extra, at + FIXED_BYTES);
    bytes.set(names[i]!, at + FIXED_BYTES + bitmap.extra.length);
    flagsAt.push(at + 12);
    at += lengths[i]!;
  }
  return { bytes, flagsAt };
}

/** A bitmap's table: offsets of clusters, or 0 (all zero) or 1 (all one). @throws PolyvisorError `corrupt` */
export async function readBitmapTable(
  file: BlockNode,
  { tableOffset, tableSize, name }: StoredBitmap,
  clusterSize: number,
): Promise<Float64Array> {
  const bytes = new Uint8Array(tableSize * 8);
  await file.read(tableOffset, bytes.subarray(0, Math.max(0, file.size - tableOffset)));
  const view = viewOf(bytes);
  const entries = new Float64Array(tableSize);
  for (let i = 0; i < tableSize; i++) {
    const high = view.getUint32(i * 8);
    const low = view.getUint32(i * 8 + 4);
    const offset = entryOffset(high, low);
    const reserved = (high & 0xff00_0000) !== 0 || (low & 0x1fe) !== 0 || (offset !== 0 && (low & 1) !== 0);
    if (reserved || offset % clusterSize !== 0) {
      throw new PolyvisorError('corrupt', {
        what: 'bitmap table is damaged',
        which: `${file.name}: ${name}`,
      });
    }
    entries[i] = offset === 0 ? low & 1 : offset;
  }
  return entries;
}

/** What qemu-img says of bitmaps. */
export async function describeBitmaps(file: BlockNode, header: Qcow2Header): Promise<Json[]> {
  const stored = await readBitmapDirectory(file, header).catch(() => []);
  return stored.map(({ flags, name, granularityBits }) => ({
    flags: [
      ...((flags & BITMAP_IN_USE) === 0 ? [] : ['in-use']),
      ...((flags & BITMAP_AUTO) === 0 ? [] : ['auto']),
    ],
    name,
    granularity: 2 ** granularityBits,
  }));
}

/** Counts what bitmaps refer to. */
export async function checkBitmapReferences(work: CheckWork): Promise<void> {
  const { image, report, say } = work;
  const { header, file, clusterSize } = image;
  try {
    const stored = await readBitmapDirectory(file, header);
    count(work, header.bitmaps!.directoryOffset, header.bitmaps!.directorySize);
    for (const bitmap of stored) {
      count(work, bitmap.tableOffset, bitmap.tableSize * 8);
      for (const offset of await readBitmapTable(file, bitmap, clusterSize)) {
        if (offset > 1) count(work, offset, clusterSize);
      }
    }
  } catch (error) {
    if (!(error instanceof PolyvisorError) || error.code !== 'corrupt') throw error;
    say(`ERROR ${error.message}`);
    report.corruptions++;
  }
}
