import type { BlockNode, IoOptions, WriteOptions, ZeroOptions } from '../graph/block-node.ts';
import { FilterNode } from '../filter/filter-node.ts';
import { RateLimit } from './rate-limit.ts';

/** Limits per second; undefined or 0: none. */
export interface ThrottleLimits {
  readonly iopsTotal?: number;
  readonly iopsRead?: number;
  readonly iopsWrite?: number;
  readonly bpsTotal?: number;
  readonly bpsRead?: number;
  readonly bpsWrite?: number;
}

/** Operations wait until the buckets they draw from have enough; an idle second is saved up. */
export class ThrottleNode extends FilterNode {
  #reads: readonly (readonly [RateLimit, 'operations' | 'bytes'])[] = [];
  #writes: readonly (readonly [RateLimit, 'operations' | 'bytes'])[] = [];

  constructor(below: BlockNode, limits: ThrottleLimits) {
    super('throttle', below);
    this.setLimits(limits);
  }

  /** Replaces the limits; those who wait already, wait on. */
  setLimits(limits: ThrottleLimits): void {
    const bucket = (perSecond: number | undefined, unit: 'operations' | 'bytes') =>
      perSecond === undefined || perSecond === 0 ? [] : [[new RateLimit(perSecond), unit] as const];
    const both = [...bucket(limits.iopsTotal, 'operations'), ...bucket(limits.bpsTotal, 'bytes')];
    this.#reads = [...both, ...bucket(limits.iopsRead, 'operations'), ...bucket(limits.bpsRead, 'bytes')];
    this.#writes = [...both, ...bucket(limits.iopsWrite, 'operations'), ...bucket(limits.bpsWrite, 'bytes')];
  }

  override async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    await this.#take(this.#reads, target.length, options);
    return super.read(offset, target, options);
  }

  override async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    await this.#take(this.#writes, source.length, options);
    return super.write(offset, source, options);
  }

  /** Zeroes and discards cost operations, no bytes. */
  override async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    await this.#take(this.#writes, 0, options);
    return super.writeZeroes(offset, length, options);
  }

  override async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    await this.#take(this.#writes, 0, options);
    return super.discard(offset, length, options);
  }

  async #take(
    buckets: readonly (readonly [RateLimit, 'operations' | 'bytes'])[],
    bytes: number,
    options: IoOptions | undefined,
  ): Promise<void> {
    for (const [limit, unit] of buckets) await limit.take(unit === 'bytes' ? bytes : 1, options?.signal);
  }
}
