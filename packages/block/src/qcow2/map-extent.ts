import type { Extent } from '../graph/block-node.ts';
import type { ClusterLookup } from './cluster-lookup.ts';
import {
  COMPRESSED_CLUSTER,
  NORMAL,
  UNALLOCATED,
  UNALLOCATED_WITH_HOST,
  ZERO_WITH_HOST,
} from './cluster-lookup.ts';
import type { Qcow2Image } from './qcow2-image.ts';

/** Runs that are put together into one extent, at most. */
const MAX_RUNS = 4096;

/** What lies at an offset: runs of L2 slices that are alike, together. */
export async function mapExtent(
  image: Qcow2Image,
  lookup: ClusterLookup,
  offset: number,
  length: number,
): Promise<Extent> {
  if (length === 0) return { length: 0, allocated: false, zero: true, data: false };
  let kind = -1;
  let host = 0;
  let done = 0;
  for (let runs = 0; done < length && runs < MAX_RUNS; runs++) {
    while (!lookup.find(offset + done, length - done)) await image.cache.load(lookup.missing);
    if (kind < 0) {
      kind = lookup.kind;
      host = lookup.host;
    } else if (lookup.kind !== kind && !(isUnallocated(kind) && isUnallocated(lookup.kind))) {
      break;
    } else if ((kind === NORMAL || kind === ZERO_WITH_HOST) && lookup.host !== host + done) {
      break;
    }
    done += lookup.length;
  }
  const plain = image.cipher === undefined;
  if (kind === NORMAL) {
    return {
      length: done,
      allocated: true,
      zero: false,
      data: true,
      depth: 0,
      ...(plain ? { offset: host, file: image.data } : {}),
    };
  }
  if (kind === COMPRESSED_CLUSTER) {
    return { length: done, allocated: true, zero: false, data: true, compressed: true, depth: 0 };
  }
  if (isUnallocated(kind)) {
    const { backing } = image;
    const inBacking = backing !== undefined && offset < backing.size;
    const alike = inBacking ? Math.min(done, backing.size - offset) : done;
    return { length: alike, allocated: false, zero: !inBacking, data: false };
  }
  const placed = kind === ZERO_WITH_HOST && plain ? { offset: host, file: image.data } : {};
  return { length: done, allocated: true, zero: true, data: false, depth: 0, ...placed };
}

function isUnallocated(kind: number): boolean {
  return kind === UNALLOCATED || kind === UNALLOCATED_WITH_HOST;
}
