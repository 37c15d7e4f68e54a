import type { BlockNode, IoOptions, WriteOptions, ZeroOptions } from '../graph/block-node.ts';
import { checkRange } from '../graph/check-range.ts';
import { padRange } from '../graph/pad-range.ts';
import { piecesOf } from '../graph/parallel.ts';
import { RangeLock } from '../graph/range-lock.ts';
import { FilterNode } from '../filter/filter-node.ts';

/** What is read from backing nodes is written into the image, so that it is read from there the next time. */
export class CopyOnReadNode extends FilterNode {
  /** Writes share it; a copy, which must not undo them, has its clusters alone. */
  readonly #lock = new RangeLock();

  constructor(below: BlockNode) {
    super('copy-on-read', below);
  }

  override async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkRange(this, offset, target.length);
    const { preferred, maxTransfer } = this.limits;
    const most = Math.max(preferred, Math.min(maxTransfer, 2 ** 21));
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const extent = await this.below.map(at, target.length - done, options);
      const part = target.subarray(done, done + extent.length);
      if (extent.allocated || this.readOnly) await this.below.read(at, part, options);
      else {
        const { start, length } = padRange(at, part.length, preferred);
        for (const piece of piecesOf(start, Math.min(length, this.size - start), most)) {
          await this.#copy(piece.offset, piece.length, at, part, options);
        }
      }
      done += extent.length;
    }
  }

  async #copy(
    start: number,
    length: number,
    at: number,
    target: Uint8Array,
    options: IoOptions | undefined,
  ): Promise<void> {
    const release = await this.#lock.acquire(start, length, { signal: options?.signal });
    try {
      const bytes = new Uint8Array(length);
      await this.below.read(start, bytes, options);
      const from = Math.max(start, at);
      const end = Math.min(start + length, at + target.length);
      if (from < end) target.set(bytes.subarray(from - start, end - start), from - at);
      // Only what is missing by now: a write may have come first.
      for (let done = 0; done < length;) {
        const extent = await this.below.map(start + done, length - done, options);
        if (!extent.allocated)
          await this.below.write(start + done, bytes.subarray(done, done + extent.length), options);
        done += extent.length;
      }
    } finally {
      release();
    }
  }

  override write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    return this.#shared(offset, source.length, options, () => super.write(offset, source, options));
  }

  override writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    return this.#shared(offset, length, options, () => super.writeZeroes(offset, length, options));
  }

  override discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    return this.#shared(offset, length, options, () => super.discard(offset, length, options));
  }

  async #shared(
    offset: number,
    length: number,
    options: IoOptions | undefined,
    work: () => Promise<void>,
  ): Promise<void> {
    checkRange(this, offset, length);
    const release = await this.#lock.acquire(offset, length, { shared: true, signal: options?.signal });
    try {
      await work();
    } finally {
      release();
    }
  }
}
