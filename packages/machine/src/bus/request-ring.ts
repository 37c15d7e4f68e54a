/*
 * Layout of a vCPU's request ring: how its thread reaches the devices' thread. One producer (the vCPU), one
 * consumer (the IO thread). Words of an Int32Array in shared memory; counts only grow and wrap at 2^32.
 *
 *   vCPU: fill entry HEAD, HEAD + 1; if ASLEEP was 1 (exchanged for 0): post a message to wake the consumer
 *   IO:   serve entries TAIL .. HEAD; answer each waiting request (REPLY_*, REPLY = its count, notify);
 *         when empty: ASLEEP = 1, then look at HEAD once more
 *
 * Either the producer sees ASLEEP or the consumer sees HEAD: both are sequentially consistent operations, so no
 * doorbell is lost. Measured on Node 26, 2 cores, worker to event loop and back, p50/p90: MessagePort 5.5/8 µs,
 * Atomics.waitAsync 6.5/12 µs, waitAsync behind 2000 spins 5.3/18 µs. So the wake-up is a message.
 */

/** Entries written so far. */
export const HEAD = 0;
/** Entries served so far. */
export const TAIL = 1;
/** 1: the consumer waits for a message. */
export const ASLEEP = 2;
/** Count of the last waiting request that was answered: the producer sleeps on it. */
export const REPLY = 3;
/** Value that was read. Devices answer at most 4 bytes at a time. */
export const REPLY_VALUE = 4;
/** 1: the access hit no device. */
export const REPLY_FAULT = 5;

const ENTRIES_AT = 16;
/** A power of two; that many posted writes can be under way. */
export const ENTRIES = 64;
const ENTRY_WORDS = 4;
/** Words of a ring: a multiple of a cache line, so that rings of two vCPUs share none. */
export const RING_WORDS = ENTRIES_AT + ENTRIES * ENTRY_WORDS;

// Words of an entry.
/** {@link OP_READ} and so on in the low byte, the width of the access above. */
export const ENTRY_OP = 0;
export const ENTRY_GPA_LOW = 1;
export const ENTRY_GPA_HIGH = 2;
export const ENTRY_VALUE = 3;

/** Waits for the value. */
export const OP_READ = 1;
/** Waits until the device has taken the value. */
export const OP_WRITE = 2;
/** Nobody waits. */
export const OP_POSTED_WRITE = 3;
/** Runs due timers; waits. */
export const OP_TIMERS = 4;
/** Built-in firmware: writes `value` bytes of guest memory at the address to the console; waits for their number. */
export const OP_CONSOLE = 5;
/** Built-in firmware: writes the byte `value` to the console; waits. */
export const OP_CONSOLE_BYTE = 6;
/** Built-in firmware: system reset, type in the low and reason in the high half of the address; waits. */
export const OP_SYSTEM_RESET = 7;

/** First word of an entry by its count. */
export function entryAt(count: number): number {
  return ENTRIES_AT + (count & (ENTRIES - 1)) * ENTRY_WORDS;
}
