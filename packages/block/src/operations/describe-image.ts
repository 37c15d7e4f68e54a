import type { BlockNode } from '../graph/block-node.ts';
import type { FormatNode, Json } from '../graph/format-node.ts';
import { resolveReference } from '../graph/reference.ts';

/** Facts about an image under the names of QEMU's `ImageInfo` (qapi/block-core.json). */
export type ImageInfo = { readonly [name: string]: Json };

/** What an image is, without its backing chain. */
export async function describeImage(node: FormatNode): Promise<ImageInfo> {
  const description = (await node.describe?.()) ?? {};
  const { backing } = node;
  const snapshots = (await node.snapshots?.list()) ?? [];
  const allocated = await allocatedBytes(node);
  const info: Record<string, Json> = {
    'virtual-size': node.size,
    filename: node.name,
    format: node.driver,
  };
  if (description.clusterSize !== undefined) info['cluster-size'] = description.clusterSize;
  if (allocated !== undefined) info['actual-size'] = allocated;
  if (description.encrypted === true) info['encrypted'] = true;
  if (description.compressed === true) info['compressed'] = true;
  if (description.formatSpecific !== undefined) info['format-specific'] = description.formatSpecific;
  info['dirty-flag'] = description.dirty ?? false;
  if (backing?.reference !== undefined) {
    info['backing-filename'] = backing.reference;
    info['full-backing-filename'] = resolveReference(node.name, backing.reference);
    if (backing.format !== undefined) info['backing-filename-format'] = backing.format;
  }
  if (snapshots.length > 0) {
    info['snapshots'] = snapshots.map((snapshot) => ({
      id: snapshot.id,
      name: snapshot.name,
      'vm-state-size': snapshot.vmStateBytes,
      'date-sec': snapshot.seconds,
      'date-nsec': snapshot.nanoseconds,
      'vm-clock-sec': Number(snapshot.vmClockNs / 1_000_000_000n),
      'vm-clock-nsec': Number(snapshot.vmClockNs % 1_000_000_000n),
      ...(snapshot.icount === undefined ? {} : { icount: Number(snapshot.icount) }),
    }));
  }
  return info;
}

/** Bytes that the host gave for an image with its extents and data files, without backing nodes; undefined: not known. */
async function allocatedBytes(node: BlockNode): Promise<number | undefined> {
  const own = await (node as FormatNode).allocatedBytes?.();
  if (own !== undefined) return own;
  let sum: number | undefined;
  for (const [role, child] of node.children) {
    if (role === 'backing') continue;
    const bytes = await allocatedBytes(child);
    if (bytes !== undefined) sum = (sum ?? 0) + bytes;
  }
  return sum;
}
