import type { IoOptions } from './block-node.ts';
import { padRange } from './pad-range.ts';
import { RangeLock } from './range-lock.ts';

/** Aligned operations that unaligned ones are made of. */
export interface AlignedAccess {
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
}

/**
 * Lets a node that handles whole sectors take any range: the sectors at both ends are read, changed and written while
 * no other write of them is under way. The node's size must be whole sectors.
 */
export class SectorPadder {
  readonly #unit: number;
  readonly #writes = new RangeLock();

  /** @param unit bytes of a sector. */
  constructor(unit: number) {
    this.#unit = unit;
  }

  async read(offset: number, target: Uint8Array, access: AlignedAccess): Promise<void> {
    const { start, length } = padRange(offset, target.length, this.#unit);
    if (length === target.length) return access.read(offset, target);
    const whole = new Uint8Array(length);
    await access.read(start, whole);
    target.set(whole.subarray(offset - start, offset - start + target.length));
  }

  async write(
    offset: number,
    source: Uint8Array,
    access: AlignedAccess,
    { signal }: IoOptions = {},
  ): Promise<void> {
    const { start, length } = padRange(offset, source.length, this.#unit);
    const shared = length === source.length;
    const release = await this.#writes.acquire(start, length, { shared, signal });
    try {
      if (shared) return await access.write(offset, source);
      const whole = new Uint8Array(length);
      const unit = this.#unit;
      if (offset > start) await access.read(start, whole.subarray(0, unit));
      const last = length - unit;
      if ((last > 0 || offset === start) && offset + source.length < start + length)
        await access.read(start + last, whole.subarray(last));
      whole.set(source, offset - start);
      await access.write(start, whole);
    } finally {
      release();
    }
  }

  /** The aligned part of a range, and what lies before and behind it; no aligned part: all is before. */
  split(
    offset: number,
    length: number,
  ): { readonly head: number; readonly middle: number; readonly tail: number } {
    const unit = this.#unit;
    const first = Math.ceil(offset / unit) * unit;
    const end = Math.floor((offset + length) / unit) * unit;
    if (end <= first) return { head: length, middle: 0, tail: 0 };
    return { head: first - offset, middle: end - first, tail: offset + length - end };
  }
}
