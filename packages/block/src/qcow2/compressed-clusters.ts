import { PolyvisorError } from '@polyvisor/contracts';
import type { CompressionCodecs } from '../compression/compression-codecs.ts';
import type { Qcow2Image } from './qcow2-image.ts';

/** Decompressed clusters that are kept: sequential reads smaller than a cluster would decompress it again and again. */
const KEPT_BYTES = 1024 * 1024;

/** Reads compressed clusters. */
export class CompressedClusters {
  readonly #image: Qcow2Image;
  readonly #codecs: CompressionCodecs;
  readonly #kept = new Map<number, Promise<Uint8Array>>();
  readonly #maxKept: number;

  constructor(image: Qcow2Image, codecs: CompressionCodecs) {
    this.#image = image;
    this.#codecs = codecs;
    this.#maxKept = Math.max(1, KEPT_BYTES / image.clusterSize);
  }

  /** @param bytes of compressed data, at most. @throws PolyvisorError `corrupt`: it can't be decompressed. */
  async read(host: number, bytes: number, inCluster: number, target: Uint8Array): Promise<void> {
    const cluster = await this.#cluster(host, bytes, target.length);
    target.set(cluster.subarray(inCluster, inCluster + target.length));
  }

  #cluster(host: number, bytes: number, wanted: number): Promise<Uint8Array> {
    let cluster = this.#kept.get(host);
    if (cluster !== undefined) return cluster;
    cluster = this.#decompress(host, bytes);
    if (wanted === this.#image.clusterSize) return cluster;
    this.#kept.set(host, cluster);
    if (this.#kept.size > this.#maxKept) this.#kept.delete(this.#kept.keys().next().value!);
    cluster.catch(() => this.#kept.delete(host));
    return cluster;
  }

  /** Compressed clusters have been written or freed: another may lie in the same place now. */
  forget(): void {
    if (this.#kept.size > 0) this.#kept.clear();
  }

  async #decompress(host: number, bytes: number): Promise<Uint8Array> {
    const { file, clusterSize, header } = this.#image;
    const compressed = new Uint8Array(bytes);
    await file.read(host, compressed);
    try {
      const cluster = await (header.compressionType === 'zstd'
        ? this.#codecs.zstdDecompress(compressed, clusterSize)
        : this.#codecs.inflateRaw(compressed, clusterSize));
      if (cluster.length >= clusterSize) return cluster.subarray(0, clusterSize);
      throw new Error(`only ${cluster.length} of ${clusterSize} bytes came out`);
    } catch (cause) {
      if (cause instanceof PolyvisorError) throw cause;
      throw new PolyvisorError('io', {
        what: "compressed cluster can't be decompressed",
        which: this.#image.name,
        limit: `at 0x${host.toString(16)}`,
        cause,
      });
    }
  }
}
