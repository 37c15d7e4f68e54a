const MAGIC = 0xfd2fb528;
/** RFC 8878, 3.1.1.1: bytes of the frame content size by its flag, of the dictionary id by its flag. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_BYTES = [0, 1, 2, 4];
const RLE_BLOCK = 1;

/**
 * Bytes of the zstd frame that `source` begins with (RFC 8878, 3.1.1): decompressors take what follows it for
 * another one.
 * @returns undefined: it doesn't begin with a whole frame.
 */
export function zstdFrameLength(source: Uint8Array): number | undefined {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  if (source.length < 6 || view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = source[4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  let at = 5 + (singleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]! + sizeBytes;
  for (;;) {
    if (at + 3 > source.length) return undefined;
    const block = source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16);
    at += 3 + (((block >>> 1) & 3) === RLE_BLOCK ? 1 : block >>> 3);
    if (at > source.length) return undefined;
    if ((block & 1) !== 0) break;
  }
  if ((descriptor & 4) !== 0) at += 4;
  return at > source.length ? undefined : at;
}
