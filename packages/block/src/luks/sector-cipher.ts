import { PolyvisorError } from '@polyvisor/contracts';
import type { LuksCrypto } from './luks-crypto.ts';
import { SECTOR_BYTES } from './luks-header.ts';

/** Encrypts and decrypts whole sectors in place; `sector` is the first one's number. */
export interface SectorCipher {
  encrypt(sector: number, data: Uint8Array): void;
  decrypt(sector: number, data: Uint8Array): void;
}

/** What a header's cipher mode says: `cbc-essiv:sha256`. */
export interface CipherMode {
  readonly chaining: 'xts' | 'cbc';
  readonly iv: 'plain' | 'plain64' | 'essiv';
  readonly ivHash: string | undefined;
}

const BLOCK_BYTES = 16;
const WORDS_PER_SECTOR = SECTOR_BYTES / 4;

/** @throws PolyvisorError `unsupported` */
export function parseCipherMode(cipher: string, mode: string, keyBytes: number, name: string): CipherMode {
  const found = /^(xts|cbc)-(plain64|plain|essiv)(?::([\w-]+))?$/.exec(mode);
  const [, chaining, iv, ivHash] = found ?? [];
  const lengths = chaining === 'xts' ? [32, 64] : [16, 24, 32];
  if (
    cipher !== 'aes' ||
    found === null ||
    (iv === 'essiv') !== (ivHash !== undefined) ||
    !lengths.includes(keyBytes)
  ) {
    throw new PolyvisorError('unsupported', {
      what: `LUKS cipher ${cipher}-${mode} with a key of ${keyBytes * 8} bits is not supported`,
      which: name,
    });
  }
  return { chaining: chaining as 'xts' | 'cbc', iv: iv as 'plain' | 'plain64' | 'essiv', ivHash };
}

/** @throws PolyvisorError `unsupported` */
export function createSectorCipher(
  mode: CipherMode,
  key: Uint8Array,
  crypto: LuksCrypto,
  name: string,
): SectorCipher {
  const vectors = createVectors(mode, key, crypto, name);
  return mode.chaining === 'xts' ? createXts(key, vectors, crypto) : createCbc(key, vectors, crypto);
}

/** Initialisation vectors of `count` sectors. */
type Vectors = (sector: number, count: number) => Uint8Array;

function createVectors(
  { iv, ivHash }: CipherMode,
  key: Uint8Array,
  crypto: LuksCrypto,
  name: string,
): Vectors {
  const plain = (sector: number, count: number): Uint8Array => {
    const bytes = new Uint8Array(count * BLOCK_BYTES);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < count; i++) {
      view.setUint32(i * BLOCK_BYTES, (sector + i) >>> 0, true);
      if (iv !== 'plain') view.setUint32(i * BLOCK_BYTES + 4, Math.floor((sector + i) / 2 ** 32), true);
    }
    return bytes;
  };
  if (ivHash === undefined) return plain;
  const salt = crypto.hasHash(ivHash) ? crypto.hash(ivHash, key) : new Uint8Array(0);
  if (![16, 24, 32].includes(salt.length)) {
    throw new PolyvisorError('unsupported', {
      what: `LUKS initialisation vectors of ${ivHash} are not supported`,
      which: name,
    });
  }
  const blocks = crypto.blocks(salt);
  return (sector, count) => blocks.encrypt(plain(sector, count));
}

function createCbc(key: Uint8Array, vectors: Vectors, crypto: LuksCrypto): SectorCipher {
  const run = (sector: number, data: Uint8Array, encrypt: boolean): void => {
    const ivs = vectors(sector, data.length / SECTOR_BYTES);
    for (let at = 0, iv = 0; at < data.length; at += SECTOR_BYTES, iv += BLOCK_BYTES) {
      const part = data.subarray(at, at + SECTOR_BYTES);
      part.set(crypto.cbc(key, ivs.subarray(iv, iv + BLOCK_BYTES), part, encrypt));
    }
  };
  return {
    encrypt: (sector, data) => run(sector, data, true),
    decrypt: (sector, data) => run(sector, data, false),
  };
}

/**
 * XTS (IEEE 1619) of many sectors with two calls of the block cipher: one for all tweaks, one for all blocks. A call a
 * sector costs five times as much.
 */
function createXts(key: Uint8Array, vectors: Vectors, crypto: LuksCrypto): SectorCipher {
  const data = crypto.blocks(key.subarray(0, key.length / 2));
  const tweak = crypto.blocks(key.subarray(key.length / 2));
  const run = (sector: number, bytes: Uint8Array, transform: (data: Uint8Array) => Uint8Array): void => {
    const sectors = bytes.length / SECTOR_BYTES;
    const first = tweak.encrypt(vectors(sector, sectors));
    const tweaks = expandTweaks(first, sectors);
    const work = new Uint8Array(bytes.length);
    work.set(bytes);
    const words = new Uint32Array(work.buffer);
    for (let i = 0; i < words.length; i++) words[i]! ^= tweaks[i]!;
    work.set(transform(work));
    for (let i = 0; i < words.length; i++) words[i]! ^= tweaks[i]!;
    bytes.set(work);
  };
  return {
    encrypt: (sector, bytes) => run(sector, bytes, data.encrypt),
    decrypt: (sector, bytes) => run(sector, bytes, data.decrypt),
  };
}

/** A tweak for each block: from one to the next they are multiplied by x in GF(2^128). */
function expandTweaks(first: Uint8Array, sectors: number): Uint32Array {
  const tweaks = new Uint32Array(sectors * WORDS_PER_SECTOR);
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  for (let sector = 0; sector < sectors; sector++) {
    let a = view.getUint32(sector * BLOCK_BYTES, true);
    let b = view.getUint32(sector * BLOCK_BYTES + 4, true);
    let c = view.getUint32(sector * BLOCK_BYTES + 8, true);
    let d = view.getUint32(sector * BLOCK_BYTES + 12, true);
    const end = (sector + 1) * WORDS_PER_SECTOR;
    for (let at = sector * WORDS_PER_SECTOR; at < end; at += 4) {
      tweaks[at] = a;
      tweaks[at + 1] = b;
      tweaks[at + 2] = c;
      tweaks[at + 3] = d;
      const carry = d >>> 31;
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ (carry * 0x87);
    }
  }
  return tweaks;
}
