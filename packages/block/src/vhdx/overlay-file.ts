import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockLimits, BlockNode, Extent, IoOptions } from '../graph/block-node.ts';
import type { LogReplay } from './replay-log.ts';

/** A file that may not be written, as it would be after its log was replayed. */
export class OverlayFile implements BlockNode {
  readonly driver: string;
  readonly name: string;
  readonly readOnly = true;
  readonly limits: BlockLimits;
  readonly children: ReadonlyMap<string, BlockNode>;
  readonly size: number;
  readonly #file: BlockNode;
  readonly #replay: LogReplay;

  constructor(file: BlockNode, replay: LogReplay) {
    this.driver = file.driver;
    this.name = file.name;
    this.limits = file.limits;
    this.children = file.children;
    this.size = Math.max(file.size, replay.fileBytes);
    this.#file = file;
    this.#replay = replay;
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    await this.#file.read(offset, target, options);
    const end = offset + target.length;
    for (const update of this.#replay.updates) {
      const from = Math.max(offset, update.offset);
      const to = Math.min(end, update.offset + update.length);
      if (from >= to) continue;
      if (update.bytes === undefined) target.fill(0, from - offset, to - offset);
      else target.set(update.bytes.subarray(from - update.offset, to - update.offset), from - offset);
    }
  }

  async map(offset: number, length: number): Promise<Extent> {
    return { length, allocated: true, zero: false, data: true, offset, file: this };
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

  #refuse(): Promise<void> {
    return Promise.reject(new PolyvisorError('permission', { what: 'disk is read-only', which: this.name }));
  }

  async flush(): Promise<void> {}

  close(): Promise<void> {
    return this.#file.close();
  }
}
