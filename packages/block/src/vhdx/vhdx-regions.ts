import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { formatGuid, parseGuid } from '../sparse/uuid.ts';
import { crc32cWithout } from './crc32c.ts';
import { CHECKSUM_AT, KIB, MIB } from './vhdx-header.ts';

/** Where the two region tables stand, [MS-VHDX] 2.2.3. */
const TABLE_OFFSETS = [192 * KIB, 256 * KIB] as const;
const TABLE_BYTES = 64 * KIB;
const ENTRY_BYTES = 32;
const MOST_ENTRIES = 2047;
/** `regi` */
const SIGNATURE = 0x69676572;
const BAT_GUID = '2dc27766-f623-4200-9d64-115e9bfd4a08';
const METADATA_GUID = '8b7ca206-4790-4b9a-b8fe-575f050f886e';

/** Part of the file. */
export interface VhdxRegion {
  readonly offset: number;
  readonly length: number;
}

/** The regions of a file. */
export interface VhdxRegions {
  /** The block allocation table. */
  readonly bat: VhdxRegion;
  readonly metadata: VhdxRegion;
  /** All of the table, those that nobody here knows too. */
  readonly all: readonly VhdxRegion[];
  /** The bytes they were read from. */
  readonly table: Uint8Array;
}

/**
 * Reads the region table, or its copy where it is damaged.
 * @throws PolyvisorError `corrupt`; `unsupported`: a region that must be known, by its GUID.
 */
export async function readRegions(file: BlockNode, log: VhdxRegion): Promise<VhdxRegions> {
  for (const offset of TABLE_OFFSETS) {
    const bytes = new Uint8Array(TABLE_BYTES);
    await file.read(offset, bytes);
    if (isWhole(bytes)) return parseRegions(bytes, file, log);
  }
  throw corrupt(file.name, 'both region tables of the VHDX image are damaged');
}

/** How many of the region tables in the file are damaged. */
export async function damagedRegionTables(file: BlockNode): Promise<number> {
  let count = 0;
  for (const offset of TABLE_OFFSETS) {
    const bytes = new Uint8Array(TABLE_BYTES);
    await file.read(offset, bytes);
    if (!isWhole(bytes)) count++;
  }
  return count;
}

function isWhole(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return (
    view.getUint32(0, true) === SIGNATURE &&
    view.getUint32(CHECKSUM_AT, true) === crc32cWithout(bytes, CHECKSUM_AT)
  );
}

function parseRegions(bytes: Uint8Array, file: BlockNode, log: VhdxRegion): VhdxRegions {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = view.getUint32(8, true);
  if (count > MOST_ENTRIES)
    throw corrupt(file.name, 'VHDX region table', `${count} entries, at most ${MOST_ENTRIES}`);
  const found = new Map<string, VhdxRegion>();
  for (let i = 0; i < count; i++) {
    const at = 16 + i * ENTRY_BYTES;
    const guid = formatGuid(bytes.subarray(at, at + 16));
    const region = {
      offset: Number(view.getBigUint64(at + 16, true)),
      length: view.getUint32(at + 24, true),
    };
    if (found.has(guid)) throw corrupt(file.name, 'VHDX region stands twice in its table', guid);
    if (guid !== BAT_GUID && guid !== METADATA_GUID && (view.getUint32(at + 28, true) & 1) !== 0) {
      throw new PolyvisorError('unsupported', {
        what: 'VHDX image has a region that must be known',
        which: file.name,
        limit: guid,
      });
    }
    found.set(guid, region);
  }
  const bat = found.get(BAT_GUID);
  const metadata = found.get(METADATA_GUID);
  if (bat === undefined || metadata === undefined)
    throw corrupt(file.name, 'VHDX image has no block table or metadata');
  checkRegions([...found.values(), ...(log.length > 0 ? [log] : [])], file);
  return { bat, metadata, all: [...found.values()], table: bytes };
}

function checkRegions(regions: readonly VhdxRegion[], file: BlockNode): void {
  const sorted = regions.toSorted((a, b) => a.offset - b.offset);
  let end = MIB;
  for (const { offset, length } of sorted) {
    const aligned = offset % MIB === 0 && length % MIB === 0;
    if (!Number.isSafeInteger(offset) || !aligned || offset < end || offset + length > file.size) {
      throw corrupt(file.name, 'VHDX region', `${length} bytes at ${offset}: misplaced, or on another one`);
    }
    end = offset + length;
  }
}

/** A region table's bytes. */
export function encodeRegions(bat: VhdxRegion, metadata: VhdxRegion): Uint8Array {
  const bytes = new Uint8Array(TABLE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SIGNATURE, true);
  view.setUint32(8, 2, true);
  [
    { guid: BAT_GUID, region: bat },
    { guid: METADATA_GUID, region: metadata },
  ].forEach(({ guid, region }, i) => {
    const at = 16 + i * ENTRY_BYTES;
    bytes.set(parseGuid(guid)!, at);
    view.setBigUint64(at + 16, BigInt(region.offset), true);
    view.setUint32(at + 24, region.length, true);
    view.setUint32(at + 28, 1, true);
  });
  view.setUint32(CHECKSUM_AT, crc32cWithout(bytes, CHECKSUM_AT), true);
  return bytes;
}

/** The table with the block table elsewhere; what else it says is kept. */
export function moveBat({ table }: VhdxRegions, bat: VhdxRegion): Uint8Array {
  const bytes = table.slice();
  const view = new DataView(bytes.buffer);
  const guid = parseGuid(BAT_GUID)!;
  for (let at = 16; at < 16 + view.getUint32(8, true) * ENTRY_BYTES; at += ENTRY_BYTES) {
    if (!guid.every((byte, i) => bytes[at + i] === byte)) continue;
    view.setBigUint64(at + 16, BigInt(bat.offset), true);
    view.setUint32(at + 24, bat.length, true);
  }
  view.setUint32(CHECKSUM_AT, crc32cWithout(bytes, CHECKSUM_AT), true);
  return bytes;
}

/** Writes both copies, one after the other: one of them is whole whenever the power goes. */
export async function writeRegions(file: BlockNode, table: Uint8Array): Promise<void> {
  for (const offset of TABLE_OFFSETS.toReversed()) {
    await file.flush();
    await file.write(offset, table);
  }
  await file.flush();
}
