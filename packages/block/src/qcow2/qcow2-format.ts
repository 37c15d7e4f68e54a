/** Constants of the format, named after the specification (QEMU, docs/interop/qcow2). */

/** `QFI\xfb`, big endian. */
export const MAGIC = 0x514649fb;

export const INCOMPATIBLE_DIRTY = 1;
export const INCOMPATIBLE_CORRUPT = 2;
export const INCOMPATIBLE_DATA_FILE = 4;
export const INCOMPATIBLE_COMPRESSION = 8;
export const INCOMPATIBLE_EXTENDED_L2 = 16;
export const INCOMPATIBLE_KNOWN = 31;
export const COMPATIBLE_LAZY_REFCOUNTS = 1;
export const AUTOCLEAR_BITMAPS = 1;
export const AUTOCLEAR_DATA_FILE_RAW = 2;
export const AUTOCLEAR_KNOWN = 3;

export const EXTENSION_END = 0;
export const EXTENSION_BACKING_FORMAT = 0xe2792aca;
export const EXTENSION_FEATURE_NAMES = 0x6803f857;
export const EXTENSION_BITMAPS = 0x23852875;
export const EXTENSION_CRYPTO = 0x0537be77;
export const EXTENSION_DATA_FILE = 0x44415441;

export const CRYPT_NONE = 0;
export const CRYPT_AES = 1;
export const CRYPT_LUKS = 2;

export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 21;
/** Extended L2 entries divide a cluster into so many. */
export const SUBCLUSTERS = 32;
/** Tables larger than these are refused, as in QEMU. */
export const MAX_L1_BYTES = 32 * 1024 * 1024;
export const MAX_REFCOUNT_TABLE_BYTES = 8 * 1024 * 1024;
export const MAX_SNAPSHOTS = 65536;
export const MAX_SNAPSHOT_TABLE_BYTES = 64 * 1024 * 1024;
export const MAX_BITMAPS = 65535;
export const MAX_BITMAP_DIRECTORY_BYTES = 64 * 1024 * 1024;
export const MAX_BITMAP_BYTES = 0x20000000;
export const MAX_BACKING_NAME_BYTES = 1023;
/** Offsets in tables have 56 bits; those that JavaScript's integers hold exactly are accepted. */
export const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

export const TWO_32 = 0x1_0000_0000;

/** Bit 63 of L1 and L2 entries, in the upper half: refcount is exactly one. */
export const COPIED = 0x8000_0000;
/** Bit 62 of L2 entries, in the upper half. */
export const COMPRESSED = 0x4000_0000;
/** Bit 0 of L2 entries, in the lower half: reads as zeroes. */
export const ZERO = 1;
/** Offset bits of L1 and L2 entries, upper and lower half. */
export const OFFSET_HIGH = 0x00ff_ffff;
export const OFFSET_LOW = 0xffff_fe00;

/** A 64-bit number; inexact above 2^53, which callers refuse anyway. */
export function get64(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}

/** @param value below 2^53. */
export function set64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value % TWO_32);
}

/** The offset in an L1 or L2 entry or bitmap table entry, flags masked away. */
export function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * TWO_32 + ((low & OFFSET_LOW) >>> 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function roundUp(value: number, granule: number): number {
  return Math.ceil(value / granule) * granule;
}

export function roundDown(value: number, granule: number): number {
  return Math.floor(value / granule) * granule;
}
