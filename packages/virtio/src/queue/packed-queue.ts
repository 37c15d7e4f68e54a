import type { GuestMemory } from '@polyvisor/contracts';
import { addDescriptor, locatePart, openIndirect } from './chain.ts';
import type { QueueElement } from './element.ts';
import { RingQueue } from './ring-queue.ts';
import type { QueueEvents, QueuePosition, QueueSetup, QueueViolation, Virtqueue } from './virtqueue.ts';
import {
  DESCRIPTOR_BYTES,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from './virtqueue.ts';

/** Event suppression flags (VIRTIO 1.3, section 2.8.10). */
const RING_EVENT_FLAGS_ENABLE = 0;
const RING_EVENT_FLAGS_DISABLE = 1;
const RING_EVENT_FLAGS_DESC = 2;
const EVENT_BYTES = 4;
/** A position as registers and event structures have it: index in bits 0-14, wrap counter in bit 15. */
const WRAP = 0x8000;
const INDEX = 0x7fff;
/** Both wrap counters start at 1. */
const START: QueuePosition = { nextAvail: WRAP, nextUsed: WRAP };

/**
 * Opens a packed virtqueue (VIRTIO 1.3, section 2.8) at `position`.
 * A setup that can't work is reported through `events` and gives a queue that is dead from the start.
 */
export function createPackedQueue(
  setup: QueueSetup,
  memory: GuestMemory,
  events: QueueEvents,
  position: QueuePosition = START,
): Virtqueue {
  return new PackedQueue(setup, memory, events, position);
}

class PackedQueue extends RingQueue implements Virtqueue {
  readonly #ringGpa: number;
  readonly #deviceGpa: number;
  /** Offsets in the backing buffer; the event structures' as indices of 16-bit words. */
  #ring = 0;
  #driverWord = 0;
  #deviceWord = 0;
  #availIndex: number;
  #availWrap: boolean;
  #usedIndex: number;
  #usedWrap: boolean;
  /** Descriptors of the elements in flight. */
  #slots = 0;
  /** Descriptors used since the last {@link signal}. */
  #unsignalled = 0;
  /** Position that the device event structure names; -1 while it holds something else. */
  #deviceEvent = -1;

  constructor(setup: QueueSetup, memory: GuestMemory, events: QueueEvents, position: QueuePosition) {
    super(setup, memory, events);
    this.#ringGpa = setup.descriptors;
    this.#deviceGpa = setup.device;
    this.#availIndex = position.nextAvail & INDEX;
    this.#availWrap = (position.nextAvail & WRAP) !== 0;
    this.#usedIndex = position.nextUsed & INDEX;
    this.#usedWrap = (position.nextUsed & WRAP) !== 0;
    this.#locate(setup);
  }

  #locate(setup: QueueSetup): void {
    const { size } = this;
    const ring = locatePart(this.memory, setup.descriptors, size * DESCRIPTOR_BYTES, 16);
    const driver = locatePart(this.memory, setup.driver, EVENT_BYTES, 4);
    const device = locatePart(this.memory, setup.device, EVENT_BYTES, 4);
    const inside = this.#availIndex < size && this.#usedIndex < size;
    if (ring < 0 || driver < 0 || device < 0 || !inside) {
      this.fail('queue address');
      return;
    }
    this.#ring = ring;
    this.#driverWord = driver / 2;
    this.#deviceWord = device / 2;
  }

  position(): QueuePosition {
    return {
      nextAvail: this.#availIndex | (this.#availWrap ? WRAP : 0),
      nextUsed: this.#usedIndex | (this.#usedWrap ? WRAP : 0),
    };
  }

  pop(): QueueElement | undefined {
    if (this.dead || !this.#available()) return undefined;
    const element = this.pool.take();
    if (element === undefined) return this.broken('too many in flight');
    const violation = this.#walk(element);
    if (violation !== undefined) {
      this.pool.give(element);
      return this.broken(violation);
    }
    this.#slots += element.slots;
    this.#moveAvail(element.slots);
    return element;
  }

  /** Whether there is an element to take; asks for a notification, then looks again, before it says no. */
  #available(): boolean {
    if (this.#isAvailable()) return true;
    const position = this.eventIndex ? this.position().nextAvail : 0;
    if (this.#deviceEvent === position) return false;
    this.#deviceEvent = position;
    Atomics.store(this.words, this.#deviceWord, position);
    const flags = this.eventIndex ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE;
    Atomics.store(this.words, this.#deviceWord + 1, flags);
    this.memory.wrote(this.#deviceGpa, EVENT_BYTES);
    return this.#isAvailable();
  }

  #isAvailable(): boolean {
    const flags = Atomics.load(this.words, (this.#ring + this.#availIndex * DESCRIPTOR_BYTES + 14) / 2);
    return (
      ((flags & VIRTQ_DESC_F_AVAIL) !== 0) === this.#availWrap &&
      ((flags & VIRTQ_DESC_F_USED) !== 0) !== this.#availWrap
    );
  }

  #walk(element: QueueElement): QueueViolation | undefined {
    const room = this.size - this.#slots;
    let index = this.#availIndex;
    for (let count = 1; count <= room; count++) {
      const descriptor = this.#ring + index * DESCRIPTOR_BYTES;
      const flags = this.view.getUint16(descriptor + 14, true);
      element.id = this.view.getUint16(descriptor + 12, true);
      element.slots = count;
      const more = (flags & VIRTQ_DESC_F_NEXT) !== 0;
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.indirect) return 'indirect not negotiated';
        return more || count > 1 ? 'indirect with next' : this.#walkTable(element, descriptor);
      }
      const violation = addDescriptor(this.memory, element, descriptor, flags);
      if (violation !== undefined || !more) return violation;
      index = index + 1 === this.size ? 0 : index + 1;
    }
    return this.#slots === 0 ? 'chain too long' : 'too many in flight';
  }

  #walkTable(element: QueueElement, descriptor: number): QueueViolation | undefined {
    const violation = openIndirect(this.memory, descriptor, this.table);
    if (violation !== undefined) return violation;
    for (let index = 0; index < this.table.entries; index++) {
      const entry = this.table.offset + index * DESCRIPTOR_BYTES;
      const wrong = addDescriptor(this.memory, element, entry, this.view.getUint16(entry + 14, true));
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #moveAvail(slots: number): void {
    this.#availIndex += slots;
    if (this.#availIndex < this.size) return;
    this.#availIndex -= this.size;
    this.#availWrap = !this.#availWrap;
  }

  undoPop(element: QueueElement): void {
    if (this.dead || !this.pool.give(element)) return;
    this.#slots -= element.slots;
    this.#availIndex -= element.slots;
    if (this.#availIndex >= 0) return;
    this.#availIndex += this.size;
    this.#availWrap = !this.#availWrap;
  }

  push(element: QueueElement, written: number): void {
    if (this.dead || !element.live) return;
    const index = this.#usedIndex;
    const flags = this.#use(element, written);
    this.#publish(index, flags);
  }

  /** The first descriptor is handed over last (VIRTIO 1.3, section 2.8.9). */
  pushTogether(elements: readonly QueueElement[], written: readonly number[], count: number): void {
    if (this.dead) return;
    const first = this.#usedIndex;
    let firstFlags = -1;
    for (let at = 0; at < count; at++) {
      if (!elements[at]!.live) continue;
      const index = this.#usedIndex;
      const flags = this.#use(elements[at]!, written[at]!);
      if (firstFlags < 0) firstFlags = flags;
      else this.#publish(index, flags);
    }
    if (firstFlags >= 0) this.#publish(first, firstFlags);
  }

  /** Writes a used descriptor but for its flags, which it returns. */
  #use(element: QueueElement, written: number): number {
    element.announce(written);
    this.pool.give(element);
    const at = this.#ring + this.#usedIndex * DESCRIPTOR_BYTES;
    this.view.setUint32(at + 8, written, true);
    this.view.setUint16(at + 12, element.id, true);
    const wrap = this.#usedWrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
    this.#slots -= element.slots;
    this.#unsignalled += element.slots;
    this.#usedIndex += element.slots;
    if (this.#usedIndex >= this.size) {
      this.#usedIndex -= this.size;
      this.#usedWrap = !this.#usedWrap;
    }
    return wrap | (written > 0 ? VIRTQ_DESC_F_WRITE : 0);
  }

  /** The flags hand the descriptor over. */
  #publish(index: number, flags: number): void {
    const descriptor = index * DESCRIPTOR_BYTES;
    Atomics.store(this.words, (this.#ring + descriptor + 14) / 2, flags);
    this.memory.wrote(this.#ringGpa + descriptor, DESCRIPTOR_BYTES);
  }

  signal(): void {
    const used = this.#unsignalled;
    this.#unsignalled = 0;
    if (!this.dead && used > 0 && this.#wanted(used)) this.events.interrupt();
  }

  #wanted(used: number): boolean {
    const flags = Atomics.load(this.words, this.#driverWord + 1) & 3;
    if (flags === RING_EVENT_FLAGS_DISABLE) return false;
    if (flags !== RING_EVENT_FLAGS_DESC || !this.eventIndex) return true;
    const event = Atomics.load(this.words, this.#driverWord);
    // How far the event lies behind the next used position, over two turns of the ring.
    const turn = ((event & WRAP) !== 0) === this.#usedWrap ? 0 : this.size;
    const behind = this.#usedIndex + turn - (event & INDEX);
    return (behind <= 0 ? behind + 2 * this.size : behind) <= used;
  }
}
