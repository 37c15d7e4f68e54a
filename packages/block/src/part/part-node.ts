import type { BlockLimits, BlockNode, Extent, IoOptions } from '../graph/block-node.ts';
import { PolyvisorError } from '@polyvisor/contracts';
import { checkRange } from '../graph/check-range.ts';
import { readPadded } from '../graph/pad-range.ts';
import { blockStatus } from '../operations/block-status.ts';

/** A range of another node, read-only; the other stays its owner's to close. */
export class PartNode implements BlockNode {
  readonly driver = 'part';
  readonly readOnly = true;
  readonly size: number;
  readonly children: ReadonlyMap<string, BlockNode>;
  readonly limits: BlockLimits;
  readonly #whole: BlockNode;
  readonly #start: number;

  /** @throws PolyvisorError `invalid-argument`: beyond the other's end. */
  constructor(whole: BlockNode, start: number, size: number) {
    checkRange(whole, start, size);
    this.#whole = whole;
    this.#start = start;
    this.size = size;
    this.limits = { ...whole.limits, alignment: 1 };
    this.children = new Map([['file', whole]]);
  }

  get name(): string {
    return this.#whole.name;
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkRange(this, offset, target.length);
    await readPadded(this.#whole, this.#start + offset, target, options);
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkRange(this, offset, length);
    return { ...(await blockStatus(this.#whole, this.#start + offset, length, options)), depth: 0 };
  }

  write(): Promise<void> {
    return this.#refuse();
  }

  writeZeroes(): Promise<void> {
    return this.#refuse();
  }

  discard(): Promise<void> {
    return this.#refuse();
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  #refuse(): Promise<void> {
    return Promise.reject(new PolyvisorError('permission', { what: 'disk is read-only', which: this.name }));
  }
}
