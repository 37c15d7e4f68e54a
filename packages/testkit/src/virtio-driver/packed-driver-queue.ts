import type { Buffer, Completion, DriverQueue, DriverQueueOptions, Piece } from './driver-queue.ts';
import { collectWritable, placePieces } from './driver-queue.ts';
import type { FakeMemory } from './fake-memory.ts';

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL = 1 << 7;
const USED = 1 << 15;
const EVENT_ENABLE = 0;
const EVENT_DISABLE = 1;
const EVENT_DESC = 2;

interface Pending {
  readonly token: number;
  readonly buffers: readonly Buffer[];
  readonly slots: number;
}

/** The driver's end of a packed queue (VIRTIO 1.3, section 2.8), written from the spec and apart from the device's. */
export class PackedDriverQueue implements DriverQueue {
  readonly size: number;
  readonly addresses: { readonly descriptors: number; readonly driver: number; readonly device: number };
  placed: number[] = [];
  readonly #memory: FakeMemory;
  readonly #indirect: boolean;
  readonly #eventIndex: boolean;
  readonly #freeIds: number[];
  readonly #pending = new Map<number, Pending>();
  #availIndex = 0;
  #availWrap = true;
  #usedIndex = 0;
  #usedWrap = true;
  #freeSlots: number;
  #added = 0;
  #tokens = 0;

  constructor(memory: FakeMemory, options: DriverQueueOptions) {
    this.size = options.size;
    this.#memory = memory;
    this.#indirect = options.indirect ?? false;
    this.#eventIndex = options.eventIndex ?? false;
    this.#freeSlots = options.size;
    this.#freeIds = Array.from({ length: options.size }, (_, index) => index);
    this.addresses = {
      descriptors: memory.allocate(16 * options.size, 16),
      driver: memory.allocate(4, 4),
      device: memory.allocate(4, 4),
    };
  }

  add(pieces: readonly Piece[]): number {
    const buffers = placePieces(this.#memory, pieces);
    const slots = this.#indirect ? 1 : buffers.length;
    const id = this.#freeIds.shift();
    if (id === undefined || slots > this.#freeSlots) throw new Error('the driver has no free descriptors');
    const token = this.#tokens++;
    this.#pending.set(id, { token, buffers, slots });
    this.#freeSlots -= slots;
    this.#added += slots;
    this.placed = [];
    if (this.#indirect) this.#addIndirect(id, buffers);
    else this.#addDirect(id, buffers);
    return token;
  }

  #addIndirect(id: number, buffers: readonly Buffer[]): void {
    const table = this.#memory.allocate(16 * buffers.length, 16);
    buffers.forEach((buffer, index) => {
      this.placed.push(table + 16 * index);
      this.#memory.setU64(table + 16 * index, buffer.gpa);
      this.#memory.setU32(table + 16 * index + 8, buffer.length);
      this.#memory.setU16(table + 16 * index + 14, buffer.writable ? WRITE : 0);
    });
    const flags = this.#place(id, { gpa: table, length: 16 * buffers.length, writable: false }, INDIRECT);
    this.#memory.setAtomicU16(flags.at, flags.value);
  }

  #addDirect(id: number, buffers: readonly Buffer[]): void {
    let first: { at: number; value: number } | undefined;
    buffers.forEach((buffer, index) => {
      const more = index + 1 < buffers.length ? NEXT : 0;
      const flags = this.#place(id, buffer, more | (buffer.writable ? WRITE : 0));
      if (first === undefined) first = flags;
      else this.#memory.setU16(flags.at, flags.value);
    });
    // The first one hands over the whole list.
    if (first !== undefined) this.#memory.setAtomicU16(first.at, first.value);
  }

  #place(id: number, buffer: Buffer, flags: number): { at: number; value: number } {
    const at = this.addresses.descriptors + 16 * this.#availIndex;
    this.placed.push(at);
    this.#memory.setU64(at, buffer.gpa);
    this.#memory.setU32(at + 8, buffer.length);
    this.#memory.setU16(at + 12, id);
    const value = flags | (this.#availWrap ? AVAIL : USED);
    if (++this.#availIndex === this.size) {
      this.#availIndex = 0;
      this.#availWrap = !this.#availWrap;
    }
    return { at: at + 14, value };
  }

  kickNeeded(): boolean {
    const added = this.#added;
    this.#added = 0;
    if (added === 0) return false;
    const flags = this.#memory.atomicU16(this.addresses.device + 2) & 3;
    if (flags !== EVENT_DESC) return flags === EVENT_ENABLE;
    const event = this.#memory.atomicU16(this.addresses.device);
    // Walks back over what was added: was the descriptor that the device named among it?
    let index = this.#availIndex;
    let wrap = this.#availWrap;
    for (let count = 0; count < added; count++) {
      if (--index < 0) {
        index = this.size - 1;
        wrap = !wrap;
      }
      if (event === (index | (wrap ? 0x8000 : 0))) return true;
    }
    return false;
  }

  poll(): Completion | undefined {
    const at = this.addresses.descriptors + 16 * this.#usedIndex;
    const flags = this.#memory.atomicU16(at + 14);
    if (((flags & USED) !== 0) !== this.#usedWrap || ((flags & AVAIL) !== 0) !== this.#usedWrap)
      return undefined;
    const id = this.#memory.u16(at + 12);
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new Error(`the device used buffer ${id}, which it doesn't have`);
    this.#pending.delete(id);
    this.#freeIds.push(id);
    this.#freeSlots += pending.slots;
    this.#usedIndex += pending.slots;
    if (this.#usedIndex >= this.size) {
      this.#usedIndex -= this.size;
      this.#usedWrap = !this.#usedWrap;
    }
    const written = (flags & WRITE) !== 0 ? this.#memory.u32(at + 8) : 0;
    return { token: pending.token, written, data: collectWritable(this.#memory, pending.buffers) };
  }

  wantInterrupt(wanted: boolean): void {
    if (wanted && this.#eventIndex) {
      this.#memory.setAtomicU16(this.addresses.driver, this.#usedIndex | (this.#usedWrap ? 0x8000 : 0));
      this.#memory.setAtomicU16(this.addresses.driver + 2, EVENT_DESC);
      return;
    }
    this.#memory.setAtomicU16(this.addresses.driver + 2, wanted ? EVENT_ENABLE : EVENT_DISABLE);
  }
}
