import type { ElementMemory } from '@polyvisor/virtio';
import { QueueElement } from '@polyvisor/virtio';

const nowhere: ElementMemory = { bytes: new Uint8Array(), wrote() {} };
const nothing = new Uint8Array();

/** A queue element that came in a message: what it has to read is there, what is written goes back with its completion. */
export class MessageElement extends QueueElement {
  /** The owner's number of it. */
  readonly key: number;
  readonly #source: Uint8Array;
  #target = nothing;
  /** Bytes of the target that were written, from its start. */
  #high = 0;

  constructor(key: number, source: Uint8Array, writableBytes: number, again: boolean) {
    super(nowhere);
    this.key = key;
    this.#source = source;
    if (source.length > 0) this.readable.add(0, 0, source.length);
    if (writableBytes > 0) this.writable.add(0, 0, writableBytes);
    this.live = true;
    this.again = again;
  }

  override read(position: number, target: Uint8Array, start = 0, length = target.length - start): number {
    if (!this.live) return 0;
    const count = Math.max(0, Math.min(length, this.#source.length - position));
    target.set(this.#source.subarray(position, position + count), start);
    return count;
  }

  override write(position: number, source: Uint8Array, start = 0, length = source.length - start): number {
    if (!this.live) return 0;
    const room = this.writable.bytes;
    const count = Math.max(0, Math.min(length, room - position));
    if (this.#target.length === 0) this.#target = new Uint8Array(room);
    this.#target.set(source.subarray(start, start + count), position);
    this.#high = Math.max(this.#high, position + count);
    return count;
  }

  /** What goes back when `written` bytes count as written; a view that nothing changes any more. */
  result(written: number): Uint8Array {
    return this.#target.subarray(0, Math.min(written, this.#high));
  }
}
