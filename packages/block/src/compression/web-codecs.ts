import { PolyvisorError } from '@polyvisor/contracts';
import type { CompressionCodecs } from './compression-codecs.ts';
import { inflateRaw } from './inflate.ts';

function missing(what: string): Promise<never> {
  return Promise.reject(
    new PolyvisorError('unsupported', {
      what: `${what} is not available here`,
      hint: 'do it with the command on Node',
    }),
  );
}

/** What can be done with the language alone: reading deflate. */
export const compressionCodecs: CompressionCodecs = {
  inflateRaw: async (source, length) => inflateRaw(source, length),
  // Two bytes of header; the checksum behind is not needed where the length is known.
  inflate: async (source, length) => inflateRaw(source.subarray(2), length),
  zstdDecompress: () => missing('zstd'),
  deflateRaw: () => missing('compressing'),
  deflate: () => missing('compressing'),
  zstdCompress: () => missing('zstd'),
};
