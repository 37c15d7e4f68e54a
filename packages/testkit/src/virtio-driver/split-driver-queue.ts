import type { Buffer, Completion, DriverQueue, DriverQueueOptions, Piece } from './driver-queue.ts';
import { collectWritable, placePieces } from './driver-queue.ts';
import type { FakeMemory } from './fake-memory.ts';

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

interface Pending {
  readonly token: number;
  readonly buffers: readonly Buffer[];
  readonly slots: readonly number[];
}

/** The driver's end of a split queue (VIRTIO 1.3, section 2.7), written from the spec and apart from the device's. */
export class SplitDriverQueue implements DriverQueue {
  readonly size: number;
  readonly addresses: { readonly descriptors: number; readonly driver: number; readonly device: number };
  placed: number[] = [];
  readonly #memory: FakeMemory;
  readonly #indirect: boolean;
  readonly #eventIndex: boolean;
  readonly #free: number[];
  readonly #pending = new Map<number, Pending>();
  #availIndex = 0;
  #kickedIndex = 0;
  #usedIndex = 0;
  #tokens = 0;

  constructor(memory: FakeMemory, options: DriverQueueOptions) {
    this.size = options.size;
    this.#memory = memory;
    this.#indirect = options.indirect ?? false;
    this.#eventIndex = options.eventIndex ?? false;
    this.#free = Array.from({ length: options.size }, (_, index) => index);
    this.addresses = {
      descriptors: memory.allocate(16 * options.size, 16),
      driver: memory.allocate(6 + 2 * options.size, 2),
      device: memory.allocate(6 + 8 * options.size, 4),
    };
  }

  add(pieces: readonly Piece[]): number {
    const buffers = placePieces(this.#memory, pieces);
    this.placed = [];
    const slots = this.#indirect ? this.#addIndirect(buffers) : this.#addDirect(buffers);
    const token = this.#tokens++;
    this.#pending.set(slots[0]!, { token, buffers, slots });
    this.#memory.setU16(this.addresses.driver + 4 + 2 * (this.#availIndex % this.size), slots[0]!);
    this.#availIndex = (this.#availIndex + 1) & 0xffff;
    this.#memory.setAtomicU16(this.addresses.driver + 2, this.#availIndex);
    return token;
  }

  #take(count: number): number[] {
    if (this.#free.length < count) throw new Error('the driver has no free descriptors');
    return this.#free.splice(0, count);
  }

  #addDirect(buffers: readonly Buffer[]): number[] {
    const slots = this.#take(buffers.length);
    this.#write(this.addresses.descriptors, buffers, slots);
    return slots;
  }

  #addIndirect(buffers: readonly Buffer[]): number[] {
    const slots = this.#take(1);
    const table = this.#memory.allocate(16 * buffers.length, 16);
    this.#write(table, buffers, [...buffers.keys()]);
    const at = this.addresses.descriptors + 16 * slots[0]!;
    this.placed.push(at);
    this.#memory.setU64(at, table);
    this.#memory.setU32(at + 8, 16 * buffers.length);
    this.#memory.setU16(at + 12, INDIRECT);
    return slots;
  }

  #write(table: number, buffers: readonly Buffer[], slots: readonly number[]): void {
    buffers.forEach((buffer, index) => {
      const at = table + 16 * slots[index]!;
      const next = slots[index + 1];
      this.placed.push(at);
      this.#memory.setU64(at, buffer.gpa);
      this.#memory.setU32(at + 8, buffer.length);
      this.#memory.setU16(at + 12, (buffer.writable ? WRITE : 0) | (next === undefined ? 0 : NEXT));
      this.#memory.setU16(at + 14, next ?? 0);
    });
  }

  kickNeeded(): boolean {
    const added = (this.#availIndex - this.#kickedIndex) & 0xffff;
    this.#kickedIndex = this.#availIndex;
    if (!this.#eventIndex) return added > 0 && (this.#memory.atomicU16(this.addresses.device) & 1) === 0;
    const event = this.#memory.atomicU16(this.addresses.device + 4 + 8 * this.size);
    return ((this.#availIndex - event - 1) & 0xffff) < added;
  }

  poll(): Completion | undefined {
    if (this.#memory.atomicU16(this.addresses.device + 2) === this.#usedIndex) return undefined;
    const entry = this.addresses.device + 4 + 8 * (this.#usedIndex % this.size);
    const id = this.#memory.u32(entry);
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new Error(`the device used descriptor ${id}, which it doesn't have`);
    this.#pending.delete(id);
    this.#free.push(...pending.slots);
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    const written = this.#memory.u32(entry + 4);
    return { token: pending.token, written, data: collectWritable(this.#memory, pending.buffers) };
  }

  wantInterrupt(wanted: boolean): void {
    const event = wanted ? this.#usedIndex : (this.#usedIndex - 1) & 0xffff;
    if (this.#eventIndex) this.#memory.setAtomicU16(this.addresses.driver + 4 + 2 * this.size, event);
    else this.#memory.setU16(this.addresses.driver, wanted ? 0 : 1);
  }
}
