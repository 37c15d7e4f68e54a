import type { BlockNode } from '../graph/block-node.ts';
import { viewOf } from './qcow2-format.ts';

/** A piece of an L2 table or refcount block in memory. */
export interface Slice {
  /** Where it lies in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Differs from what has been sent to the file. */
  dirty: boolean;
  /** Being sent to the file. */
  writing: boolean;
  /** Looked at since the cache last thought of dropping it. */
  used: boolean;
}

/** Slices of metadata by file offset, bounded; dirty ones stay. */
export class MetadataCache {
  readonly sliceBytes: number;
  readonly #file: BlockNode;
  readonly #limit: number;
  readonly #slices = new Map<number, Slice>();
  readonly #loads = new Map<number, Promise<void>>();

  /** @param bytes how much may be held; a few slices are held in any case. */
  constructor(file: BlockNode, sliceBytes: number, bytes: number) {
    this.#file = file;
    this.sliceBytes = sliceBytes;
    this.#limit = Math.max(16, Math.floor(bytes / sliceBytes));
  }

  /** The slice if it is in memory. @param offset a multiple of {@link sliceBytes}. */
  peek(offset: number): Slice | undefined {
    const slice = this.#slices.get(offset);
    if (slice !== undefined) slice.used = true;
    return slice;
  }

  /** The slice, read if need be. It may be dropped as soon as the caller waits for something else. */
  async load(offset: number): Promise<Slice> {
    for (;;) {
      const slice = this.peek(offset);
      if (slice !== undefined) return slice;
      await (this.#loads.get(offset) ?? this.#read(offset));
    }
  }

  #read(offset: number): Promise<void> {
    const bytes = new Uint8Array(this.sliceBytes);
    const load: Promise<void> = this.#file.read(offset, bytes).then(
      () => {
        // Somebody may have invalidated it meanwhile.
        if (this.#loads.get(offset) !== load) return;
        this.#loads.delete(offset);
        this.#insert(offset, bytes);
      },
      (error: unknown) => {
        if (this.#loads.get(offset) === load) this.#loads.delete(offset);
        throw error;
      },
    );
    this.#loads.set(offset, load);
    return load;
  }

  /** A slice known to be zero in the file. */
  create(offset: number): Slice {
    this.#loads.delete(offset);
    return this.#insert(offset, new Uint8Array(this.sliceBytes));
  }

  /** What lay there has been freed, or written by other means. */
  invalidate(offset: number, length: number): void {
    if (length / this.sliceBytes > this.#slices.size + this.#loads.size) {
      for (const at of [...this.#slices.keys(), ...this.#loads.keys()]) {
        if (at >= offset && at < offset + length) this.#drop(at);
      }
      return;
    }
    for (let at = offset; at < offset + length; at += this.sliceBytes) this.#drop(at);
  }

  /** Forgets everything that is clean. */
  clear(): void {
    this.#loads.clear();
    for (const [offset, slice] of this.#slices) if (!slice.dirty) this.#slices.delete(offset);
  }

  #drop(offset: number): void {
    this.#slices.delete(offset);
    this.#loads.delete(offset);
  }

  #insert(offset: number, bytes: Uint8Array): Slice {
    if (this.#slices.size >= this.#limit) this.#evict();
    const slice = { offset, bytes, view: viewOf(bytes), dirty: false, writing: false, used: true };
    this.#slices.set(offset, slice);
    return slice;
  }

  #evict(): void {
    let looked = 0;
    for (const [offset, slice] of this.#slices) {
      if (this.#slices.size < this.#limit || looked++ > 2 * this.#limit) return;
      this.#slices.delete(offset);
      if (slice.dirty || slice.writing || slice.used) {
        slice.used = false;
        this.#slices.set(offset, slice);
      }
    }
  }
}
