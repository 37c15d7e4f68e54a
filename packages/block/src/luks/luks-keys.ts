import { PolyvisorError } from '@polyvisor/contracts';
import { mergeKey, splitKey } from './anti-forensic.ts';
import type { LuksCrypto } from './luks-crypto.ts';
import type { KeySlot, LuksHeader } from './luks-header.ts';
import { DIGEST_BYTES, SALT_BYTES } from './luks-header.ts';
import { createSectorCipher, parseCipherMode } from './sector-cipher.ts';

/** Bytes around a LUKS header: a file's beginning, or a part of a qcow2 image. */
export interface HeaderStorage {
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
}

const SECTOR_BYTES = 512;
const LEAST_ITERATIONS = 1000;

/** @throws PolyvisorError `unsupported` */
export function checkHash(header: LuksHeader, crypto: LuksCrypto, name: string): void {
  if (crypto.hasHash(header.hash)) return;
  throw new PolyvisorError('unsupported', { what: `LUKS hash ${header.hash} is not supported`, which: name });
}

/** Tries the password on all key slots. @throws PolyvisorError `permission` */
export async function unlockKey(
  header: LuksHeader,
  storage: HeaderStorage,
  password: Uint8Array,
  crypto: LuksCrypto,
  name: string,
): Promise<Uint8Array> {
  checkHash(header, crypto, name);
  for (const slot of header.slots) {
    const key = await openSlot(header, slot, storage, password, crypto, name);
    if (key !== undefined) return key;
  }
  throw new PolyvisorError('permission', { what: 'Invalid password, cannot unlock any keyslot' });
}

/** The key in a slot, if the password opens it. */
export async function openSlot(
  header: LuksHeader,
  slot: KeySlot,
  storage: HeaderStorage,
  password: Uint8Array,
  crypto: LuksCrypto,
  name: string,
): Promise<Uint8Array | undefined> {
  if (!slot.active) return undefined;
  const { hash, keyBytes, cipherName, cipherMode } = header;
  const slotKey = await crypto.pbkdf2(hash, password, slot.salt, slot.iterations, keyBytes);
  const material = new Uint8Array(Math.ceil((keyBytes * slot.stripes) / SECTOR_BYTES) * SECTOR_BYTES);
  await storage.read(slot.materialOffset, material);
  const mode = parseCipherMode(cipherName, cipherMode, keyBytes, name);
  createSectorCipher(mode, slotKey, crypto, name).decrypt(0, material);
  const key = mergeKey(material, keyBytes, slot.stripes, hash, crypto);
  const digest = await crypto.pbkdf2(hash, key, header.digestSalt, header.digestIterations, DIGEST_BYTES);
  return digest.every((byte, at) => byte === header.digest[at]) ? key : undefined;
}

/** Puts the key into a slot, behind the password; the header itself is the caller's to write. */
export async function fillSlot(
  header: LuksHeader,
  index: number,
  key: Uint8Array,
  password: Uint8Array,
  iterMs: number,
  storage: HeaderStorage,
  crypto: LuksCrypto,
  name: string,
): Promise<void> {
  const { hash, keyBytes, cipherName, cipherMode } = header;
  const slot = header.slots[index]!;
  slot.salt = crypto.random(SALT_BYTES);
  slot.iterations = await calibrate(hash, keyBytes, iterMs, crypto);
  const slotKey = await crypto.pbkdf2(hash, password, slot.salt, slot.iterations, keyBytes);
  const material = new Uint8Array(Math.ceil((keyBytes * slot.stripes) / SECTOR_BYTES) * SECTOR_BYTES);
  material.set(splitKey(key, slot.stripes, hash, crypto));
  const mode = parseCipherMode(cipherName, cipherMode, keyBytes, name);
  createSectorCipher(mode, slotKey, crypto, name).encrypt(0, material);
  await storage.write(slot.materialOffset, material);
  slot.active = true;
}

/** Iterations of PBKDF2 that take about `ms` here; at least 1000 (NIST SP 800-132). */
export async function calibrate(
  hash: string,
  keyBytes: number,
  ms: number,
  crypto: LuksCrypto,
): Promise<number> {
  const salt = new Uint8Array(SALT_BYTES);
  for (let iterations = 4096; ; iterations *= 2) {
    const begun = performance.now();
    await crypto.pbkdf2(hash, salt, salt, iterations, keyBytes);
    const took = performance.now() - begun;
    if (took < 10) continue;
    // The format's field holds 32 bits, and readers have limits as we have.
    return Math.min(Math.max(LEAST_ITERATIONS, Math.floor((iterations * ms) / took)), 2 ** 25);
  }
}
