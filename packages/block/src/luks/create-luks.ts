import { luksCrypto } from '#luks-crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions, OpenContext, OptionValues } from '../graph/driver.ts';
import { formatUuid } from '../sparse/uuid.ts';
import type { LuksHeader } from './luks-header.ts';
import {
  DIGEST_BYTES,
  MATERIAL_ALIGNMENT,
  materialBytes,
  SALT_BYTES,
  serializeLuksHeader,
  SLOTS,
  STRIPES,
} from './luks-header.ts';
import { calibrate, checkHash, fillSlot } from './luks-keys.ts';
import { parseCipherMode } from './sector-cipher.ts';

const KEY_BITS: Readonly<Record<string, number>> = { 'aes-128': 128, 'aes-192': 192, 'aes-256': 256 };
/** The digest of the key itself gets this part of the slot's iterations, as everywhere. */
const DIGEST_SHARE = 8;

/** How the image is encrypted, checked. */
interface LuksLayout {
  readonly cipherMode: string;
  readonly hash: string;
  readonly keyBytes: number;
  readonly iterMs: number;
  readonly headerBytes: number;
}

/** @param prefix `encrypt.` in qcow2. @throws PolyvisorError `invalid-argument`, `unsupported` */
export function luksLayout(values: OptionValues, prefix: string, name: string): LuksLayout {
  const text = (option: string, otherwise: string): string => String(values[prefix + option] ?? otherwise);
  const refuse = (what: string): never => {
    throw new PolyvisorError('invalid-argument', { what, which: name });
  };
  const cipher = text('cipher-alg', 'aes-256');
  const bits = KEY_BITS[cipher] ?? refuse(`Invalid parameter '${cipher}'`);
  const chaining = text('cipher-mode', 'xts');
  const hash = text('hash-alg', 'sha256');
  const iv = text('ivgen-alg', chaining === 'xts' ? 'plain64' : 'essiv');
  const ivHash = iv === 'essiv' ? `:${text('ivgen-hash-alg', 'sha256')}` : '';
  const cipherMode = `${chaining}-${iv}${ivHash}`;
  const keyBytes = (bits / 8) * (chaining === 'xts' ? 2 : 1);
  parseCipherMode('aes', cipherMode, keyBytes, name);
  const iterMs = Number(values[`${prefix}iter-time`] ?? 2000);
  if (iterMs === 0) refuse('iter-time must be at least 1 ms');
  const headerBytes = MATERIAL_ALIGNMENT + SLOTS * materialBytes(keyBytes);
  return { cipherMode, hash, keyBytes, iterMs, headerBytes };
}

/** A new header with its key material, behind the password. */
export async function makeLuks(
  values: OptionValues,
  prefix: string,
  context: OpenContext,
): Promise<Uint8Array> {
  const { name } = context;
  const { cipherMode, hash, keyBytes, iterMs, headerBytes } = luksLayout(values, prefix, name);
  const secret = values[`${prefix}key-secret`];
  if (typeof secret !== 'string') {
    throw new PolyvisorError('invalid-argument', {
      what: `Parameter '${prefix}key-secret' is required for cipher`,
      which: name,
    });
  }
  const password = await context.secret(secret);
  const crypto = luksCrypto;
  const key = crypto.random(keyBytes);
  const digestSalt = crypto.random(SALT_BYTES);
  const draft = { cipherName: 'aes', cipherMode, hash, keyBytes };
  checkHash(draft as LuksHeader, crypto, name);
  const digestIterations = Math.max(
    1000,
    Math.floor((await calibrate(hash, DIGEST_BYTES, iterMs, crypto)) / DIGEST_SHARE),
  );
  const header: LuksHeader = {
    ...draft,
    payloadOffset: headerBytes,
    digest: await crypto.pbkdf2(hash, key, digestSalt, digestIterations, DIGEST_BYTES),
    digestSalt,
    digestIterations,
    uuid: formatUuid(randomUuid(crypto.random(16))),
    slots: Array.from({ length: SLOTS }, (_, index) => ({
      active: false,
      iterations: 0,
      salt: new Uint8Array(SALT_BYTES),
      materialOffset: MATERIAL_ALIGNMENT + index * materialBytes(keyBytes),
      stripes: STRIPES,
    })),
  };
  const bytes = new Uint8Array(headerBytes);
  const storage = {
    read: async (offset: number, target: Uint8Array): Promise<void> =>
      target.set(bytes.subarray(offset, offset + target.length)),
    write: async (offset: number, source: Uint8Array): Promise<void> => bytes.set(source, offset),
  };
  await fillSlot(header, 0, key, password, iterMs, storage, crypto, name);
  bytes.set(serializeLuksHeader(header));
  return bytes;
}

function randomUuid(bytes: Uint8Array): Uint8Array {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

/** Writes an empty image. */
export async function createLuks(
  file: BlockNode,
  { size, values, signal }: FormatCreateOptions,
  context: OpenContext,
): Promise<void> {
  const bytes = await makeLuks(values, '', context);
  await file.write(0, bytes);
  const preallocation = values['preallocation'] as 'off' | 'metadata' | 'falloc' | 'full' | undefined;
  await file.resize?.(bytes.length + size, {
    preallocation: preallocation ?? 'off',
    ...(signal === undefined ? {} : { signal }),
  });
}
