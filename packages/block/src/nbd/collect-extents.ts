import { PolyvisorError } from '@polyvisor/contracts';
import type { FormatNode } from '../graph/format-node.ts';
import { blockStatus } from '../operations/block-status.ts';
import type { MetaContextKind } from './nbd-export.ts';
import { STATE, STATE_DIRTY } from './nbd-protocol.ts';

/** Descriptors of one answer; the client asks again for the rest. */
const MAX_EXTENTS = 16384;
/** Steps to find them; equal neighbours become one. */
const MAX_STEPS = 65536;

type Look = (offset: number, length: number) => Promise<{ readonly length: number; readonly state: number }>;

/**
 * Block status as it stands in an answer: length and state, in turns, equal neighbours joined. At least one pair,
 * together at most `length` bytes.
 */
export async function collectExtents(
  node: FormatNode,
  context: MetaContextKind,
  offset: number,
  length: number,
  { one, gone }: { readonly one: boolean; readonly gone: () => boolean },
): Promise<readonly number[]> {
  const look = lookerFor(node, context);
  const extents: number[] = [];
  const end = offset + length;
  let steps = 0;
  for (let at = offset; at < end && !gone() && steps < MAX_STEPS; steps++) {
    const found = await look(at, end - at);
    const last = extents.length - 2;
    if (last >= 0 && extents[last + 1] === found.state) extents[last]! += found.length;
    else if ((one && last >= 0) || extents.length >= MAX_EXTENTS * 2) break;
    else extents.push(found.length, found.state);
    at += found.length;
  }
  return extents;
}

function lookerFor(node: FormatNode, context: MetaContextKind): Look {
  if (context.kind === 'bitmap') {
    const { bitmaps } = node;
    if (bitmaps === undefined) throw new PolyvisorError('io', { what: 'bitmap is gone' });
    return async (offset, length) => {
      const run = bitmaps.dirty(context.bitmap, offset, length);
      return { length: run.length, state: run.dirty ? STATE_DIRTY : 0 };
    };
  }
  if (context.kind === 'depth') {
    return (offset, length) => depthOf(node, offset, length);
  }
  return async (offset, length) => {
    const extent = await blockStatus(node, offset, length);
    return {
      length: extent.length,
      state: (extent.data ? 0 : STATE.hole) | (extent.zero ? STATE.zero : 0),
    };
  };
}

/** Which image of a chain, from 1, has the contents; 0: none. What a shorter one doesn't reach counts as its own. */
async function depthOf(
  node: FormatNode,
  offset: number,
  length: number,
): Promise<{ readonly length: number; readonly state: number }> {
  let left = length;
  let depth = 1;
  for (let at: FormatNode | undefined = node; at !== undefined; at = at.backing?.node, depth++) {
    if (offset >= at.size) return { length: left, state: depth };
    const extent = await at.map(offset, Math.min(left, at.size - offset));
    left = extent.length;
    if (extent.allocated) return { length: left, state: depth };
  }
  return { length: left, state: 0 };
}
