import { PolyvisorError } from '@polyvisor/contracts';

/** Bytes of the header without key material. */
export const HEADER_BYTES = 592;
/** Sectors and key material are counted in these. */
export const SECTOR_BYTES = 512;
export const SLOTS = 8;
/** The format's only value. */
export const STRIPES = 4000;
export const DIGEST_BYTES = 20;
export const SALT_BYTES = 32;
/** The first key slot's material; QEMU and cryptsetup align all of them so. */
export const MATERIAL_ALIGNMENT = 4096;

const MAGIC = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe];
const ACTIVE = 0x00ac71f3;
const INACTIVE = 0x0000dead;
const SLOT_START = 208;
const SLOT_BYTES = 48;
/** Half a minute for a slot on a slow machine: an image must not keep its reader busy for days. */
const MOST_ITERATIONS = 2 ** 26;
const MOST_KEY_BYTES = 64;

/** A place for a key. */
export interface KeySlot {
  active: boolean;
  iterations: number;
  salt: Uint8Array;
  /** Bytes from the header's start. */
  readonly materialOffset: number;
  readonly stripes: number;
}

/** LUKS version 1's header (LUKS on-disk format 1.2, section 3.2). */
export interface LuksHeader {
  /** `aes` */
  readonly cipherName: string;
  /** `xts-plain64`, `cbc-essiv:sha256` */
  readonly cipherMode: string;
  readonly hash: string;
  /** Bytes from the header's start to the data. */
  readonly payloadOffset: number;
  readonly keyBytes: number;
  readonly digest: Uint8Array;
  readonly digestSalt: Uint8Array;
  readonly digestIterations: number;
  readonly uuid: string;
  readonly slots: readonly KeySlot[];
}

/** Sectors that a split key takes. */
export function materialBytes(keyBytes: number): number {
  return Math.ceil((keyBytes * STRIPES) / MATERIAL_ALIGNMENT) * MATERIAL_ALIGNMENT;
}

/** Whether a file begins like LUKS, version 1. */
export function isLuks(head: Uint8Array): boolean {
  return head.length >= 8 && MAGIC.every((byte, at) => head[at] === byte) && head[6] === 0 && head[7] === 1;
}

/** @throws PolyvisorError `corrupt`, `unsupported` (version), `invalid-argument` (not LUKS), `limit` */
export function parseLuksHeader(bytes: Uint8Array, name: string): LuksHeader {
  const refuse = (what: string, code: 'corrupt' | 'unsupported' | 'limit' = 'corrupt'): never => {
    throw new PolyvisorError(code, { what, which: name });
  };
  if (bytes.length < 8 || !MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw new PolyvisorError('invalid-argument', { what: 'Volume is not in LUKS format', which: name });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(6);
  if (version !== 1) refuse(`LUKS version ${version} is not supported`, 'unsupported');
  if (bytes.length < HEADER_BYTES) refuse('LUKS header is cut off');
  const text = (at: number, length: number, what: string): string => {
    const end = bytes.indexOf(0, at);
    if (end < 0 || end >= at + length) return refuse(`LUKS header ${what} is not NUL terminated`);
    return String.fromCharCode(...bytes.subarray(at, end));
  };
  const keyBytes = view.getUint32(108);
  if (keyBytes === 0 || keyBytes > MOST_KEY_BYTES) refuse('LUKS key length is out of range');
  const payloadOffset = view.getUint32(104) * SECTOR_BYTES;
  const digestIterations = view.getUint32(164);
  checkIterations(digestIterations, 'key digest', refuse);
  const slots: KeySlot[] = [];
  for (let index = 0; index < SLOTS; index++) {
    const at = SLOT_START + index * SLOT_BYTES;
    const state = view.getUint32(at);
    if (state !== ACTIVE && state !== INACTIVE) refuse(`Keyslot ${index} state is corrupted`);
    const active = state === ACTIVE;
    const iterations = view.getUint32(at + 4);
    if (active) checkIterations(iterations, `keyslot ${index}`, refuse);
    const materialOffset = view.getUint32(at + 40) * SECTOR_BYTES;
    const stripes = view.getUint32(at + 44);
    const end = materialOffset + materialSectors(keyBytes) * SECTOR_BYTES;
    if (stripes !== STRIPES) refuse(`Keyslot ${index} is corrupted (stripes ${stripes} != ${STRIPES})`);
    if (materialOffset < HEADER_BYTES) refuse(`Keyslot ${index} is overlapping the LUKS header`);
    if (payloadOffset > 0 && end > payloadOffset)
      refuse(`Keyslot ${index} is overlapping with the encrypted payload`);
    const other = slots.findIndex(
      (slot) =>
        materialOffset < slot.materialOffset + materialSectors(keyBytes) * SECTOR_BYTES &&
        slot.materialOffset < end,
    );
    if (other >= 0) refuse(`Keyslots ${other} and ${index} are overlapping in the header`);
    slots.push({ active, iterations, salt: bytes.slice(at + 8, at + 40), materialOffset, stripes });
  }
  return {
    cipherName: text(8, 32, 'cipher name'),
    cipherMode: text(40, 32, 'cipher mode'),
    hash: text(72, 32, 'hash'),
    payloadOffset,
    keyBytes,
    digest: bytes.slice(112, 132),
    digestSalt: bytes.slice(132, 164),
    digestIterations,
    uuid: text(168, 40, 'UUID'),
    slots,
  };
}

function materialSectors(keyBytes: number): number {
  return Math.ceil((keyBytes * STRIPES) / SECTOR_BYTES);
}

function checkIterations(
  iterations: number,
  what: string,
  refuse: (what: string, code?: 'corrupt' | 'limit') => never,
): void {
  if (iterations === 0) refuse(`LUKS ${what} has no iterations`);
  if (iterations > MOST_ITERATIONS)
    refuse(`LUKS ${what} asks for ${iterations} iterations, more than ${MOST_ITERATIONS}`, 'limit');
}

/** The header's bytes. */
export function serializeLuksHeader(header: LuksHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const put = (at: number, text: string): void => bytes.set(new TextEncoder().encode(text), at);
  bytes.set(MAGIC);
  view.setUint16(6, 1);
  put(8, header.cipherName);
  put(40, header.cipherMode);
  put(72, header.hash);
  view.setUint32(104, header.payloadOffset / SECTOR_BYTES);
  view.setUint32(108, header.keyBytes);
  bytes.set(header.digest, 112);
  bytes.set(header.digestSalt, 132);
  view.setUint32(164, header.digestIterations);
  put(168, header.uuid);
  for (const [index, slot] of header.slots.entries()) {
    const at = SLOT_START + index * SLOT_BYTES;
    view.setUint32(at, slot.active ? ACTIVE : INACTIVE);
    view.setUint32(at + 4, slot.iterations);
    bytes.set(slot.salt, at + 8);
    view.setUint32(at + 40, slot.materialOffset / SECTOR_BYTES);
    view.setUint32(at + 44, slot.stripes);
  }
  return bytes;
}
