/** Where the first three groups of a UUID's text stand in its bytes, swapped as in a Microsoft GUID. */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** A random UUID (version 4) in the order of its text. */
export function randomUuid(): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

/** Text of a UUID whose bytes stand as written. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Text of a GUID, whose first three groups are little-endian (VHDX, VDI). */
export function formatGuid(bytes: Uint8Array): string {
  return formatUuid(Uint8Array.from(GUID_ORDER, (from) => bytes[from]!));
}

/** @returns the 16 bytes of a UUID's text, braces or not; undefined: it isn't one. */
export function parseUuid(text: string): Uint8Array<ArrayBuffer> | undefined {
  const match = /^\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?$/i.exec(text);
  if (match === null) return undefined;
  const hex = match.slice(1).join('');
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** As {@link parseUuid}, with the first three groups little-endian. */
export function parseGuid(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = parseUuid(text);
  return bytes === undefined ? undefined : Uint8Array.from(GUID_ORDER, (from) => bytes[from]!);
}

/** Whether two byte arrays are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Whether it is the UUID of nothing. */
export function isNullUuid(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
