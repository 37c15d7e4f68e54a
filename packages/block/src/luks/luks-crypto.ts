/** Primitives that LUKS is made of. */
export interface LuksCrypto {
  /** Whether this hash is there: `sha256`. */
  hasHash(name: string): boolean;
  hash(name: string, data: Uint8Array): Uint8Array;
  /** PBKDF2 with HMAC (RFC 8018), beside the caller's thread. */
  pbkdf2(
    hash: string,
    password: Uint8Array,
    salt: Uint8Array,
    iterations: number,
    length: number,
  ): Promise<Uint8Array>;
  /** AES on blocks of 16 bytes, each by itself. @param key 16, 24 or 32 bytes. */
  blocks(key: Uint8Array): BlockCipher;
  /** AES-CBC on one run of blocks. */
  cbc(key: Uint8Array, iv: Uint8Array, data: Uint8Array, encrypt: boolean): Uint8Array;
  random(length: number): Uint8Array;
}

/** Any number of blocks at once; the result is the caller's. */
export interface BlockCipher {
  encrypt(data: Uint8Array): Uint8Array;
  decrypt(data: Uint8Array): Uint8Array;
}
