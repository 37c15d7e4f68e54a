/**
 * Compression of whole buffers. Sizes are known beforehand, and input may be followed by other bytes, as it lies in
 * image files.
 */
export interface CompressionCodecs {
  /**
   * Undoes raw deflate (RFC 1951).
   * @param length stops once so many bytes came out.
   * @returns at most `length` bytes: fewer if the stream ends before.
   */
  inflateRaw(source: Uint8Array, length: number): Promise<Uint8Array>;
  /** Undoes deflate with zlib's header (RFC 1950). */
  inflate(source: Uint8Array, length: number): Promise<Uint8Array>;
  /** Undoes zstd's first frame (RFC 8878). */
  zstdDecompress(source: Uint8Array, length: number): Promise<Uint8Array>;
  /** @param windowBits 8 to 15: what the format's readers give the decompressor. @throws PolyvisorError `unsupported` */
  deflateRaw(source: Uint8Array, windowBits: number): Promise<Uint8Array>;
  /** With zlib's header. @throws PolyvisorError `unsupported` */
  deflate(source: Uint8Array): Promise<Uint8Array>;
  /** @throws PolyvisorError `unsupported` */
  zstdCompress(source: Uint8Array): Promise<Uint8Array>;
}
