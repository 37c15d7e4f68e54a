import type { Json, OptionValue } from '../graph/format-node.ts';

/**
 * What the data of an encrypted image goes through. Works in place, on whole sectors of 512 bytes.
 */
export interface ClusterCipher {
  /** What sectors are numbered by: their offset in the image file (LUKS), or in the disk (the old AES method). */
  readonly numbering: 'host' | 'guest';
  /** Bytes that are decrypted on their own; 512 if absent. */
  readonly sectorBytes?: number;
  encrypt(offset: number, data: Uint8Array): void | Promise<void>;
  decrypt(offset: number, data: Uint8Array): void | Promise<void>;
  /** Changes passwords, by options `encrypt.…`. */
  amend?(values: Readonly<Record<string, OptionValue>>, force: boolean): Promise<void>;
}

/** Where the encryption's own header lies in the image. */
export interface CipherHeader {
  readonly length: number;
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
  flush(): Promise<void>;
}

/** Opens an image's encryption: put in by whoever can (`luks`). @throws PolyvisorError `permission`: wrong key. */
export type OpenCipher = (header: CipherHeader) => Promise<ClusterCipher>;

/** What the encryption's header says, under QEMU's names; needs no key. */
export type DescribeCipher = (header: CipherHeader) => Promise<{ readonly [name: string]: Json }>;

/** Makes an image's encryption: the header's bytes, to be stored in the image. */
export type CreateCipher = () => Promise<Uint8Array>;
