import type { IoOptions } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import { ClusterLookup, UNALLOCATED, ZERO_PLAIN } from './cluster-lookup.ts';
import { copiedHigh } from './l2-tables.ts';
import { roundUp } from './qcow2-format.ts';
import type { Qcow2Parts } from './qcow2-node.ts';

/** Clusters that are zeroed at a time where space is to be written. */
const STEP_BYTES = 2 * 1024 * 1024;

/**
 * Gives every cluster of a range that has none its place in the file. Contents must be zero there: clusters that are
 * not known to be get written.
 * @param mode `metadata`: only that; `falloc`: space is reserved; `full`: zeroes are written.
 */
export async function preallocate(
  parts: Qcow2Parts,
  start: number,
  end: number,
  mode: 'metadata' | 'falloc' | 'full',
  options: IoOptions = {},
): Promise<void> {
  const { image, tables } = parts;
  const { clusterSize, allocator, writer, data } = image;
  const lookup = new ClusterLookup(image);
  const last = roundUp(end, clusterSize);
  for (let at = Math.floor(start / clusterSize) * clusterSize; at < last;) {
    checkCancelled(options.signal);
    if (!tables.isWritable(at)) {
      await tables.ensureWritable(at);
      continue;
    }
    if (!lookup.find(at, Math.min(last - at, 64 * STEP_BYTES))) {
      await image.cache.load(lookup.missing);
      continue;
    }
    if (lookup.kind !== UNALLOCATED && lookup.kind !== ZERO_PLAIN) {
      at += lookup.length;
      continue;
    }
    const count = Math.ceil(lookup.length / clusterSize);
    const run = image.hasDataFile
      ? { offset: at, count, fresh: at >= data.size, generation: 0 }
      : await allocator.allocate(count);
    const length = run.count * clusterSize;
    if (mode === 'full') {
      const zeroes = new Uint8Array(Math.min(length, STEP_BYTES));
      for (let done = 0; done < length; done += STEP_BYTES) {
        await data.write(run.offset + done, zeroes.subarray(0, Math.min(STEP_BYTES, length - done)));
      }
    } else if (mode === 'falloc' || !run.fresh) {
      await data.writeZeroes(run.offset, length);
    } else if (data.size < run.offset + length) {
      await data.resize?.(run.offset + length);
    }
    let place = tables.peek(at);
    while (place === undefined) {
      await tables.load(at);
      place = tables.peek(at);
    }
    writer.dependOn(run.generation);
    if (!run.fresh) writer.dependOnData();
    for (let i = 0; i < run.count; i++) {
      const host = run.offset + i * clusterSize;
      // Extended entries: subclusters have their place, but stay unallocated.
      tables.set(place.slice, place.index + i, copiedHigh(host), host >>> 0);
    }
    await writer.commit();
    at += length;
  }
}
