import { PolyvisorError } from '@polyvisor/contracts';
import { corrupt } from '../sparse/corrupt.ts';
import { VHD_COOKIE } from './probe-vhd.ts';
import { LARGEST_GEOMETRY, sectorsOf } from './vhd-geometry.ts';
import type { VhdGeometry } from './vhd-geometry.ts';

/** Bytes of the footer. */
export const FOOTER_BYTES = 512;
/** Bytes of the dynamic disk header. */
export const DYNAMIC_BYTES = 1024;
export const SECTOR_BYTES = 512;
/** Table entry of a block that isn't there. */
export const VHD_FREE = 0xffffffff;
/** 2040 GiB. */
export const MOST_SECTORS = 0xff000000;
/** Seconds from 1970 to 2000, where VHD's clock begins. */
const EPOCH_SECONDS = 946684800;
const VERSION = 0x00010000;
const NO_OFFSET = 0xffffffffffffffffn;
/** `cxsparse` */
const DYNAMIC_COOKIE = Uint8Array.from([0x63, 0x78, 0x73, 0x70, 0x61, 0x72, 0x73, 0x65]);
const NAME_BYTES = 512;

export const VHD_TYPE = { fixed: 2, dynamic: 3, differencing: 4 } as const;

/** Where the footer's fields stand. Source: VHD specification, "Hard disk footer format"; big-endian. */
const FOOTER = {
  cookie: 0,
  features: 8,
  version: 12,
  dataOffset: 16,
  timestamp: 24,
  creator: 28,
  creatorVersion: 32,
  creatorHost: 36,
  originalSize: 40,
  currentSize: 48,
  cylinders: 56,
  heads: 58,
  sectors: 59,
  type: 60,
  checksum: 64,
  id: 68,
} as const;

/** As {@link FOOTER}. Source: "Dynamic disk header format". */
const DYNAMIC = {
  cookie: 0,
  dataOffset: 8,
  tableOffset: 16,
  version: 24,
  entries: 28,
  blockSize: 32,
  checksum: 36,
  parentId: 40,
  parentTimestamp: 56,
  parentName: 64,
  locators: 576,
} as const;
const LOCATORS = 8;
const LOCATOR_BYTES = 24;

/** Programs whose images have the size that the footer says, rather than the geometry's. */
const SIZE_CREATORS = new Set(['win ', 'qem2', 'd2v ', 'tap\0', 'CTXS', 'vbox', 'poly']);

/** Facts of a footer. */
export interface VhdFooter {
  readonly type: number;
  readonly creator: string;
  /** Of the dynamic header; undefined: there is none. */
  readonly dataOffset: number | undefined;
  /** Seconds since 2000. */
  readonly timestamp: number;
  /** Bytes, as the footer says. */
  readonly currentSize: number;
  readonly geometry: VhdGeometry;
  readonly id: Uint8Array;
}

/** Where the parent's name for one platform stands. */
export interface VhdLocator {
  /** Four letters: `W2ru` a relative Windows path, `W2ku` an absolute one, `MacX` a file URL. */
  readonly platform: string;
  readonly space: number;
  readonly length: number;
  readonly offset: number;
}

/** Facts of a dynamic disk header. */
export interface VhdDynamic {
  readonly tableOffset: number;
  readonly entries: number;
  readonly blockSize: number;
  readonly parentId: Uint8Array;
  readonly parentTimestamp: number;
  readonly parentName: string;
  readonly locators: readonly VhdLocator[];
}

/** How a disk's size is found: `auto` by who made the image, as QEMU does. */
export type SizeRule = 'auto' | 'chs' | 'current_size';

/** One's complement of the sum of all bytes but the checksum's own. */
export function vhdChecksum(bytes: Uint8Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) if (i < at || i >= at + 4) sum += bytes[i]!;
  return ~sum >>> 0;
}

/** A footer that was read. */
export interface ReadVhdFooter extends VhdFooter {
  /** As they stood in the file: fields that are not known here are kept. */
  readonly bytes: Uint8Array;
}

/** @returns the footer's facts; undefined: not a footer, or its checksum is wrong. */
export function parseVhdFooter(bytes: Uint8Array): ReadVhdFooter | undefined {
  if (!VHD_COOKIE.every((byte, i) => bytes[i] === byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FOOTER_BYTES);
  if (view.getUint32(FOOTER.checksum) !== vhdChecksum(bytes.subarray(0, FOOTER_BYTES), FOOTER.checksum)) {
    return undefined;
  }
  const dataOffset = view.getBigUint64(FOOTER.dataOffset);
  return {
    type: view.getUint32(FOOTER.type),
    creator: String.fromCharCode(...bytes.subarray(FOOTER.creator, FOOTER.creator + 4)),
    dataOffset: dataOffset === NO_OFFSET ? undefined : Number(dataOffset),
    timestamp: view.getUint32(FOOTER.timestamp),
    currentSize: Number(view.getBigUint64(FOOTER.currentSize)),
    geometry: {
      cylinders: view.getUint16(FOOTER.cylinders),
      heads: view.getUint8(FOOTER.heads),
      sectors: view.getUint8(FOOTER.sectors),
    },
    id: bytes.slice(FOOTER.id, FOOTER.id + 16),
    bytes: bytes.slice(0, FOOTER_BYTES),
  };
}

/** Bytes of the disk. @throws PolyvisorError `corrupt`: more than the format can. */
export function diskSizeOf(footer: VhdFooter, rule: SizeRule, name: string): number {
  const byGeometry = sectorsOf(footer.geometry);
  const current = Math.floor(footer.currentSize / SECTOR_BYTES);
  const useCurrent =
    rule === 'current_size' ||
    (rule === 'auto' && (SIZE_CREATORS.has(footer.creator) || byGeometry === sectorsOf(LARGEST_GEOMETRY)));
  const sectors = useCurrent ? current : byGeometry;
  if (sectors > MOST_SECTORS)
    throw corrupt(name, 'VHD disk size', `${sectors} sectors, at most ${MOST_SECTORS}`);
  return sectors * SECTOR_BYTES;
}

/** A footer's bytes. */
export function encodeVhdFooter(footer: VhdFooter): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(VHD_COOKIE, FOOTER.cookie);
  view.setUint32(FOOTER.features, 2);
  view.setUint32(FOOTER.version, VERSION);
  view.setBigUint64(
    FOOTER.dataOffset,
    footer.dataOffset === undefined ? NO_OFFSET : BigInt(footer.dataOffset),
  );
  view.setUint32(FOOTER.timestamp, footer.timestamp);
  bytes.set(new TextEncoder().encode(footer.creator), FOOTER.creator);
  view.setUint32(FOOTER.creatorVersion, VERSION);
  bytes.set(new TextEncoder().encode('Wi2k'), FOOTER.creatorHost);
  view.setBigUint64(FOOTER.originalSize, BigInt(footer.currentSize));
  view.setBigUint64(FOOTER.currentSize, BigInt(footer.currentSize));
  view.setUint16(FOOTER.cylinders, footer.geometry.cylinders);
  view.setUint8(FOOTER.heads, footer.geometry.heads);
  view.setUint8(FOOTER.sectors, footer.geometry.sectors);
  view.setUint32(FOOTER.type, footer.type);
  bytes.set(footer.id, FOOTER.id);
  view.setUint32(FOOTER.checksum, vhdChecksum(bytes, FOOTER.checksum));
  return bytes;
}

/** A footer with another place for the dynamic header. */
export function moveVhdDynamic({ bytes: old }: ReadVhdFooter, dataOffset: number): Uint8Array {
  const bytes = old.slice();
  const view = new DataView(bytes.buffer);
  view.setBigUint64(FOOTER.dataOffset, BigInt(dataOffset));
  view.setUint32(FOOTER.checksum, vhdChecksum(bytes, FOOTER.checksum));
  return bytes;
}

/** Now, on VHD's clock. */
export function vhdTimestamp(): number {
  return Math.max(0, Math.floor(Date.now() / 1000) - EPOCH_SECONDS);
}

/**
 * Reads a dynamic disk header.
 * @throws PolyvisorError `corrupt`
 */
export function parseVhdDynamic(bytes: Uint8Array, name: string): VhdDynamic {
  if (!DYNAMIC_COOKIE.every((byte, i) => bytes[i] === byte))
    throw corrupt(name, 'VHD image has no dynamic header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, DYNAMIC_BYTES);
  if (view.getUint32(DYNAMIC.checksum) !== vhdChecksum(bytes.subarray(0, DYNAMIC_BYTES), DYNAMIC.checksum)) {
    throw corrupt(name, 'checksum of the VHD dynamic header is wrong');
  }
  const version = view.getUint32(DYNAMIC.version);
  if (version >>> 16 !== 1) {
    throw new PolyvisorError('unsupported', {
      what: 'VHD dynamic header version',
      which: name,
      limit: `${version}`,
    });
  }
  const parentName = bytes.subarray(DYNAMIC.parentName, DYNAMIC.parentName + NAME_BYTES);
  return {
    tableOffset: Number(view.getBigUint64(DYNAMIC.tableOffset)),
    entries: view.getUint32(DYNAMIC.entries),
    blockSize: view.getUint32(DYNAMIC.blockSize),
    parentId: bytes.slice(DYNAMIC.parentId, DYNAMIC.parentId + 16),
    parentTimestamp: view.getUint32(DYNAMIC.parentTimestamp),
    parentName: new TextDecoder('utf-16be').decode(parentName).replace(/\0.*$/s, ''),
    locators: Array.from({ length: LOCATORS }, (_, i) => {
      const at = DYNAMIC.locators + i * LOCATOR_BYTES;
      return {
        platform: String.fromCharCode(...bytes.subarray(at, at + 4)),
        space: view.getUint32(at + 4),
        length: view.getUint32(at + 8),
        offset: Number(view.getBigUint64(at + 16)),
      };
    }),
  };
}

/** A dynamic header's bytes. @throws PolyvisorError `invalid-argument`: too long a parent's name. */
export function encodeVhdDynamic(header: VhdDynamic): Uint8Array {
  const bytes = new Uint8Array(DYNAMIC_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(DYNAMIC_COOKIE, DYNAMIC.cookie);
  view.setBigUint64(DYNAMIC.dataOffset, NO_OFFSET);
  view.setBigUint64(DYNAMIC.tableOffset, BigInt(header.tableOffset));
  view.setUint32(DYNAMIC.version, VERSION);
  view.setUint32(DYNAMIC.entries, header.entries);
  view.setUint32(DYNAMIC.blockSize, header.blockSize);
  bytes.set(header.parentId, DYNAMIC.parentId);
  view.setUint32(DYNAMIC.parentTimestamp, header.parentTimestamp);
  if (header.parentName.length * 2 > NAME_BYTES) {
    throw new PolyvisorError('invalid-argument', {
      what: "parent's name is too long for VHD",
      which: header.parentName,
    });
  }
  for (let i = 0; i < header.parentName.length; i++) {
    view.setUint16(DYNAMIC.parentName + 2 * i, header.parentName.charCodeAt(i));
  }
  header.locators.forEach(({ platform, space, length, offset }, i) => {
    const at = DYNAMIC.locators + i * LOCATOR_BYTES;
    bytes.set(new TextEncoder().encode(platform).subarray(0, 4), at);
    view.setUint32(at + 4, space);
    view.setUint32(at + 8, length);
    view.setBigUint64(at + 16, BigInt(offset));
  });
  view.setUint32(DYNAMIC.checksum, vhdChecksum(bytes, DYNAMIC.checksum));
  return bytes;
}
