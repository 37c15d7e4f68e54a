import type { GuestMemory } from '@polyvisor/contracts';
import type { QueueElement } from './element.ts';
import type { QueueViolation } from './virtqueue.ts';
import { DESCRIPTOR_BYTES, VIRTQ_DESC_F_WRITE } from './virtqueue.ts';

/** VIRTIO 1.3, section 2.7.5.2: a chain is at most 2^32 bytes in total. */
const CHAIN_BYTES_LIMIT = 2 ** 32;
/** High half of the first address that a number can't hold exactly. */
const ADDRESS_HIGH_LIMIT = 1 << 21;
/**
 * Entries of an indirect table. The spec says the queue size, but Linux makes longer ones on small queues,
 * which QEMU takes up to this number.
 */
const TABLE_ENTRIES_LIMIT = 1024;

/** The address at `offset` of a descriptor or register pair; -1 when no RAM can be there. */
export function joinAddress(low: number, high: number): number {
  return high >= ADDRESS_HIGH_LIMIT ? -1 : high * 2 ** 32 + low;
}

/**
 * Checks one descriptor and adds it to the element.
 * @returns what is wrong with it, or undefined.
 */
export function addDescriptor(
  memory: GuestMemory,
  element: QueueElement,
  descriptor: number,
  flags: number,
): QueueViolation | undefined {
  const { view } = memory;
  const address = joinAddress(view.getUint32(descriptor, true), view.getUint32(descriptor + 4, true));
  const length = view.getUint32(descriptor + 8, true);
  if (length === 0) return 'empty buffer';
  const offset = address < 0 ? -1 : memory.locate(address, length);
  if (offset < 0) return 'buffer address';
  if (element.readable.bytes + element.writable.bytes + length > CHAIN_BYTES_LIMIT) return 'chain too long';
  if ((flags & VIRTQ_DESC_F_WRITE) !== 0) {
    element.writable.add(address, offset, length);
    return undefined;
  }
  if (element.writable.count > 0) return 'readable after writable';
  element.readable.add(address, offset, length);
  return undefined;
}

/** Offset and number of descriptors of an indirect table; filled by {@link openIndirect}, one per queue. */
export interface IndirectTable {
  offset: number;
  entries: number;
}

/** Checks the descriptor that refers to an indirect table. */
export function openIndirect(
  memory: GuestMemory,
  descriptor: number,
  table: IndirectTable,
): QueueViolation | undefined {
  const { view } = memory;
  const address = joinAddress(view.getUint32(descriptor, true), view.getUint32(descriptor + 4, true));
  const length = view.getUint32(descriptor + 8, true);
  if (length === 0 || length % DESCRIPTOR_BYTES !== 0 || length > TABLE_ENTRIES_LIMIT * DESCRIPTOR_BYTES) {
    return 'indirect table size';
  }
  const offset = address < 0 ? -1 : memory.locate(address, length);
  if (offset < 0) return 'buffer address';
  table.offset = offset;
  table.entries = length / DESCRIPTOR_BYTES;
  return undefined;
}

/** Offset of a queue part, or -1 when it isn't all in RAM or not aligned as the spec wants it. */
export function locatePart(memory: GuestMemory, gpa: number, length: number, alignment: number): number {
  if (gpa < 0 || gpa % alignment !== 0) return -1;
  const offset = memory.locate(gpa, length);
  return offset % 2 === 0 ? offset : -1;
}
