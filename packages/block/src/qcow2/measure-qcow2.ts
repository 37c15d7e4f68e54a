import type { FormatCreateOptions, Measurement } from '../graph/driver.ts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatNode } from '../graph/format-node.ts';
import { checkLayout } from './create-qcow2.ts';
import { roundUp } from './qcow2-format.ts';
import { l1EntriesFor } from './resize-qcow2.ts';

/** LUKS' header, as QEMU counts it: key material for 8 slots of AES-256-XTS. */
const LUKS_HEADER_BYTES = 2068480;

/** Bytes that a new image takes, with the source's data in it, and full. */
export async function measureQcow2(
  options: FormatCreateOptions & { readonly source?: BlockNode },
): Promise<Measurement> {
  const layout = checkLayout(options, 'measure');
  const { clusterSize } = layout;
  const { source } = options;
  const size = roundUp(source?.size ?? layout.size, clusterSize);
  const entryBytes = layout.extended ? 16 : 8;
  l1EntriesFor(size, (clusterSize / entryBytes) * clusterSize, 'measure');
  const luks = layout.encrypted ? roundUp(LUKS_HEADER_BYTES, clusterSize) : 0;
  const full = preallocatedBytes(size, clusterSize, layout.refcountOrder, entryBytes) + luks;
  let used = size;
  if (source === undefined)
    used = layout.preallocation === 'falloc' || layout.preallocation === 'full' ? size : 0;
  else if (layout.backingFile === undefined || layout.preallocation === 'off') {
    used = 0;
    for (let at = 0; at < source.size;) {
      const { length, zero, allocated } = await source.map(at, source.size - at);
      const data = !zero && (allocated || (source as FormatNode).backing?.node !== undefined);
      if (data) {
        const first = Math.floor(at / clusterSize) * clusterSize;
        const end = roundUp(at + length, clusterSize);
        used += end - first;
        at = Math.max(at + length, Math.min(end, source.size));
      } else at += length;
    }
    if (layout.preallocation === 'falloc' || layout.preallocation === 'full') used = size;
  }
  const bitmaps = layout.version === 2 ? undefined : bitmapBytes(source, clusterSize);
  return {
    required: layout.dataFile === undefined ? full - size + used : full - size,
    fullyAllocated: full,
    ...(bitmaps === undefined ? {} : { bitmaps }),
  };
}

function bitmapBytes(source: BlockNode | undefined, clusterSize: number): number | undefined {
  const bitmaps = (source as FormatNode | undefined)?.bitmaps;
  if (source === undefined || bitmaps === undefined) return undefined;
  let bytes = 0;
  let directory = 0;
  for (const { name, granularity, inconsistent } of bitmaps.list()) {
    if (inconsistent) continue;
    const clusters = Math.ceil(Math.ceil(source.size / granularity) / 8 / clusterSize);
    bytes += clusters * clusterSize + roundUp(clusters * 8, clusterSize);
    directory += roundUp(24 + new TextEncoder().encode(name).length, 8);
  }
  return bytes + roundUp(directory, clusterSize);
}

/** Everything that an image with all its clusters allocated consists of. */
function preallocatedBytes(
  size: number,
  clusterSize: number,
  refcountOrder: number,
  entryBytes: number,
): number {
  const perTable = clusterSize / entryBytes;
  const dataClusters = size / clusterSize;
  const l2Tables = roundUp(dataClusters, perTable) / perTable;
  const l1Clusters = Math.ceil((l2Tables * 8) / clusterSize);
  // Header, data, tables: and what counts them, which counts itself.
  const counted = 1 + dataClusters + l2Tables + l1Clusters;
  const blockEntries = (clusterSize * 8) / 2 ** refcountOrder;
  let table = 0;
  let blocks = 0;
  for (let last = -1; last !== table + blocks;) {
    last = table + blocks;
    blocks = Math.ceil((counted + table + blocks) / blockEntries);
    table = Math.ceil((blocks * 8) / clusterSize);
  }
  return (counted + table + blocks) * clusterSize;
}
