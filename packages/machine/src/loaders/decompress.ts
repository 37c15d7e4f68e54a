import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ImageFile } from './image-file.ts';
import { imageFromBytes } from './image-file.ts';

type Codec = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

const CODECS: readonly {
  readonly name: string;
  readonly magic: readonly number[];
  readonly codec?: Codec;
}[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], codec: gunzipSync },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], codec: zstdDecompressSync },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68] },
  { name: 'lz4', magic: [0x02, 0x21, 0x4c, 0x18] },
  { name: 'lz4', magic: [0x04, 0x22, 0x4d, 0x18] },
  { name: 'lzma', magic: [0x5d, 0x00, 0x00] },
  { name: 'lzop', magic: [0x89, 0x4c, 0x5a, 0x4f] },
];

/** Images unpack to tens of megabytes; more than this is a bomb or no kernel. */
const MAX_UNPACKED = 0x4000_0000;

/** An EFI zboot image: a PE stub with a compressed kernel. Source: Linux, drivers/firmware/efi/libstub/zboot-header.S. */
const ZBOOT = { magicAt: 4, payloadAt: 8, sizeAt: 12, codecAt: 24, codecLength: 32, headerSize: 64 } as const;

/**
 * The image inside a gzip, zstd or EFI zboot wrapping; the same file if there is none.
 * @throws PolyvisorError `corrupt` for a damaged wrapping, `unsupported` for other compressions.
 */
export function unwrapImage(file: ImageFile): ImageFile {
  const head = new Uint8Array(Math.min(ZBOOT.headerSize, file.size));
  file.read(0, head);
  if (isZboot(head)) return unwrapZboot(file, head);
  const wrapping = CODECS.find(({ magic }) => magic.every((byte, index) => head[index] === byte));
  if (wrapping === undefined) return file;
  return unpack(file, wrapping.name, wrapping.codec, 0, file.size);
}

function isZboot(head: Uint8Array): boolean {
  const text = String.fromCharCode(...head.subarray(0, 8));
  return head.length === ZBOOT.headerSize && text.startsWith('MZ') && text.endsWith('zimg');
}

function unwrapZboot(file: ImageFile, head: Uint8Array): ImageFile {
  const view = new DataView(head.buffer);
  const offset = view.getUint32(ZBOOT.payloadAt, true);
  const size = view.getUint32(ZBOOT.sizeAt, true);
  if (offset + size > file.size) {
    throw new PolyvisorError('corrupt', {
      what: `bad EFI zboot image as ${file.role}`,
      which: file.path,
      limit: 'truncated',
    });
  }
  const codecName =
    String.fromCharCode(...head.subarray(ZBOOT.codecAt, ZBOOT.codecAt + ZBOOT.codecLength)).split('\0')[0] ??
    '';
  // Kernels call their zstd `zstd22`, after its level.
  const wrapping = CODECS.find(({ name }) => codecName.startsWith(name));
  return unpack(file, codecName, wrapping?.codec, offset, size);
}

function unpack(
  file: ImageFile,
  name: string,
  codec: Codec | undefined,
  offset: number,
  size: number,
): ImageFile {
  if (codec === undefined) {
    throw new PolyvisorError('unsupported', {
      what: `${file.role} is compressed with ${name}`,
      which: file.path,
      hint: 'decompress it first',
    });
  }
  const packed = new Uint8Array(size);
  file.read(offset, packed);
  try {
    return imageFromBytes(file.role, file.path, codec(packed, { maxOutputLength: MAX_UNPACKED }));
  } catch (cause) {
    throw new PolyvisorError('corrupt', {
      what: `can't decompress ${file.role}`,
      which: file.path,
      limit: `${name} data is damaged or truncated`,
      cause,
    });
  }
}
