import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { formatGuid, parseGuid } from '../sparse/uuid.ts';
import { KIB, MIB } from './vhdx-header.ts';
import type { VhdxRegion } from './vhdx-regions.ts';

/** [MS-VHDX] 2.6. */
const TABLE_BYTES = 64 * KIB;
const ENTRY_BYTES = 32;
const MOST_ENTRIES = 2047;
const SIGNATURE = new TextEncoder().encode('metadata');
const LOCATOR_TYPE = 'b04aefb7-d19e-4a81-b789-25b8e9445913';
/** Longest parent locator that is read. */
const MOST_LOCATOR_BYTES = 64 * KIB;
const MOST_DISK_BYTES = 64 * 2 ** 40;

const ITEM = {
  parameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
  size: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
  page83: 'beca12ab-b2e6-4523-93ef-c309e000c746',
  logicalSector: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
  physicalSector: 'cda348c7-445d-4471-9cc9-e9885251c556',
  parent: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
} as const;
const KNOWN = new Set<string>(Object.values(ITEM));

/** What the metadata region says. */
export interface VhdxMetadata {
  readonly blockSize: number;
  /** Blocks were all given room when the image was made. */
  readonly fixed: boolean;
  readonly hasParent: boolean;
  /** Bytes of the disk. */
  readonly size: number;
  readonly logicalSector: number;
  readonly physicalSector: number;
  readonly page83: Uint8Array;
  /** How the parent is found, by key: `parent_linkage`, `relative_path`. */
  readonly parent: ReadonlyMap<string, string>;
}

/** {@link VhdxMetadata} as read, with places in the file. */
export interface ReadVhdxMetadata extends VhdxMetadata {
  readonly sizeOffset: number;
  readonly region: VhdxRegion;
}

interface Item {
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads the metadata region.
 * @throws PolyvisorError `corrupt`; `unsupported`: an item that must be known, by its GUID.
 */
export async function readMetadata(file: BlockNode, region: VhdxRegion): Promise<ReadVhdxMetadata> {
  const bytes = new Uint8Array(TABLE_BYTES);
  if (region.length < TABLE_BYTES) throw corrupt(file.name, 'VHDX metadata region is too short');
  await file.read(region.offset, bytes);
  const items = parseTable(bytes, file, region);
  const item = async (guid: string, length: number): Promise<DataView> => {
    const found = items.get(guid);
    if (found === undefined || found.length < length)
      throw corrupt(file.name, 'VHDX metadata item is missing', guid);
    const value = new Uint8Array(length);
    await file.read(found.offset, value);
    return new DataView(value.buffer);
  };
  const parameters = await item(ITEM.parameters, 8);
  const flags = parameters.getUint32(4, true);
  const hasParent = (flags & 2) !== 0;
  const metadata = {
    blockSize: parameters.getUint32(0, true),
    fixed: (flags & 1) !== 0,
    hasParent,
    size: Number((await item(ITEM.size, 8)).getBigUint64(0, true)),
    logicalSector: (await item(ITEM.logicalSector, 4)).getUint32(0, true),
    physicalSector: (await item(ITEM.physicalSector, 4)).getUint32(0, true),
    page83: new Uint8Array((await item(ITEM.page83, 16)).buffer),
    parent: hasParent ? await readLocator(file, items.get(ITEM.parent)) : new Map<string, string>(),
    sizeOffset: items.get(ITEM.size)!.offset,
    region,
  };
  checkMetadata(metadata, file.name);
  return metadata;
}

function parseTable(bytes: Uint8Array, file: BlockNode, region: VhdxRegion): Map<string, Item> {
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte))
    throw corrupt(file.name, 'VHDX metadata table is damaged');
  const view = new DataView(bytes.buffer);
  const count = view.getUint16(10, true);
  if (count > MOST_ENTRIES)
    throw corrupt(file.name, 'VHDX metadata table', `${count} entries, at most ${MOST_ENTRIES}`);
  const items = new Map<string, Item>();
  for (let i = 0; i < count; i++) {
    const at = 32 + i * ENTRY_BYTES;
    const guid = formatGuid(bytes.subarray(at, at + 16));
    const offset = view.getUint32(at + 16, true);
    const length = view.getUint32(at + 20, true);
    const flags = view.getUint32(at + 24, true);
    const user = (flags & 1) !== 0;
    if (!KNOWN.has(guid) && (flags & 4) !== 0) {
      throw new PolyvisorError('unsupported', {
        what: 'VHDX image has metadata that must be known',
        which: file.name,
        limit: guid,
      });
    }
    if (length > MIB || (length > 0 && (offset < TABLE_BYTES || offset + length > region.length))) {
      throw corrupt(file.name, 'VHDX metadata item lies outside its region', guid);
    }
    if (!user) items.set(guid, { offset: region.offset + offset, length });
  }
  return items;
}

function checkMetadata(metadata: VhdxMetadata, name: string): void {
  const { blockSize, size, logicalSector } = metadata;
  if ((blockSize & (blockSize - 1)) !== 0 || blockSize < MIB || blockSize > 256 * MIB) {
    throw corrupt(name, 'VHDX block size', `${blockSize}, must be a power of two from 1 to 256 MiB`);
  }
  if (logicalSector !== 512 && logicalSector !== 4096)
    throw corrupt(name, 'VHDX sector size', `${logicalSector}`);
  if (!(size <= MOST_DISK_BYTES) || size % logicalSector !== 0) {
    throw corrupt(name, 'VHDX disk size', `${size} bytes, at most 64 TiB in whole sectors`);
  }
}

async function readLocator(file: BlockNode, item: Item | undefined): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  if (item === undefined || item.length < 20 || item.length > MOST_LOCATOR_BYTES) {
    throw corrupt(file.name, 'VHDX image has a parent but does not say which');
  }
  const bytes = new Uint8Array(item.length);
  await file.read(item.offset, bytes);
  const view = new DataView(bytes.buffer);
  if (formatGuid(bytes) !== LOCATOR_TYPE) {
    throw new PolyvisorError('unsupported', {
      what: 'type of the VHDX parent locator',
      which: file.name,
      limit: formatGuid(bytes),
    });
  }
  const count = view.getUint16(18, true);
  if (20 + count * 12 > bytes.length) throw corrupt(file.name, 'VHDX parent locator', `${count} entries`);
  for (let i = 0; i < count; i++) {
    const at = 20 + i * 12;
    const text = (offset: number, length: number): string => {
      if (offset + length > bytes.length)
        throw corrupt(file.name, 'VHDX parent locator reaches past its end');
      return new TextDecoder('utf-16le').decode(bytes.subarray(offset, offset + length));
    };
    const key = text(view.getUint32(at, true), view.getUint16(at + 8, true));
    entries.set(key, text(view.getUint32(at + 4, true), view.getUint16(at + 10, true)));
  }
  return entries;
}

/** A metadata region's used bytes: the table and, from 64 KiB on, the items. */
export function encodeMetadata(metadata: VhdxMetadata): Uint8Array {
  const items: { readonly guid: string; readonly flags: number; readonly bytes: Uint8Array }[] = [];
  const add = (guid: string, flags: number, length: number, fill: (view: DataView) => void): void => {
    const bytes = new Uint8Array(length);
    fill(new DataView(bytes.buffer));
    items.push({ guid, flags, bytes });
  };
  add(ITEM.parameters, 4, 8, (view) => {
    view.setUint32(0, metadata.blockSize, true);
    view.setUint32(4, (metadata.fixed ? 1 : 0) | (metadata.hasParent ? 2 : 0), true);
  });
  add(ITEM.size, 6, 8, (view) => view.setBigUint64(0, BigInt(metadata.size), true));
  items.push({ guid: ITEM.page83, flags: 6, bytes: metadata.page83 });
  add(ITEM.logicalSector, 6, 4, (view) => view.setUint32(0, metadata.logicalSector, true));
  add(ITEM.physicalSector, 6, 4, (view) => view.setUint32(0, metadata.physicalSector, true));
  if (metadata.hasParent) items.push({ guid: ITEM.parent, flags: 4, bytes: encodeLocator(metadata.parent) });
  const bytes = new Uint8Array(2 * TABLE_BYTES + MOST_LOCATOR_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(SIGNATURE);
  view.setUint16(10, items.length, true);
  let end = TABLE_BYTES;
  items.forEach((item, i) => {
    const at = 32 + i * ENTRY_BYTES;
    bytes.set(parseGuid(item.guid)!, at);
    view.setUint32(at + 16, end, true);
    view.setUint32(at + 20, item.bytes.length, true);
    view.setUint32(at + 24, item.flags, true);
    bytes.set(item.bytes, end);
    end += Math.ceil(item.bytes.length / 8) * 8;
  });
  return bytes.subarray(0, Math.ceil(end / 4096) * 4096);
}

function encodeLocator(entries: ReadonlyMap<string, string>): Uint8Array {
  const head = 20 + entries.size * 12;
  const total = [...entries].reduce((sum, [key, value]) => sum + 2 * (key.length + value.length), head);
  if (total > MOST_LOCATOR_BYTES) {
    throw new PolyvisorError('invalid-argument', { what: "parent's name is too long for VHDX" });
  }
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set(parseGuid(LOCATOR_TYPE)!);
  view.setUint16(18, entries.size, true);
  let end = head;
  const put = (text: string): number => {
    const offset = end;
    for (let i = 0; i < text.length; i++) view.setUint16(end + 2 * i, text.charCodeAt(i), true);
    end += 2 * text.length;
    return offset;
  };
  [...entries].forEach(([key, value], i) => {
    const at = 20 + i * 12;
    view.setUint32(at, put(key), true);
    view.setUint32(at + 4, put(value), true);
    view.setUint16(at + 8, 2 * key.length, true);
    view.setUint16(at + 10, 2 * value.length, true);
  });
  return bytes;
}
