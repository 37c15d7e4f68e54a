import type { ClusterCounts } from './cluster-counts.ts';
import { set64, viewOf } from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';
import { REFCOUNT_WIDTHS } from './refcount-width.ts';

/**
 * Writes refcount table and blocks anew, behind everything that is referred to, and makes the header name them: the
 * old ones stay untouched until then.
 * @param counts references, without those to the old refcount structure's own clusters being of interest.
 * @param order of the new refcounts; default as before.
 */
export async function rebuildRefcounts(
  image: Qcow2Image,
  counts: ClusterCounts,
  order: number = image.header.refcountOrder,
): Promise<void> {
  const { clusterSize, file, refcounts: old, header } = image;
  const width = REFCOUNT_WIDTHS[order]!;
  const blockEntries = (clusterSize * 8) / width.bits;
  // The old structure's clusters are free afterwards, but must not be written before.
  const oldClusters = new Map<number, number>();
  const note = (cluster: number): unknown => oldClusters.set(cluster, (oldClusters.get(cluster) ?? 0) + 1);
  for (let i = 0; i < old.table.length / clusterSize; i++) note(old.tableOffset / clusterSize + i);
  for (let i = 0; i < old.table.length / 8; i++) {
    const block = old.blockAt(i);
    if (block !== 0 && block % clusterSize === 0) note(block / clusterSize);
  }
  const start = Math.max(counts.highest + 1, Math.ceil(file.size / clusterSize));
  const needed: number[] = [];
  for (let cluster = counts.nextCounted(0); cluster < start; cluster = counts.nextCounted(cluster + 1)) {
    const used = counts.get(cluster) - (oldClusters.get(cluster) ?? 0);
    const block = Math.floor(cluster / blockEntries);
    if (used > 0 && needed.at(-1) !== block) needed.push(block);
  }
  let tableClusters = 1;
  let blocks: number[];
  for (;;) {
    const all = new Set(needed);
    // Blocks for the new structure itself: as many as its own size calls for.
    for (let size = -1; size !== all.size;) {
      size = all.size;
      const last = Math.floor((start + size + tableClusters - 1) / blockEntries);
      for (let block = Math.floor(start / blockEntries); block <= last; block++) all.add(block);
    }
    blocks = [...all].sort((a, b) => a - b);
    const wanted = Math.ceil(((blocks.at(-1)! + 1) * 8) / clusterSize);
    if (wanted <= tableClusters) break;
    tableClusters = wanted;
  }
  const table = new Uint8Array(tableClusters * clusterSize);
  const end = start + blocks.length + tableClusters;
  for (const [i, index] of blocks.entries()) {
    const block = new Uint8Array(clusterSize);
    const view = viewOf(block);
    for (let entry = 0; entry < blockEntries; entry++) {
      const cluster = index * blockEntries + entry;
      if (cluster >= end) break;
      const value = cluster >= start ? 1 : Math.max(0, counts.get(cluster) - (oldClusters.get(cluster) ?? 0));
      if (value > 0) width.set(view, entry, Math.min(value, width.max));
    }
    const offset = (start + i) * clusterSize;
    await file.write(offset, block);
    set64(viewOf(table), index * 8, offset);
  }
  const tableOffset = (start + blocks.length) * clusterSize;
  await file.write(tableOffset, table);
  await file.flush();
  if (order === header.refcountOrder) await image.moveRefcountTable(tableOffset, tableClusters);
  else {
    header.refcountOrder = order;
    header.refcountTableOffset = tableOffset;
    header.refcountTableClusters = tableClusters;
    await image.writeHeader();
  }
  image.cache.clear();
  image.replaceRefcounts(image.makeRefcounts(tableOffset, table, order));
}
