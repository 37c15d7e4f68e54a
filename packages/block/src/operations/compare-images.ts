import type { BlockNode } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import type { WorkOptions } from '../graph/format-node.ts';
import { isZero } from '../graph/is-zero.ts';
import { readPadded } from '../graph/pad-range.ts';
import { PIECE_BYTES } from '../graph/parallel.ts';
import { blockStatus } from './block-status.ts';

/** What {@link compareImages} found first. */
export type Comparison =
  | { readonly kind: 'equal'; readonly sizesDiffer: boolean }
  | { readonly kind: 'size' | 'content' | 'status'; readonly offset: number };

/**
 * Compares two disks. A longer one is equal if its rest is zero, unless `strict`, which also wants the same ranges
 * allocated.
 */
export async function compareImages(
  first: BlockNode,
  second: BlockNode,
  options: WorkOptions & { readonly strict?: boolean } = {},
): Promise<Comparison> {
  const { strict = false, signal, progress } = options;
  const io = signal === undefined ? {} : { signal };
  const total = Math.min(first.size, second.size);
  const most = Math.max(first.size, second.size);
  if (strict && first.size !== second.size) return { kind: 'size', offset: total };
  const left = new Uint8Array(Math.min(PIECE_BYTES, most));
  const right = new Uint8Array(left.length);
  for (let at = 0; at < total;) {
    checkCancelled(signal);
    const [one, two] = await Promise.all([
      blockStatus(first, at, total - at, io),
      blockStatus(second, at, total - at, io),
    ]);
    if (strict && (one.allocated !== two.allocated || one.zero !== two.zero))
      return { kind: 'status', offset: at };
    const bothZero = one.zero && two.zero;
    const length = Math.min(one.length, two.length, bothZero ? Infinity : PIECE_BYTES);
    if (!bothZero) {
      const a = left.subarray(0, length);
      const b = right.subarray(0, length);
      await Promise.all([fetch(first, at, a, one.zero), fetch(second, at, b, two.zero)]);
      const differs = firstDifference(a, b);
      if (differs >= 0) return { kind: 'content', offset: at + differs };
    }
    at += length;
    progress?.(at, most);
  }
  const longer = first.size > second.size ? first : second;
  for (let at = total; at < most;) {
    checkCancelled(signal);
    const extent = await blockStatus(longer, at, most - at, io);
    const length = Math.min(extent.length, extent.zero ? Infinity : PIECE_BYTES);
    if (!extent.zero) {
      const bytes = left.subarray(0, length);
      await readPadded(longer, at, bytes, io);
      if (!isZero(bytes)) return { kind: 'content', offset: at + bytes.findIndex((byte) => byte !== 0) };
    }
    at += length;
    progress?.(at, most);
  }
  return { kind: 'equal', sizesDiffer: first.size !== second.size };

  async function fetch(node: BlockNode, at: number, target: Uint8Array, zero: boolean): Promise<void> {
    if (zero) target.fill(0);
    else await readPadded(node, at, target, io);
  }
}

/** Index of the first byte that differs; -1: none. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  if (((a.byteOffset | b.byteOffset) & 3) === 0) {
    const words = length >>> 2;
    const left = new Int32Array(a.buffer, a.byteOffset, words);
    const right = new Int32Array(b.buffer, b.byteOffset, words);
    let i = 0;
    while (i < words && left[i] === right[i]) i++;
    at = i * 4;
  }
  while (at < length && a[at] === b[at]) at++;
  return at < length ? at : -1;
}
