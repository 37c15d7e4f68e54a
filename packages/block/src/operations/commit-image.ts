import type { BlockNode } from '../graph/block-node.ts';
import type { FormatNode, WorkOptions } from '../graph/format-node.ts';
import { forEachParallel, PIECE_BYTES, piecesOf } from '../graph/parallel.ts';
import { blockStatus } from './block-status.ts';
import { BufferPool } from './buffer-pool.ts';
import { RateLimit } from '../throttle/rate-limit.ts';

const PARALLEL = 8;

/**
 * Writes into `base` what lies above it in the chain of `top`; flushes it. The chain then reads the same with and
 * without what is above the base.
 * @param base a node of the chain of backing nodes, writable.
 */
export async function commitImage(
  top: FormatNode,
  base: BlockNode,
  options: WorkOptions & { readonly rate?: number } = {},
): Promise<void> {
  const { signal, progress, rate } = options;
  const io = signal === undefined ? {} : { signal };
  if (top.size > base.size) await base.resize?.(top.size, io);
  const buffers = new BufferPool(PIECE_BYTES);
  const limit = rate === undefined || rate === 0 ? undefined : new RateLimit(rate);
  const total = top.size;
  let done = 0;
  const pieces = async function* (): AsyncGenerator<{ offset: number; length: number; zero: boolean }> {
    for (let at = 0; at < total;) {
      const extent = await blockStatus(top, at, total - at, { ...io, until: base });
      if (extent.allocated && extent.zero) yield { offset: at, length: extent.length, zero: true };
      else if (extent.allocated)
        for (const piece of piecesOf(at, extent.length)) yield { ...piece, zero: false };
      at += extent.length;
      if (!extent.allocated) done += extent.length;
    }
  };
  await forEachParallel(
    pieces(),
    PARALLEL,
    async ({ offset, length, zero }) => {
      if (zero) await base.writeZeroes(offset, length, { mayUnmap: true, ...io });
      else {
        await limit?.take(length, signal);
        const buffer = buffers.take();
        const bytes = buffer.subarray(0, length);
        await top.read(offset, bytes, io);
        await base.write(offset, bytes, io);
        buffers.give(buffer);
      }
      done += length;
      progress?.(done, total);
    },
    signal,
  );
  await base.flush(io);
  progress?.(total, total);
}

/** Drops the contents of an image that were committed: everything comes from its backing node again. */
export async function emptyImage(top: FormatNode, options: WorkOptions = {}): Promise<boolean> {
  if (top.makeEmpty === undefined) return false;
  await top.makeEmpty(options);
  await top.flush();
  return true;
}
