import type { RingPlace } from '@polyvisor/shared-memory';
import { ringWords } from '@polyvisor/shared-memory';
import { OPERATIONS_LIMIT } from '../protocol.ts';

/*
 * A disk's pool: one memfd that a device host and a block host share. First the data, in buffers that the device host
 * gives out; behind it a page group of rings:
 *
 *   word 0      EPOCH: the attachment that the rings were emptied for; the device host's
 *   word 16     bell of the block host's event loop
 *   word 32     bell of the device host's event loop
 *   word 64     ring of submissions, device host to block host
 *   behind it   ring of completions, the other way
 *
 * A device host empties the rings after the block host has answered its Attach, and before it writes EPOCH: then nothing
 * of an older attachment is under way, and the block host looks at the rings only once EPOCH is that of its attachment.
 */

/** Bytes behind the data. */
export const RING_BYTES = 64 << 10;
/** Data of a pool, unless asked otherwise. */
export const DEFAULT_DATA_BYTES = 16 << 20;
/** Most data of a pool: offsets have 32 bits, and signed ones are enough. */
export const MAX_DATA_BYTES = 1 << 30;

/** Words, from the rings' first word on. */
export const EPOCH_AT = 0;
export const BLOCK_BELL = 16;
export const DEVICE_BELL = 32;
const SUBMISSIONS_AT = 64;

// Words of a submission.
export const SUBMISSION_WORDS = 8;
/** Below {@link OPERATIONS_LIMIT}, not in use. */
export const SUBMISSION_SLOT = 0;
export const SUBMISSION_KIND = 1;
export const SUBMISSION_FLAGS = 2;
export const SUBMISSION_OFFSET_LOW = 3;
export const SUBMISSION_OFFSET_HIGH = 4;
export const SUBMISSION_LENGTH = 5;
/** Where its data lies in the pool, bytes. */
export const SUBMISSION_BUFFER = 6;

export const FLAG_MAY_UNMAP = 1;
export const FLAG_FUA = 2;

// Words of a completion.
export const COMPLETION_WORDS = 2;
export const COMPLETION_SLOT = 0;
export const COMPLETION_STATUS = 1;

/** Submissions; `base`: first word of the rings. */
export function submissionsAt(words: Int32Array, base: number): RingPlace {
  return { words, at: base + SUBMISSIONS_AT, entries: OPERATIONS_LIMIT, entryWords: SUBMISSION_WORDS };
}

/** Completions. */
export function completionsAt(words: Int32Array, base: number): RingPlace {
  const at = base + SUBMISSIONS_AT + ringWords(OPERATIONS_LIMIT, SUBMISSION_WORDS);
  return { words, at, entries: OPERATIONS_LIMIT, entryWords: COMPLETION_WORDS };
}
