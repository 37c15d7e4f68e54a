import { createCipheriv, createDecipheriv, getHashes, hash, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { BlockCipher, LuksCrypto } from '../../luks/luks-crypto.ts';

const derive = promisify(pbkdf2);

/** OpenSSL's, through Node. */
export const luksCrypto: LuksCrypto = {
  hasHash: (name) => getHashes().includes(name),
  hash: (name, data) => hash(name, data, 'buffer'),
  pbkdf2: (name, password, salt, iterations, length) => derive(password, salt, iterations, length, name),
  blocks: (key) => createBlockCipher(key),
  cbc: (key, iv, data, encrypt) => {
    const name = `aes-${key.length * 8}-cbc`;
    const cipher = encrypt ? createCipheriv(name, key, iv) : createDecipheriv(name, key, iv);
    return cipher.setAutoPadding(false).update(data);
  },
  random: (length) => randomBytes(length),
};

function createBlockCipher(key: Uint8Array): BlockCipher {
  const name = `aes-${key.length * 8}-ecb`;
  // Without padding and chaining they keep nothing between calls.
  const encryptor = createCipheriv(name, key, null).setAutoPadding(false);
  const decryptor = createDecipheriv(name, key, null).setAutoPadding(false);
  return {
    encrypt: (data) => encryptor.update(data),
    decrypt: (data) => decryptor.update(data),
  };
}
