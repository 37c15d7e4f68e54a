import type { LuksCrypto } from './luks-crypto.ts';

/** LUKS' information splitter: all stripes are needed to get the key back (LUKS on-disk format 1.2, section 2.4). */
export function splitKey(key: Uint8Array, stripes: number, hash: string, crypto: LuksCrypto): Uint8Array {
  const { length } = key;
  const material = new Uint8Array(length * stripes);
  material.set(crypto.random(length * (stripes - 1)));
  const last = diffused(material, length, stripes, hash, crypto);
  for (let i = 0; i < length; i++) material[length * (stripes - 1) + i] = last[i]! ^ key[i]!;
  return material;
}

/** The key that was split into `material`. */
export function mergeKey(
  material: Uint8Array,
  length: number,
  stripes: number,
  hash: string,
  crypto: LuksCrypto,
): Uint8Array {
  const key = diffused(material, length, stripes, hash, crypto);
  for (let i = 0; i < length; i++) key[i]! ^= material[length * (stripes - 1) + i]!;
  return key;
}

/** All stripes but the last, folded together. */
function diffused(
  material: Uint8Array,
  length: number,
  stripes: number,
  hash: string,
  crypto: LuksCrypto,
): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(length);
  for (let stripe = 0; stripe < stripes - 1; stripe++) {
    for (let i = 0; i < length; i++) block[i]! ^= material[stripe * length + i]!;
    diffuse(block, hash, crypto);
  }
  return block;
}

/** Every part of a digest's length becomes the hash of its number and itself. */
function diffuse(block: Uint8Array, hash: string, crypto: LuksCrypto): void {
  let at = 0;
  for (let part = 0; at < block.length; part++) {
    const input = new Uint8Array(4 + Math.min(block.length - at, digestBytes(hash, crypto)));
    new DataView(input.buffer).setUint32(0, part);
    input.set(block.subarray(at, at + input.length - 4), 4);
    const digest = crypto.hash(hash, input);
    block.set(digest.subarray(0, input.length - 4), at);
    at += input.length - 4;
  }
}

const sizes = new Map<string, number>();

function digestBytes(hash: string, crypto: LuksCrypto): number {
  let size = sizes.get(hash);
  if (size === undefined) {
    size = crypto.hash(hash, new Uint8Array(0)).length;
    sizes.set(hash, size);
  }
  return size;
}
