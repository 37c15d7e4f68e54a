import type { BlockNode, IoOptions } from './block-node.ts';

/** The smallest aligned range that holds the given one. */
export function padRange(
  offset: number,
  length: number,
  alignment: number,
): { readonly start: number; readonly length: number } {
  const start = offset - (offset % alignment);
  const end = Math.ceil((offset + length) / alignment) * alignment;
  return { start, length: end - start };
}

/**
 * Reads any range of a node whatever its alignment. Straight into `target` where that is aligned; through one
 * padded buffer elsewhere. What an aligned range has beyond the node's end is not read.
 */
export async function readPadded(
  node: BlockNode,
  offset: number,
  target: Uint8Array,
  options?: IoOptions,
): Promise<void> {
  const { alignment } = node.limits;
  if (alignment === 1 || (offset % alignment === 0 && target.length % alignment === 0)) {
    return node.read(offset, target, options);
  }
  const padded = padRange(offset, target.length, alignment);
  const whole = new Uint8Array(Math.min(padded.length, node.size - padded.start));
  await node.read(padded.start, whole, options);
  target.set(whole.subarray(offset - padded.start, offset - padded.start + target.length));
}
