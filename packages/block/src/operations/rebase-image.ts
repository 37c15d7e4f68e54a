import type { BlockNode } from '../graph/block-node.ts';
import type { FormatNode, WorkOptions } from '../graph/format-node.ts';
import { isZero } from '../graph/is-zero.ts';
import { PIECE_BYTES } from '../graph/parallel.ts';
import { blockStatus } from './block-status.ts';
import { firstDifference } from './compare-images.ts';

const GRANULE_BYTES = 4096;

/**
 * Makes an image independent of how its old backing chain and the new one differ: where the image has nothing itself,
 * and the two don't read the same, it gets what the old chain has. The reference in the image is for the caller to change.
 * @param next undefined: there will be none. Already a part of the image's chain: only what lies above it is copied.
 */
export async function rebaseImage(
  image: FormatNode,
  next: BlockNode | undefined,
  options: WorkOptions & { readonly nextInChain?: BlockNode } = {},
): Promise<void> {
  const { signal, progress } = options;
  const io = signal === undefined ? {} : { signal };
  const until = options.nextInChain;
  const previous = image.backing?.node;
  const ours = new Uint8Array(PIECE_BYTES);
  const theirs = new Uint8Array(PIECE_BYTES);
  for (let at = 0; at < image.size;) {
    const own = await image.map(at, image.size - at, io);
    let length = own.length;
    if (!own.allocated) {
      const old = await blockStatus(image, at, length, { ...io, until });
      length = Math.min(length, old.length);
      // What both chains take from the same node is the same.
      if (until === undefined || old.allocated) {
        length = Math.min(length, PIECE_BYTES);
        await copyDifference(at, length, old.zero);
      }
    }
    at += length;
    progress?.(at, image.size);
  }
  await image.flush(io);

  async function copyDifference(at: number, length: number, zero: boolean): Promise<void> {
    const before = ours.subarray(0, length);
    const after = theirs.subarray(0, length);
    if (zero || previous === undefined) before.fill(0);
    else await image.read(at, before, io);
    const inNext = next === undefined ? 0 : Math.max(0, Math.min(length, next.size - at));
    if (inNext > 0) {
      const status = await blockStatus(next!, at, inNext, io);
      if (status.zero && status.length === inNext) after.fill(0);
      else await next!.read(at, after.subarray(0, inNext), io);
    }
    after.fill(0, inNext);
    for (let from = 0; from < length;) {
      const first = firstDifference(before.subarray(from), after.subarray(from));
      if (first < 0) return;
      const start = from + first - ((from + first) % GRANULE_BYTES);
      let end = Math.min(length, start + GRANULE_BYTES);
      while (end < length) {
        const stop = Math.min(length, end + GRANULE_BYTES);
        if (firstDifference(before.subarray(end, stop), after.subarray(end, stop)) < 0) break;
        end = stop;
      }
      const bytes = before.subarray(start, end);
      if (isZero(bytes)) await image.writeZeroes(at + start, bytes.length, io);
      else await image.write(at + start, bytes, io);
      from = end;
    }
  }
}
