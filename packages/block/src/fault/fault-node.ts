import { PolyvisorError } from '@polyvisor/contracts';
import type {
  BlockNode,
  Extent,
  IoOptions,
  ResizeOptions,
  WriteOptions,
  ZeroOptions,
} from '../graph/block-node.ts';
import { FilterNode } from '../filter/filter-node.ts';

/** Operations that can be made to fail. */
export type FaultEvent = 'read' | 'write' | 'zero' | 'discard' | 'flush' | 'map' | 'resize';

/** When and how an operation fails. */
export interface FaultRule {
  readonly event: FaultEvent;
  /** Only those that touch this byte. */
  readonly offset?: number;
  /** So many that match are let through first. */
  readonly skip?: number;
  /** Fails so many times; default for ever. */
  readonly times?: number;
  /** Fails with this likelihood, 0 to 1; needs `random`. */
  readonly probability?: number;
  /** Default `io`. `no-space` is what a full host says; `none` only waits. */
  readonly error?: 'io' | 'no-space' | 'none';
  /** Waits before it fails or goes on. */
  readonly delayMs?: number;
  /** A write is done in part (its first half, in whole sectors) before it fails. */
  readonly torn?: boolean;
}

const SECTOR_BYTES = 512;

/** Makes operations fail, be slow or stop, as tests say. */
export class FaultNode extends FilterNode {
  readonly #rules: { rule: FaultRule; skipped: number; done: number }[] = [];
  readonly #breaks = new Map<string, FaultEvent>();
  readonly #stopped = new Map<string, (() => void)[]>();
  readonly #random: () => number;

  constructor(below: BlockNode, rules: readonly FaultRule[] = [], random: () => number = () => 0) {
    super('fault', below);
    this.#random = random;
    for (const rule of rules) this.inject(rule);
  }

  /** Adds a rule; gives what removes it. */
  inject(rule: FaultRule): () => void {
    const entry = { rule, skipped: 0, done: 0 };
    this.#rules.push(entry);
    return () => {
      const index = this.#rules.indexOf(entry);
      if (index >= 0) this.#rules.splice(index, 1);
    };
  }

  /** The next operation of this kind stops until {@link resume} with the same tag. */
  break(event: FaultEvent, tag: string): void {
    this.#breaks.set(tag, event);
  }

  removeBreak(tag: string): boolean {
    return this.#breaks.delete(tag);
  }

  /** @returns false when nothing is stopped there. */
  resume(tag: string): boolean {
    const stopped = this.#stopped.get(tag);
    this.#stopped.delete(tag);
    for (const go of stopped ?? []) go();
    return stopped !== undefined;
  }

  /** Whether something is stopped there. */
  isStopped(tag: string): boolean {
    return this.#stopped.has(tag);
  }

  override async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    await this.#meet('read', offset, target.length);
    return super.read(offset, target, options);
  }

  override async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    await this.#meet('write', offset, source.length, async () => {
      const part = source.subarray(0, Math.floor(source.length / 2 / SECTOR_BYTES) * SECTOR_BYTES);
      await super.write(offset, part, options);
    });
    return super.write(offset, source, options);
  }

  override async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    await this.#meet('zero', offset, length);
    return super.writeZeroes(offset, length, options);
  }

  override async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    await this.#meet('discard', offset, length);
    return super.discard(offset, length, options);
  }

  override async flush(options?: IoOptions): Promise<void> {
    await this.#meet('flush', 0, Infinity);
    return super.flush(options);
  }

  override async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    await this.#meet('map', offset, length);
    return super.map(offset, length, options);
  }

  protected override async resizeBelow(size: number, options?: ResizeOptions): Promise<void> {
    await this.#meet('resize', 0, Infinity);
    return super.resizeBelow(size, options);
  }

  async #meet(event: FaultEvent, offset: number, length: number, tear?: () => Promise<void>): Promise<void> {
    for (const [tag, stopsAt] of this.#breaks) {
      if (stopsAt !== event) continue;
      this.#breaks.delete(tag);
      await new Promise<void>((resolve) =>
        this.#stopped.set(tag, [...(this.#stopped.get(tag) ?? []), resolve]),
      );
    }
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.event !== event) continue;
      if (rule.offset !== undefined && (rule.offset < offset || rule.offset >= offset + length)) continue;
      if (entry.skipped < (rule.skip ?? 0)) {
        entry.skipped++;
        continue;
      }
      if (entry.done >= (rule.times ?? Infinity)) continue;
      if (rule.probability !== undefined && this.#random() >= rule.probability) continue;
      entry.done++;
      if (rule.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, rule.delayMs));
      if (rule.error === 'none') continue;
      if (rule.torn === true) await tear?.();
      throw new PolyvisorError('io', {
        what: `injected failure of ${event}`,
        which: this.name,
        ...(rule.error === 'no-space' ? { limit: 'no space left on the host' } : {}),
      });
    }
  }
}
