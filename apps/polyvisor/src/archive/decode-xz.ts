import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { PolyvisorError } from '@polyvisor/contracts';
import { Crc64 } from './crc64.ts';
import { Lzma2Decoder, type ByteSource } from './lzma2-decoder.ts';

const STREAM_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FILTER_LZMA2 = 0x21;
/** `xz -9` uses 64 MiB; a bigger dictionary is no archive that this project reads. */
const DICTIONARY_LIMIT = 64 << 20;

interface Checker {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

/** By the stream header's check id (xz file format 1.2.1, section 2.1.1.2). */
const CHECKERS: Readonly<Record<number, { readonly size: number; readonly create: () => Checker }>> = {
  0: { size: 0, create: () => ({ update() {}, digest: () => new Uint8Array(0) }) },
  1: { size: 4, create: createCrc32 },
  4: { size: 8, create: () => new Crc64() },
  10: { size: 32, create: createSha256 },
};

/**
 * Decodes an .xz file of one or more streams, yielding pieces of about 1 MiB that are valid until the next step.
 * `source.ended()` tells whether another stream follows. Errors: `corrupt`; `unsupported` for filters other than LZMA2.
 * Source: "The .xz File Format" 1.2.1.
 */
export function* decodeXz(source: ByteSource & { ended(): boolean }): Generator<Uint8Array, void, undefined> {
  do {
    const header = Uint8Array.from(source.take(12));
    if (STREAM_MAGIC.some((byte, i) => header[i] !== byte)) throw corrupt('not an .xz file');
    if (crc32(header.subarray(6, 8)) !== u32(header, 8)) throw corrupt('stream header checksum differs');
    const check = CHECKERS[header[7]! & 0x0f];
    if (header[6] !== 0 || check === undefined) throw unsupported(`integrity check ${header[7]!}`);
    for (;;) {
      const sizeByte = source.take(1)[0]!;
      if (sizeByte === 0) break;
      yield* decodeBlock(source, sizeByte, check.size, check.create());
    }
    skipIndexAndFooter(source);
  } while (!source.ended());
}

/** Decodes a whole .xz file in memory. */
export function decodeXzBytes(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const piece of decodeXz(bytesSource(bytes))) pieces.push(Uint8Array.from(piece));
  return pieces.length === 1 ? pieces[0]! : new Uint8Array(Buffer.concat(pieces));
}

/** A {@link ByteSource} over bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource & { ended(): boolean } {
  let position = 0;
  return {
    take(length) {
      if (position + length > bytes.length) throw corrupt('the file ends too early');
      position += length;
      return bytes.subarray(position - length, position);
    },
    ended: () => position >= bytes.length,
  };
}

function* decodeBlock(
  source: ByteSource,
  sizeByte: number,
  checkSize: number,
  checker: Checker,
): Generator<Uint8Array, void, undefined> {
  const header = new Uint8Array((sizeByte + 1) * 4);
  header[0] = sizeByte;
  header.set(source.take(header.length - 1), 1);
  if (crc32(header.subarray(0, -4)) !== u32(header, header.length - 4))
    throw corrupt('block header checksum differs');
  const dictionarySize = parseBlockHeader(header);

  let packed = 0;
  const counting: ByteSource = {
    take(length) {
      packed += length;
      return source.take(length);
    },
  };
  for (const piece of new Lzma2Decoder(counting, dictionarySize).decode()) {
    checker.update(piece);
    yield piece;
  }
  source.take(-packed & 3);
  const expected = source.take(checkSize);
  if (checker.digest().some((byte, i) => byte !== expected[i])) throw corrupt('data checksum differs');
}

/** Returns the dictionary size. */
function parseBlockHeader(header: Uint8Array): number {
  const fields = bytesSource(header.subarray(2, -4));
  const flags = header[1]!;
  if ((flags & 0x3f) !== 0) throw unsupported('more than one filter');
  if (flags & 0x40) readVli(fields);
  if (flags & 0x80) readVli(fields);
  const filter = readVli(fields);
  if (filter !== FILTER_LZMA2) throw unsupported(`filter 0x${filter.toString(16)}`);
  if (readVli(fields) !== 1) throw corrupt('LZMA2 properties have a wrong size');
  const bits = fields.take(1)[0]!;
  if (bits > 40) throw corrupt('impossible dictionary size');
  const size = bits === 40 ? 0xffffffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (size > DICTIONARY_LIMIT) throw unsupported(`dictionary of ${size} bytes, at most ${DICTIONARY_LIMIT}`);
  return size;
}

/** Variable-length integer, seven bits a byte (section 1.2). */
function readVli(source: ByteSource): number {
  let value = 0;
  for (let i = 0; i < 7; i++) {
    const byte = source.take(1)[0]!;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value;
  }
  throw corrupt('an integer is too long');
}

function skipIndexAndFooter(source: ByteSource): void {
  let size = 1;
  const counting: ByteSource = {
    take(length) {
      size += length;
      return source.take(length);
    },
  };
  const records = readVli(counting);
  for (let i = 0; i < records * 2; i++) readVli(counting);
  source.take((-size & 3) + 4);
  const footer = source.take(12);
  if (footer[10] !== 0x59 || footer[11] !== 0x5a) throw corrupt('stream footer is missing');
}

function createCrc32(): Checker {
  let value = 0;
  return {
    update(bytes) {
      value = crc32(bytes, value);
    },
    digest: () => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24),
  };
}

function createSha256(): Checker {
  const hash = createHash('sha256');
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => hash.digest(),
  };
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function corrupt(detail: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: "can't read .xz data", limit: detail });
}

function unsupported(detail: string): PolyvisorError {
  return new PolyvisorError('unsupported', { what: "can't read .xz data", limit: detail });
}
