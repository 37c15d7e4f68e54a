import type { BlockNode, Extent, IoOptions } from '../graph/block-node.ts';
import type { FormatNode } from '../graph/format-node.ts';

/** An {@link Extent} seen through the whole chain. */
export interface ChainExtent extends Extent {
  readonly depth: number;
}

/**
 * What lies at `offset`, looked for down the chain of backing nodes. `allocated` is false where nobody in the chain
 * has it; it is then zero.
 * @param until looks no further down than at the nodes above this one.
 */
export async function blockStatus(
  node: BlockNode,
  offset: number,
  length: number,
  options: IoOptions & {
    readonly until?: BlockNode | undefined;
    /** Where a backing node is too short, nothing is allocated: how QEMU's `map` has it. */
    readonly shortIsHole?: boolean;
  } = {},
): Promise<ChainExtent> {
  const { until, shortIsHole = false, ...io } = options;
  let at: FormatNode = node;
  let left = length;
  for (let depth = 0; ; depth++) {
    const extent = await at.map(offset, left, io);
    left = Math.min(left, extent.length);
    const backing = at.backing?.node;
    if (extent.allocated) return { ...extent, length: left, depth: depth + (extent.depth ?? 0) };
    const unallocated = { length: left, allocated: false, data: false, depth } as const;
    if (backing === undefined) return { ...unallocated, zero: true };
    if (backing === until) return { ...unallocated, zero: false };
    // What a shorter backing node doesn't reach reads as zeroes, and this layer says so.
    if (offset >= backing.size) return { ...unallocated, allocated: !shortIsHole, zero: true };
    left = Math.min(left, backing.size - offset);
    at = backing;
  }
}

/** The nodes of a chain, this one first. */
export function chainOf(node: BlockNode): readonly FormatNode[] {
  const chain: FormatNode[] = [];
  for (let at: FormatNode | undefined = node; at !== undefined; at = at.backing?.node) chain.push(at);
  return chain;
}
