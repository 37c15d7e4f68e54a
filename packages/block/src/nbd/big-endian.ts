// Numbers in network order at any place of a byte array: no view object, no BigInt.

export function get16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function get32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Exact below 2^53; above, a number that is no safe integer, so range checks refuse it. */
export function get64(bytes: Uint8Array, at: number): number {
  return get32(bytes, at) * 2 ** 32 + get32(bytes, at + 4);
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function put64(bytes: Uint8Array, at: number, value: number): void {
  put32(bytes, at, Math.floor(value / 2 ** 32));
  put32(bytes, at + 4, value >>> 0);
}

/** Whether the eight bytes at `at` are this magic. */
export function hasMagic(bytes: Uint8Array, at: number, magic: readonly [number, number]): boolean {
  return get32(bytes, at) === magic[0] && get32(bytes, at + 4) === magic[1];
}

export function putMagic(bytes: Uint8Array, at: number, magic: readonly [number, number]): void {
  put32(bytes, at, magic[0]);
  put32(bytes, at + 4, magic[1]);
}
