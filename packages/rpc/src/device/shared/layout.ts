/*
 * The ring descriptor of a device group: words that the owner and its device host share besides guest memory.
 * Offsets are in words of 32 bits. Both sides are told nothing of it by each other.
 */

/** Bytes of the descriptor. Pages that nobody touches cost nothing. */
export const RING_BYTES = 4 << 20;

/** Bell of the device host's event loop; the owner rings. */
export const HOST_BELL = 0;
/** Bell of the owner's event loop; the device host rings. */
export const OWNER_BELL = 16;
/** Where the owner's clock lies. */
export const CLOCK_AT = 64;

/** Queues of a device that its host can walk; one with more doesn't walk. */
export const WALKED_QUEUES = 16;
/** Entries of a queue that its host can walk. */
export const WALKED_ENTRIES = 1024;
/** Devices whose queues are walked. */
export const WALKERS = 32;

/** Doorbells: a count for each queue of each walker. */
export const DOORBELLS_AT = 1024;

/** Interrupt level of each device with registers, as the device drives it now. */
export const LEVELS_AT = 2048;

/** One for each vCPU: a register access that it waits for. */
const MAILBOXES_AT = 2560;
export const MAILBOXES = 8;
export const MAILBOX_WORDS = 16;

/** First word of a vCPU's mailbox. */
export function mailboxAt(vcpu: number): number {
  return MAILBOXES_AT + vcpu * MAILBOX_WORDS;
}

// Words of a mailbox. The request is complete when its number is written, the answer likewise.
export const MAIL_REQUEST = 0;
export const MAIL_DEVICE = 1;
export const MAIL_OFFSET = 2;
/** Width, and {@link MAIL_IS_WRITE}. */
export const MAIL_KIND = 3;
export const MAIL_VALUE = 4;
export const MAIL_ANSWER = 8;
export const MAIL_RESULT = 9;
export const MAIL_IS_WRITE = 0x100;

/** Events for the owner. */
export const EVENTS_AT = 4096;
export const EVENTS = 1024;
export const EVENT_WORDS = 4;

/** In-flight records, one for each queue of each walker. */
const RECORDS_AT = 16_384;
const RECORD_HEADER = 16;
const RECORD_WORDS = RECORD_HEADER + WALKED_ENTRIES;

/** Last state of each device with registers, two copies. */
const SECTIONS_AT = 560_000;
export const SECTION_WORDS = 2048;
export const SECTION_DEVICES = 64;

/** First word of the state record of a device. */
export function sectionAt(device: number): number {
  return SECTIONS_AT + device * SECTION_WORDS;
}

/** Doorbell of a walker's queue. */
export function doorbellAt(walker: number, queue: number): number {
  return DOORBELLS_AT + walker * WALKED_QUEUES + queue;
}

/** First word of the in-flight record of a walker's queue. */
export function recordAt(walker: number, queue: number): number {
  return RECORDS_AT + (walker * WALKED_QUEUES + queue) * RECORD_WORDS;
}

/** Words of a record before its heads. */
export const HEADS_AT = RECORD_HEADER;

// Words of an event.
export const EVENT_KIND = 0;
export const EVENT_DEVICE = 1;
export const EVENT_A = 2;
export const EVENT_B = 3;

/** The driver of a walker wants to hear of used buffers. */
export const KIND_USED = 1;
/** Translated code was overwritten: A pages from page B of the device host's memory on. */
export const KIND_CODE = 2;
/** The interrupt level of a device has changed. */
export const KIND_LINE = 3;
