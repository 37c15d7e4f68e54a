import { luksCrypto } from '#luks-crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../graph/driver.ts';
import { amendLuks } from './amend-luks.ts';
import type { LuksHeader } from './luks-header.ts';
import { HEADER_BYTES, parseLuksHeader } from './luks-header.ts';
import type { HeaderStorage } from './luks-keys.ts';
import { checkHash, unlockKey } from './luks-keys.ts';
import { LuksNode } from './luks-node.ts';
import { createSectorCipher, parseCipherMode } from './sector-cipher.ts';

/** Reads and checks a header. @param bytes what the storage holds of it. */
export async function readLuksHeader(
  storage: HeaderStorage,
  bytes: number,
  name: string,
): Promise<LuksHeader> {
  const head = new Uint8Array(Math.min(HEADER_BYTES, bytes));
  await storage.read(0, head);
  const header = parseLuksHeader(head, name);
  if (
    header.slots.some((slot) => slot.active && slot.materialOffset + header.keyBytes * slot.stripes > bytes)
  ) {
    throw new PolyvisorError('corrupt', { what: 'LUKS key material lies beyond the end', which: name });
  }
  return header;
}

/**
 * Opens a LUKS image, version 1.
 * @throws PolyvisorError `corrupt`, `unsupported` (version, cipher, hash), `permission` (password), `invalid-argument`
 * (no LUKS, no password given), `not-found` (secret), `limit` (iterations)
 */
export async function openLuks(
  file: BlockNode,
  { readOnly, values, purpose = 'io' }: FormatOpenOptions,
  context: OpenContext,
): Promise<LuksNode> {
  const { name } = context;
  const storage: HeaderStorage = {
    read: (offset, target) => file.read(offset, target),
    write: (offset, source) => file.write(offset, source),
  };
  const header = await readLuksHeader(storage, file.size, name);
  if (header.payloadOffset > file.size) {
    throw new PolyvisorError('corrupt', {
      what: 'LUKS payload begins beyond the end of the file',
      which: name,
    });
  }
  const mode = parseCipherMode(header.cipherName, header.cipherMode, header.keyBytes, name);
  if (purpose === 'info' || purpose === 'check') {
    return new LuksNode({ file, header, readOnly, cipher: undefined, amend: refuse });
  }
  const id = values['key-secret'];
  if (typeof id !== 'string') {
    throw new PolyvisorError('invalid-argument', {
      what: "Parameter 'key-secret' is required for cipher",
    });
  }
  checkHash(header, luksCrypto, name);
  const key = await unlockKey(header, storage, await context.secret(id), luksCrypto, name);
  const cipher = createSectorCipher(mode, key, luksCrypto, name);
  return new LuksNode({
    file,
    header,
    readOnly,
    cipher,
    amend: (changes) =>
      amendLuks(
        { header, key, storage, name, secret: (wanted) => context.secret(wanted), flush: () => file.flush() },
        changes,
        { force: changes['force'] === true },
      ),
  });
}

async function refuse(): Promise<void> {
  throw new PolyvisorError('permission', { what: 'disk was opened without its key' });
}
