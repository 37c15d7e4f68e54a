import type { QueueElement } from './element.ts';

/** Descriptor flags (VIRTIO 1.3, sections 2.7.5 and 2.8). */
export const VIRTQ_DESC_F_NEXT = 1;
export const VIRTQ_DESC_F_WRITE = 2;
export const VIRTQ_DESC_F_INDIRECT = 4;
export const VIRTQ_DESC_F_AVAIL = 1 << 7;
export const VIRTQ_DESC_F_USED = 1 << 15;
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
/** Bytes of a descriptor, split and packed. */
export const DESCRIPTOR_BYTES = 16;

/** What a driver can do wrong with a queue. It ends the queue and is counted; nothing is thrown. */
export type QueueViolation =
  | 'queue address' // a ring isn't in RAM, or misaligned
  | 'available index' // more new entries than the queue holds
  | 'head index'
  | 'next index'
  | 'chain too long' // longer than the queue (a loop), or over 4 GiB
  | 'buffer address' // not in RAM
  | 'empty buffer'
  | 'readable after writable'
  | 'indirect not negotiated'
  | 'indirect table size'
  | 'indirect nested'
  | 'indirect with next'
  | 'too many in flight' // the same buffers made available again before they were used
  | 'request'; // the device found the request itself malformed

/** Where a queue's parts lie and what was negotiated; fixed from activation to reset. */
export interface QueueSetup {
  /** Number of descriptors. */
  readonly size: number;
  /** Guest-physical addresses: descriptor table or ring, driver area (available), device area (used). */
  readonly descriptors: number;
  readonly driver: number;
  readonly device: number;
  readonly eventIndex: boolean;
  readonly indirect: boolean;
}

/** Where the two sides are in the rings. Packed: position in bits 0-14, wrap counter in bit 15. */
export interface QueuePosition {
  nextAvail: number;
  nextUsed: number;
}

/** What a queue tells its transport. */
export interface QueueEvents {
  /** The driver wants an interrupt for used buffers. */
  interrupt(): void;
  /** The driver broke the rules; the queue is dead until the device is reset. */
  violation(reason: QueueViolation): void;
}

/**
 * The device's end of a virtqueue, split or packed. All hostile input is checked in {@link pop}:
 * what it returns is safe to use without another look.
 */
export interface Virtqueue {
  readonly size: number;
  /**
   * Takes the next request. When there is none, asks the driver to notify of the next one.
   * Cost: no allocation once the queue is warm.
   */
  pop(): QueueElement | undefined;
  /** Puts back the element that was popped last and that nothing was done with. */
  undoPop(element: QueueElement): void;
  /** Returns a request with the number of bytes written into it, counted from its first writable byte. Any order. */
  push(element: QueueElement, written: number): void;
  /**
   * Returns several requests so that the driver sees all of them or none: one message in many buffers.
   * Takes the first `count` entries of both arrays.
   */
  pushTogether(elements: readonly QueueElement[], written: readonly number[], count: number): void;
  /** Interrupts the driver if it wants to know of what was pushed since the last call. Call once per batch. */
  signal(): void;
  /** The request can't be honoured and has no way to say so: the driver must reset the device. */
  fail(reason: QueueViolation): void;
  /** Requests popped and not pushed. */
  readonly inFlight: number;
  /** Broken by the driver, or closed: gives nothing, takes nothing. */
  readonly dead: boolean;
  /** Ends it without blame; elements in flight go dead with it. */
  close(): void;
  position(): QueuePosition;
}
