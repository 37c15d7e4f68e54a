import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { Space } from './block-map.ts';

/** How a file's room is given out. */
export interface FileSpaceOptions {
  /** Where unused room begins. */
  readonly end: number;
  /** Rooms begin at multiples of it. Default 512. */
  readonly alignment?: number;
  /** What must stand in the file's last bytes, a footer. */
  readonly trailer?: () => Uint8Array;
  /** Runs before room up to `end` is used for the first time and is durable when it is: headers that count it. */
  readonly grow?: (end: number) => Promise<void>;
}

const LEAST_STEP = 1024 * 1024;
const MOST_STEP = 32 * 1024 * 1024;
/** Freed rooms that are remembered; further ones stay unused until the image is repaired. */
const MOST_FREE = 65536;

/**
 * Room in an image file. It grows in steps, each made durable before its first use: so a table entry never shows
 * what lies past the file's end, whatever a power cut keeps, and the new room reads as zeroes, so that data of
 * a disk without backing node needs no barrier before its entry.
 * Freed room is given out again only after the next flush: until then the entry that showed it may come back.
 */
export class FileSpace {
  readonly #file: BlockNode;
  readonly #alignment: number;
  readonly #trailer: (() => Uint8Array) | undefined;
  readonly #grow: ((end: number) => Promise<void>) | undefined;
  #end: number;
  /** Durable room ends here. */
  #grown: number;
  #growing: Promise<void> | undefined;
  #changed = false;
  /** Rooms by length; free once a flush has passed. */
  #freed: { readonly offset: number; readonly length: number }[] = [];
  readonly #free = new Map<number, number[]>();

  constructor(file: BlockNode, options: FileSpaceOptions) {
    this.#file = file;
    this.#alignment = options.alignment ?? 512;
    this.#trailer = options.trailer;
    this.#grow = options.grow;
    this.#end = this.#align(options.end);
    this.#grown = this.#end;
  }

  /** Where unused room begins. */
  get end(): number {
    return this.#end;
  }

  #align(offset: number): number {
    return Math.ceil(offset / this.#alignment) * this.#alignment;
  }

  /**
   * Room for `count` units of `unit` bytes, one after the other, or for fewer where room is used again.
   * `fresh`: it reads as zeroes.
   * @throws PolyvisorError `limit`: the file can't grow.
   */
  async reserve(unit: number, count = 1): Promise<Space> {
    const free = this.#free.get(unit)?.pop();
    if (free !== undefined) return { offset: free, count: 1, fresh: false };
    const offset = this.#end;
    this.#end = this.#align(offset + unit * count);
    const end = this.#end;
    try {
      while (end > this.#grown) {
        this.#growing ??= this.#growTo(this.#end).finally(() => (this.#growing = undefined));
        await this.#growing;
      }
    } catch (error) {
      if (this.#end === end) this.#end = offset;
      throw error;
    }
    return { offset, count, fresh: true };
  }

  /** How many units of `unit` bytes would be used again before the file grows. */
  available(unit: number): number {
    return this.#free.get(unit)?.length ?? 0;
  }

  async #growTo(end: number): Promise<void> {
    const file = this.#file;
    const step = Math.min(MOST_STEP, Math.max(LEAST_STEP, Math.floor(end / 8)));
    const trailer = this.#trailer?.();
    const old = file.size;
    this.#changed = true;
    let grown = this.#align(end + step);
    if (!(await this.#resize(grown + (trailer?.length ?? 0)))) {
      if (end > file.size) throw this.#full();
      grown = end;
    }
    // An old trailer, what a killed session left, or what a device held would show in new blocks.
    const dirty = Math.min(old, grown + (trailer?.length ?? 0)) - this.#grown;
    if (dirty > 0) await file.writeZeroes(this.#grown, dirty, { mayUnmap: true });
    if (trailer !== undefined) await file.write(file.size - trailer.length, trailer);
    await this.#grow?.(grown);
    await file.flush();
    this.#grown = grown;
  }

  /** @returns false: a device, whose size is what it is. */
  async #resize(size: number): Promise<boolean> {
    if (this.#file.size >= size) return true;
    try {
      await this.#file.resize?.(size);
    } catch (error) {
      if (!(error instanceof PolyvisorError) || error.code !== 'unsupported') throw error;
    }
    return this.#file.size >= size;
  }

  #full(): PolyvisorError {
    return new PolyvisorError('limit', {
      what: 'no room left for the image',
      which: this.#file.name,
      limit: `${this.#file.size} bytes`,
    });
  }

  /** Takes back room that nothing refers to any more. */
  async free(offset: number, length: number): Promise<void> {
    if (this.#freed.length < MOST_FREE) this.#freed.push({ offset, length });
    try {
      await this.#file.discard(offset, length);
    } catch {
      // Only the host's space is at stake.
    }
  }

  /** Room that a former session left unused. */
  seed(offset: number, length: number): void {
    const list = this.#free.get(length);
    if (list === undefined) this.#free.set(length, [offset]);
    else if (list.length < MOST_FREE) list.push(offset);
  }

  /** Takes back room that nothing ever referred to. */
  unreserve(offset: number, length: number): void {
    if (this.#freed.length < MOST_FREE) this.#freed.push({ offset, length });
  }

  /** Call around a flush: what was freed before it began may be given out again once it has passed. */
  async flush(pass: () => Promise<void> = () => this.#file.flush()): Promise<void> {
    const freed = this.#freed;
    this.#freed = [];
    try {
      await pass();
    } catch (error) {
      this.#freed.push(...freed);
      throw error;
    }
    for (const { offset, length } of freed) this.seed(offset, length);
  }

  /** Cuts off what was grown and not used, and puts the trailer at the end. */
  async close(): Promise<void> {
    if (!this.#changed) return;
    await this.#trim();
    await this.#file.flush();
    this.#changed = false;
  }

  async #trim(): Promise<void> {
    const trailer = this.#trailer?.();
    const size = this.#end + (trailer?.length ?? 0);
    if (trailer !== undefined) {
      await this.#file.write(this.#end, trailer);
    }
    try {
      if (this.#file.size > size) await this.#file.resize?.(size, { shrink: true });
    } catch (error) {
      // A device stays as long as it is.
      if (!(error instanceof PolyvisorError) || error.code !== 'unsupported') throw error;
    }
    this.#grown = this.#end;
  }

  /** Room is free from `end` on after all: blocks behind it were moved. Nothing may be under way. */
  shorten(end: number): void {
    this.#end = this.#align(end);
    this.#freed = this.#freed.filter(({ offset, length }) => offset + length <= end);
    for (const [length, list] of this.#free) {
      this.#free.set(
        length,
        list.filter((offset) => offset + length <= end),
      );
    }
    this.#changed = true;
  }
}
