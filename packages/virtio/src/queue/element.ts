/** What a queue element needs of the memory that it lies in; `GuestMemory` fits it, a message buffer can. */
export interface ElementMemory {
  readonly bytes: Uint8Array;
  wrote(gpa: number, length: number): void;
}

const FIRST_CAPACITY = 8;

/**
 * The readable or the writable half of a queue element: segments in order, as offsets into
 * {@link ElementMemory.bytes}. Arrays are reused between elements; only the first {@link count} entries count.
 */
export class Segments {
  count = 0;
  /** Sum of the lengths. */
  bytes = 0;
  offsets = new Float64Array(FIRST_CAPACITY);
  gpas = new Float64Array(FIRST_CAPACITY);
  lengths = new Float64Array(FIRST_CAPACITY);

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  add(gpa: number, offset: number, length: number): void {
    const at = this.count;
    if (at === this.offsets.length) this.#grow();
    this.gpas[at] = gpa;
    this.offsets[at] = offset;
    this.lengths[at] = length;
    this.count = at + 1;
    this.bytes += length;
  }

  #grow(): void {
    const capacity = this.offsets.length * 2;
    for (const field of ['offsets', 'gpas', 'lengths'] as const) {
      const bigger = new Float64Array(capacity);
      bigger.set(this[field]);
      this[field] = bigger;
    }
  }
}

/**
 * One request of the driver: bytes to read and room to write, already checked to lie in guest RAM.
 * Owned by the device from `pop` until `push`; the object is then used again for another request.
 */
export class QueueElement {
  readonly memory: ElementMemory;
  readonly readable = new Segments();
  readonly writable = new Segments();
  /** What the used ring reports: head index (split) or buffer id (packed). */
  id = 0;
  /** Ring slots that it takes; 1 in a split queue. */
  slots = 1;
  /** It was begun before, by a device process that is gone: it may be done already. */
  again = false;
  /** False once its queue was reset: reads give nothing and writes are dropped. */
  live = false;

  constructor(memory: ElementMemory) {
    this.memory = memory;
  }

  /**
   * Copies bytes of the readable half, from `position` on, into `target`.
   * @returns how many there were, at most `length`.
   */
  read(position: number, target: Uint8Array, start = 0, length = target.length - start): number {
    if (!this.live) return 0;
    return copy(this.readable, position, length, this.memory.bytes, target, start, true);
  }

  /**
   * Copies bytes into the writable half at `position`.
   * `push` announces them (dirty log, overwritten code) as far as its `written` says.
   * @returns how many fitted, at most `length`.
   */
  write(position: number, source: Uint8Array, start = 0, length = source.length - start): number {
    if (!this.live) return 0;
    return copy(this.writable, position, length, this.memory.bytes, source, start, false);
  }

  /** Announces the first `written` bytes of the writable half. Called by `push`. */
  announce(written: number): void {
    const { count, gpas, lengths } = this.writable;
    let left = written;
    for (let index = 0; index < count && left > 0; index++) {
      const length = Math.min(left, lengths[index]!);
      this.memory.wrote(gpas[index]!, length);
      left -= length;
    }
  }
}

function copy(
  segments: Segments,
  position: number,
  length: number,
  memory: Uint8Array,
  other: Uint8Array,
  start: number,
  out: boolean,
): number {
  const { count, offsets, lengths } = segments;
  let skip = position;
  let done = 0;
  for (let index = 0; index < count && done < length; index++) {
    const size = lengths[index]!;
    if (skip >= size) {
      skip -= size;
      continue;
    }
    const part = Math.min(size - skip, length - done);
    const from = offsets[index]! + skip;
    if (out) move(other, start + done, memory, from, part);
    else move(memory, from, other, start + done, part);
    done += part;
    skip = 0;
  }
  return done;
}

// Below this a loop beats a subarray, which is an allocation.
const LOOP_BYTES = 32;

function move(target: Uint8Array, at: number, source: Uint8Array, from: number, length: number): void {
  if (length <= LOOP_BYTES) {
    for (let index = 0; index < length; index++) target[at + index] = source[from + index]!;
    return;
  }
  target.set(source.subarray(from, from + length), at);
}
