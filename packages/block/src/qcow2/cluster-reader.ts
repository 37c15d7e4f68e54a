import type { BlockNode } from '../graph/block-node.ts';
import type { IoOptions } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import { COMPRESSED_CLUSTER, NORMAL, UNALLOCATED, UNALLOCATED_WITH_HOST } from './cluster-lookup.ts';
import { ClusterLookup } from './cluster-lookup.ts';
import type { CompressedClusters } from './compressed-clusters.ts';
import type { Qcow2Image } from './qcow2-image.ts';

/** Most reads under way for one operation. */
const MAX_PARTS = 16;

/** Reads guest ranges. */
export class ClusterReader {
  readonly #image: Qcow2Image;
  readonly #compressed: CompressedClusters;
  readonly #lookup: ClusterLookup;

  constructor(image: Qcow2Image, compressed: CompressedClusters) {
    this.#image = image;
    this.#compressed = compressed;
    this.#lookup = new ClusterLookup(image);
  }

  /** @param offset of the disk or, beyond its end, of saved machine state. Ranges have been checked. */
  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    const lookup = this.#lookup;
    const { length } = target;
    let parts: Promise<void>[] = [];
    try {
      for (let done = 0; done < length;) {
        if (!lookup.find(offset + done, length - done)) {
          await this.#image.cache.load(lookup.missing);
          continue;
        }
        const run = lookup.length;
        const whole = done === 0 && run === length;
        const part = this.#part(
          lookup,
          offset + done,
          whole ? target : target.subarray(done, done + run),
          options,
        );
        done += run;
        if (part === undefined) continue;
        parts.push(part);
        if (parts.length >= MAX_PARTS && done < length) {
          const full = parts;
          parts = [];
          await all(full);
          checkCancelled(options?.signal);
        }
      }
    } catch (error) {
      await Promise.allSettled(parts);
      throw error;
    }
    if (parts.length === 1) await parts[0];
    else if (parts.length > 1) await all(parts);
  }

  /** One run; undefined: done at once. */
  #part(
    lookup: ClusterLookup,
    offset: number,
    target: Uint8Array,
    options?: IoOptions,
  ): Promise<void> | undefined {
    const { kind, host } = lookup;
    const { cipher, data, backing } = this.#image;
    if (kind === NORMAL) {
      if (cipher === undefined) return data.read(host, target, options);
      return this.#readEncrypted(offset, host, target, options);
    }
    if (kind === COMPRESSED_CLUSTER) {
      return this.#compressed.read(host, lookup.compressedBytes, offset % this.#image.clusterSize, target);
    }
    if (
      backing !== undefined &&
      (kind === UNALLOCATED || kind === UNALLOCATED_WITH_HOST) &&
      offset < this.#image.header.size
    ) {
      return readBacking(backing, offset, target, options);
    }
    target.fill(0);
    return undefined;
  }

  async #readEncrypted(offset: number, host: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    const { cipher, data } = this.#image;
    const unit = cipher!.sectorBytes ?? 512;
    const head = host % unit;
    const length = Math.ceil((head + target.length) / unit) * unit;
    const whole = head === 0 && length === target.length;
    const sectors = whole ? target : new Uint8Array(length);
    await data.read(host - head, sectors, options);
    await cipher!.decrypt(cipher!.numbering === 'host' ? host - head : offset - head, sectors);
    if (!whole) target.set(sectors.subarray(head, head + target.length));
  }
}

/** What lies beyond a backing node's end reads as zeroes. */
export function readBacking(
  backing: BlockNode,
  offset: number,
  target: Uint8Array,
  options?: IoOptions,
): Promise<void> | undefined {
  const there = Math.max(0, Math.min(target.length, backing.size - offset));
  if (there < target.length) target.fill(0, there);
  if (there === 0) return undefined;
  return backing.read(offset, there === target.length ? target : target.subarray(0, there), options);
}

/** Buffers belong to the operations below until all have settled. */
export async function all(parts: readonly Promise<unknown>[]): Promise<void> {
  if (parts.length === 1) {
    await parts[0];
    return;
  }
  const results = await Promise.allSettled(parts);
  for (const result of results) if (result.status === 'rejected') throw result.reason as Error;
}
