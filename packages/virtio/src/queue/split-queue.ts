import type { GuestMemory } from '@polyvisor/contracts';
import { addDescriptor, locatePart, openIndirect } from './chain.ts';
import type { QueueElement } from './element.ts';
import { RingQueue } from './ring-queue.ts';
import type { QueueEvents, QueuePosition, QueueSetup, QueueViolation, Virtqueue } from './virtqueue.ts';
import {
  DESCRIPTOR_BYTES,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
} from './virtqueue.ts';

/** Byte offsets in the available and used rings (VIRTIO 1.3, sections 2.7.6 and 2.7.8). */
const RING_INDEX = 2;
const RING_ENTRIES = 4;
const AVAIL_ENTRY_BYTES = 2;
const USED_ENTRY_BYTES = 8;
const INDEX_MASK = 0xffff;

/**
 * Opens a split virtqueue (VIRTIO 1.3, section 2.7) at `position`.
 * A setup that can't work is reported through `events` and gives a queue that is dead from the start.
 */
export function createSplitQueue(
  setup: QueueSetup,
  memory: GuestMemory,
  events: QueueEvents,
  position: QueuePosition = { nextAvail: 0, nextUsed: 0 },
): SplitVirtqueue {
  return new SplitQueue(setup, memory, events, position);
}

/** A split queue, which can take up what another device process left. */
export interface SplitVirtqueue extends Virtqueue {
  /** Takes a request again by its head, which was popped by somebody who is gone and not used. */
  retake(head: number): QueueElement | undefined;
  /** Gives up an element that was retaken: it can be retaken again. */
  forgo(element: QueueElement): void;
}

/** Index of the used ring as the driver sees it; -1 when there is no ring there. */
export function usedIndex(setup: QueueSetup, memory: GuestMemory): number {
  const used = locatePart(memory, setup.device, RING_ENTRIES, 4);
  return used < 0 ? -1 : Atomics.load(memory.words, (used + RING_INDEX) / 2);
}

class SplitQueue extends RingQueue implements SplitVirtqueue {
  /** Offsets in the backing buffer; the rings' as indices of 16-bit words. */
  #descriptors = 0;
  #availWord = 0;
  #used = 0;
  #usedGpa: number;
  #nextAvail: number;
  #nextUsed: number;
  #signalled: number;
  /** What avail_event holds; -1 while unknown. */
  #availEvent = -1;

  constructor(setup: QueueSetup, memory: GuestMemory, events: QueueEvents, position: QueuePosition) {
    super(setup, memory, events);
    this.#usedGpa = setup.device;
    this.#nextAvail = position.nextAvail & INDEX_MASK;
    this.#nextUsed = position.nextUsed & INDEX_MASK;
    this.#signalled = this.#nextUsed;
    this.#locate(setup);
  }

  #locate(setup: QueueSetup): void {
    const { size } = this;
    const descriptors = locatePart(this.memory, setup.descriptors, size * DESCRIPTOR_BYTES, 16);
    const avail = locatePart(this.memory, setup.driver, RING_ENTRIES + size * AVAIL_ENTRY_BYTES + 2, 2);
    const used = locatePart(this.memory, setup.device, RING_ENTRIES + size * USED_ENTRY_BYTES + 2, 4);
    const powerOfTwo = size > 0 && (size & (size - 1)) === 0;
    if (descriptors < 0 || avail < 0 || used < 0 || !powerOfTwo) {
      this.fail('queue address');
      return;
    }
    this.#descriptors = descriptors;
    this.#availWord = avail / 2;
    this.#used = used;
  }

  position(): QueuePosition {
    return { nextAvail: this.#nextAvail, nextUsed: this.#nextUsed };
  }

  pop(): QueueElement | undefined {
    if (this.dead) return undefined;
    const pending = this.#pending();
    if (pending === 0) return undefined;
    if (pending > this.size) return this.broken('available index');
    const slot = this.#nextAvail & (this.size - 1);
    const head = Atomics.load(this.words, this.#availWord + RING_ENTRIES / 2 + slot);
    const element = this.#take(head);
    if (element !== undefined) this.#nextAvail = (this.#nextAvail + 1) & INDEX_MASK;
    return element;
  }

  retake(head: number): QueueElement | undefined {
    return this.dead ? undefined : this.#take(head);
  }

  forgo(element: QueueElement): void {
    if (!this.dead) this.pool.give(element);
  }

  #take(head: number): QueueElement | undefined {
    if (head >= this.size) return this.broken('head index');
    const element = this.pool.take();
    if (element === undefined) return this.broken('too many in flight');
    element.id = head;
    const violation = this.#walk(element, head);
    if (violation !== undefined) {
      this.pool.give(element);
      return this.broken(violation);
    }
    return element;
  }

  /** Number of entries to take; asks for a notification, then looks again, before it says none. */
  #pending(): number {
    const indexWord = this.#availWord + RING_INDEX / 2;
    const pending = (Atomics.load(this.words, indexWord) - this.#nextAvail) & INDEX_MASK;
    if (pending !== 0 || !this.eventIndex || this.#availEvent === this.#nextAvail) return pending;
    this.#availEvent = this.#nextAvail;
    const offset = this.#used + RING_ENTRIES + this.size * USED_ENTRY_BYTES;
    Atomics.store(this.words, offset / 2, this.#nextAvail);
    this.memory.wrote(this.#usedGpa + offset - this.#used, 2);
    return (Atomics.load(this.words, indexWord) - this.#nextAvail) & INDEX_MASK;
  }

  #walk(element: QueueElement, head: number): QueueViolation | undefined {
    let base = this.#descriptors;
    let entries = this.size;
    let index = head;
    let nested = false;
    // Bounds the work whatever the descriptors say: each one of a table can be visited once.
    for (let left = entries; left > 0; left--) {
      const descriptor = base + index * DESCRIPTOR_BYTES;
      const flags = this.view.getUint16(descriptor + 12, true);
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.indirect) return 'indirect not negotiated';
        if (nested) return 'indirect nested';
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0) return 'indirect with next';
        const violation = openIndirect(this.memory, descriptor, this.table);
        if (violation !== undefined) return violation;
        nested = true;
        base = this.table.offset;
        entries = this.table.entries;
        index = 0;
        left = entries + 1;
        continue;
      }
      const violation = addDescriptor(this.memory, element, descriptor, flags);
      if (violation !== undefined) return violation;
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return undefined;
      index = this.view.getUint16(descriptor + 14, true);
      if (index >= entries) return 'next index';
    }
    return 'chain too long';
  }

  undoPop(element: QueueElement): void {
    if (this.dead || !this.pool.give(element)) return;
    this.#nextAvail = (this.#nextAvail - 1) & INDEX_MASK;
  }

  push(element: QueueElement, written: number): void {
    if (this.dead || !element.live) return;
    this.#use(element, written);
    this.#publish();
  }

  pushTogether(elements: readonly QueueElement[], written: readonly number[], count: number): void {
    if (this.dead) return;
    for (let index = 0; index < count; index++) {
      if (elements[index]!.live) this.#use(elements[index]!, written[index]!);
    }
    this.#publish();
  }

  #use(element: QueueElement, written: number): void {
    element.announce(written);
    this.pool.give(element);
    const entry = RING_ENTRIES + (this.#nextUsed & (this.size - 1)) * USED_ENTRY_BYTES;
    this.view.setUint32(this.#used + entry, element.id, true);
    this.view.setUint32(this.#used + entry + 4, written, true);
    this.memory.wrote(this.#usedGpa + entry, USED_ENTRY_BYTES);
    this.#nextUsed = (this.#nextUsed + 1) & INDEX_MASK;
  }

  #publish(): void {
    Atomics.store(this.words, (this.#used + RING_INDEX) / 2, this.#nextUsed);
    this.memory.wrote(this.#usedGpa + RING_INDEX, 2);
  }

  signal(): void {
    if (this.dead || this.#signalled === this.#nextUsed) return;
    const pushed = (this.#nextUsed - this.#signalled) & INDEX_MASK;
    this.#signalled = this.#nextUsed;
    if (this.#wanted(pushed)) this.events.interrupt();
  }

  #wanted(pushed: number): boolean {
    if (!this.eventIndex) {
      return (Atomics.load(this.words, this.#availWord) & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
    }
    const usedEvent = Atomics.load(this.words, this.#availWord + RING_ENTRIES / 2 + this.size);
    // VIRTIO 1.3, section 2.7.7.1: when the entry numbered used_event was among those just pushed.
    return ((this.#nextUsed - usedEvent - 1) & INDEX_MASK) < pushed;
  }
}
