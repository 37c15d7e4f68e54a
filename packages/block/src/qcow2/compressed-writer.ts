import { ClusterLookup, NORMAL, UNALLOCATED } from './cluster-lookup.ts';
import type { Qcow2Parts } from './qcow2-node.ts';
import { COMPRESSED } from './qcow2-format.ts';
import { PolyvisorError } from '@polyvisor/contracts';

/** Readers' decompressors keep so much: 2 to this power bytes. */
const WINDOW_BITS = 12;

/** Writes whole clusters compressed, several into one cluster of the file. */
export class CompressedWriter {
  readonly #p: Qcow2Parts;
  readonly #lookup: ClusterLookup;

  constructor(parts: Qcow2Parts) {
    this.#p = parts;
    this.#lookup = new ClusterLookup(parts.image);
  }

  /** @throws PolyvisorError `invalid-argument`: no whole cluster. `unsupported`: this image can't. */
  async write(offset: number, source: Uint8Array): Promise<void> {
    const { image, writer } = this.#p;
    const { clusterSize, header } = image;
    if (image.hasDataFile || image.cipher !== undefined) {
      throw new PolyvisorError('unsupported', {
        what: image.hasDataFile
          ? 'images with an external data file have no compressed clusters'
          : 'encrypted images have no compressed clusters',
        which: image.name,
      });
    }
    const atEnd = offset + source.length === header.size && source.length < clusterSize;
    if (offset % clusterSize !== 0 || (source.length !== clusterSize && !atEnd)) {
      if (source.length > clusterSize && offset % clusterSize === 0) {
        for (let at = 0; at < source.length; at += clusterSize) {
          await this.write(offset + at, source.subarray(at, at + clusterSize));
        }
        return;
      }
      throw new PolyvisorError('invalid-argument', {
        what: 'compressed writes must be whole clusters',
        which: image.name,
        limit: `${clusterSize} bytes`,
      });
    }
    const compressed = await this.#compress(source);
    if (compressed.length >= clusterSize) return writer.write(offset, source);
    await this.#store(offset, source, compressed);
  }

  async #compress(source: Uint8Array): Promise<Uint8Array> {
    const { image, codecs } = this.#p;
    let cluster = source;
    if (source.length < image.clusterSize) {
      cluster = new Uint8Array(image.clusterSize);
      cluster.set(source);
    }
    return image.header.compressionType === 'zstd'
      ? codecs.zstdCompress(cluster)
      : codecs.deflateRaw(cluster, WINDOW_BITS);
  }

  async #store(offset: number, source: Uint8Array, compressed: Uint8Array): Promise<void> {
    const { image, tables, inFlight, writer, compressed: cached } = this.#p;
    const { clusterSize, header, allocator, file } = image;
    const cluster = offset / clusterSize;
    for (;;) {
      const blocked = inFlight.blocking(cluster, cluster + 1);
      if (blocked !== undefined) await blocked;
      else if (!this.#lookup.find(offset, source.length)) await image.cache.load(this.#lookup.missing);
      else if (!tables.isWritable(offset)) await tables.ensureWritable(offset);
      else break;
    }
    // What has its place keeps it: overwriting it is cheaper than moving it.
    if (this.#lookup.kind === NORMAL && this.#lookup.copied) return writer.write(offset, source);
    const unallocated = this.#lookup.kind === UNALLOCATED;
    const done = inFlight.begin(cluster, cluster + 1);
    try {
      const { offset: host, generation } = await allocator.allocateBytes(compressed.length);
      const offsetBits = 62 - (header.clusterBits - 8);
      if (host >= 2 ** Math.min(offsetBits, 53)) {
        throw new PolyvisorError('limit', {
          what: 'image is too large for compressed clusters',
          which: image.name,
        });
      }
      const end = host + compressed.length - 1;
      image.checkHostWrite(host, compressed.length);
      await file.write(host, compressed);
      // A lost write must not show what lay there before; a file that has just grown shows zeroes, which don't decompress.
      image.writer.dependOnData();
      image.writer.dependOn(generation);
      const sectors = Math.floor(end / 512) - Math.floor(host / 512);
      cached.forget();
      let place = tables.peek(offset);
      while (place === undefined) {
        await tables.load(offset);
        place = tables.peek(offset);
      }
      if (!unallocated) tables.freeOld(place.slice, place.index, 'other');
      const high = (COMPRESSED | Math.floor(host / 0x1_0000_0000) | (sectors << (offsetBits - 32))) >>> 0;
      tables.set(place.slice, place.index, high, host >>> 0, 0, 0);
    } finally {
      done();
    }
    await image.writer.commit();
  }
}
