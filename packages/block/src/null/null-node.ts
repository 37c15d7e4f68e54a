import type { BlockLimits, BlockNode, Extent } from '../graph/block-node.ts';
import { checkRange, checkWritable } from '../graph/check-range.ts';

/** How a {@link NullNode} is made. */
export interface NullNodeOptions {
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly growable: boolean;
  /** Says of all ranges that they are zero; they are read as zeroes either way. */
  readonly isZero: boolean;
}

/** A disk that keeps nothing: for measuring what stands above it. */
export class NullNode implements BlockNode {
  readonly driver = 'null-co';
  readonly name = 'null-co://';
  readonly readOnly: boolean;
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  readonly limits: BlockLimits = {
    alignment: 1,
    preferred: 4096,
    discardGranule: 4096,
    maxTransfer: Number.MAX_SAFE_INTEGER,
  };
  readonly #growable: boolean;
  readonly #isZero: boolean;
  #size: number;

  constructor({ size, readOnly, growable, isZero }: NullNodeOptions) {
    this.#size = size;
    this.readOnly = readOnly;
    this.#growable = growable;
    this.#isZero = isZero;
  }

  get size(): number {
    return this.#size;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    if (!this.#growable) checkRange(this, offset, target.length);
    target.fill(0);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.#drop(offset, source.length);
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    return this.#drop(offset, length);
  }

  discard(offset: number, length: number): Promise<void> {
    return this.#drop(offset, length);
  }

  async flush(): Promise<void> {}

  async map(offset: number, length: number): Promise<Extent> {
    checkRange(this, offset, length);
    return { length, allocated: true, zero: this.#isZero, data: !this.#isZero, depth: 0 };
  }

  async resize(size: number): Promise<void> {
    checkWritable(this);
    this.#size = size;
  }

  async close(): Promise<void> {}

  async #drop(offset: number, length: number): Promise<void> {
    checkWritable(this);
    if (!this.#growable) checkRange(this, offset, length);
    else this.#size = Math.max(this.#size, offset + length);
  }
}
