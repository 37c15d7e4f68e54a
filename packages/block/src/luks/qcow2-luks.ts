import { luksCrypto } from '#luks-crypto';
import type { FormatCreateOptions, OpenContext } from '../graph/driver.ts';
import type { CipherHeader, ClusterCipher, CreateCipher } from '../qcow2/cluster-cipher.ts';
import type { Json } from '../graph/format-node.ts';
import { amendLuks } from './amend-luks.ts';
import { makeLuks } from './create-luks.ts';
import { describeLuks } from './describe-luks.ts';
import { SECTOR_BYTES } from './luks-header.ts';
import { unlockKey } from './luks-keys.ts';
import { readLuksHeader } from './open-luks.ts';
import { createSectorCipher, parseCipherMode } from './sector-cipher.ts';

/** Opens the LUKS encryption of a qcow2 image: sectors are numbered by where they lie in the file. */
export async function openQcow2Luks(
  storage: CipherHeader,
  password: Uint8Array,
  { name, secret }: Pick<OpenContext, 'name' | 'secret'>,
): Promise<ClusterCipher> {
  const header = await readLuksHeader(storage, storage.length, name);
  const mode = parseCipherMode(header.cipherName, header.cipherMode, header.keyBytes, name);
  const key = await unlockKey(header, storage, password, luksCrypto, name);
  const cipher = createSectorCipher(mode, key, luksCrypto, name);
  return {
    numbering: 'host',
    encrypt: (offset, data) => cipher.encrypt(offset / SECTOR_BYTES, data),
    decrypt: (offset, data) => cipher.decrypt(offset / SECTOR_BYTES, data),
    amend: (values, force) =>
      amendLuks({ header, key, storage, name, secret, flush: storage.flush }, values, {
        force,
        prefix: 'encrypt.',
      }),
  };
}

/** What the header says. */
export async function describeQcow2Luks(storage: CipherHeader): Promise<{ readonly [name: string]: Json }> {
  return describeLuks(await readLuksHeader(storage, storage.length, 'qcow2'));
}

/** Makes the LUKS header of a qcow2 image, by its `encrypt.` options. */
export function createQcow2Luks({ values }: FormatCreateOptions, context: OpenContext): CreateCipher {
  return () => makeLuks(values, 'encrypt.', context);
}
