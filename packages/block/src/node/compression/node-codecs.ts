import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { CompressionCodecs } from '../../compression/compression-codecs.ts';
import { zstdFrameLength } from '../../compression/zstd-frame.ts';

type Run = (source: Uint8Array, options: zlib.ZlibOptions) => Promise<Uint8Array>;

const inflateRaw = promisify(zlib.inflateRaw) as Run;
const inflate = promisify(zlib.inflate) as Run;
const deflateRaw = promisify(zlib.deflateRaw) as Run;
const deflate = promisify(zlib.deflate) as Run;
const zstdCompress = promisify(zlib.zstdCompress) as (
  source: Uint8Array,
  options: zlib.ZstdOptions,
) => Promise<Uint8Array>;
const zstdDecompress = promisify(zlib.zstdDecompress) as (
  source: Uint8Array,
  options: zlib.ZstdOptions,
) => Promise<Uint8Array>;
const { Z_SYNC_FLUSH } = zlib.constants;
/** As QEMU: 9 is the largest. */
const MEM_LEVEL = 9;

/** Node's zlib, on its thread pool. */
export const compressionCodecs: CompressionCodecs = {
  // A sync flush takes what there is: input may end before the stream does.
  inflateRaw: (source, length) =>
    inflateRaw(source, { finishFlush: Z_SYNC_FLUSH, maxOutputLength: length, chunkSize: chunkOf(length) }),
  inflate: (source, length) =>
    inflate(source, { finishFlush: Z_SYNC_FLUSH, maxOutputLength: length, chunkSize: chunkOf(length) }),
  zstdDecompress: async (source, length) => {
    const frame = zstdFrameLength(source) ?? source.length;
    return zstdDecompress(source.subarray(0, frame), { maxOutputLength: length, chunkSize: chunkOf(length) });
  },
  deflateRaw: (source, windowBits) =>
    deflateRaw(source, { windowBits, memLevel: MEM_LEVEL, chunkSize: chunkOf(source.length) }),
  deflate: (source) => deflate(source, { memLevel: MEM_LEVEL, chunkSize: chunkOf(source.length) }),
  // Told the size, it takes tables for that size only.
  zstdCompress: (source) =>
    zstdCompress(source, { pledgedSrcSize: source.length, chunkSize: chunkOf(source.length) }),
};

/** One chunk for all that comes out. */
function chunkOf(length: number): number {
  return Math.max(64, length);
}
