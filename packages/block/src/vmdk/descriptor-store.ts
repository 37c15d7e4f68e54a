import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { changeDescriptor, parseVmdkDescriptor } from './vmdk-descriptor.ts';
import type { VmdkDescriptor } from './vmdk-descriptor.ts';

/** A descriptor where it stands: in a file of its own, or in a sparse extent. */
export class DescriptorStore {
  readonly #file: BlockNode;
  readonly #offset: number;
  /** Bytes it may take; undefined: a file of its own, as long as it needs. */
  readonly #room: number | undefined;
  #descriptor: VmdkDescriptor;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    file: BlockNode,
    descriptor: VmdkDescriptor,
    place: { readonly offset: number; readonly room?: number },
  ) {
    this.#file = file;
    this.#descriptor = descriptor;
    this.#offset = place.offset;
    this.#room = place.room;
  }

  get descriptor(): VmdkDescriptor {
    return this.#descriptor;
  }

  /** Changes settings in the file; only the bytes that differ are written, mostly eight. */
  change(change: Parameters<typeof changeDescriptor>[1]): Promise<void> {
    const next = this.#writing.then(() => this.#change(change));
    this.#writing = next.catch(() => {});
    return next;
  }

  async #change(change: Parameters<typeof changeDescriptor>[1]): Promise<void> {
    const old = new TextEncoder().encode(this.#descriptor.text);
    const text = changeDescriptor(this.#descriptor.text, change);
    const bytes = new TextEncoder().encode(text);
    if (this.#room !== undefined && bytes.length > this.#room) {
      throw new PolyvisorError('limit', {
        what: 'VMDK descriptor is full',
        which: this.#file.name,
        limit: `${bytes.length} of ${this.#room} bytes`,
      });
    }
    const padded = new Uint8Array(Math.max(old.length, bytes.length));
    padded.set(bytes);
    let from = 0;
    while (from < padded.length && padded[from] === old[from]) from++;
    let to = padded.length;
    while (to > from && padded[to - 1] === (old[to - 1] ?? -1)) to--;
    if (from < to) await this.#file.write(this.#offset + from, padded.subarray(from, to));
    if (this.#room === undefined && bytes.length < old.length) {
      await this.#file.resize?.(bytes.length, { shrink: true });
    }
    this.#descriptor = parseVmdkDescriptor(text, this.#file.name);
  }
}
