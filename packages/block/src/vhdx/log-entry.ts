import { sameBytes } from '../sparse/uuid.ts';
import { crc32cWithout } from './crc32c.ts';
import { CHECKSUM_AT } from './vhdx-header.ts';

/** Everything in a log is in sectors of this size, [MS-VHDX] 2.3. */
export const LOG_SECTOR = 4096;
const HEADER_BYTES = 64;
const DESCRIPTOR_BYTES = 32;
/** `loge`, `desc`, `zero`, `data` */
const ENTRY_SIGNATURE = 0x65676f6c;
const DATA_DESCRIPTOR = 0x63736564;
const ZERO_DESCRIPTOR = 0x6f72657a;
const DATA_SECTOR = 0x61746164;

/** A change of the file: bytes, or zeroes where there are none. */
export interface LogUpdate {
  readonly offset: number;
  readonly length: number;
  readonly bytes?: Uint8Array;
}

/** What a log entry says. */
export interface LogEntry {
  readonly sequence: bigint;
  /** Bytes of the entry. */
  readonly length: number;
  /** Where in the log the oldest entry begins that must be replayed together with this one. */
  readonly tail: number;
  /** The file was at least this long, durably, when the entry was written. */
  readonly flushedFileOffset: number;
  /** Replaying makes the file at least this long. */
  readonly lastFileOffset: number;
  readonly updates: readonly LogUpdate[];
}

/** Bytes of an entry with so many updates of a sector each. */
export function logEntryBytes(sectors: number): number {
  return (Math.ceil((HEADER_BYTES + sectors * DESCRIPTOR_BYTES) / LOG_SECTOR) + sectors) * LOG_SECTOR;
}

/** An entry's bytes. All updates are of one {@link LOG_SECTOR}. */
export function encodeLogEntry(entry: Omit<LogEntry, 'length'>, guid: Uint8Array): Uint8Array {
  const { updates, sequence } = entry;
  const bytes = new Uint8Array(logEntryBytes(updates.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ENTRY_SIGNATURE, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, entry.tail, true);
  view.setBigUint64(16, sequence, true);
  view.setUint32(24, updates.length, true);
  bytes.set(guid, 32);
  view.setBigUint64(48, BigInt(entry.flushedFileOffset), true);
  view.setBigUint64(56, BigInt(entry.lastFileOffset), true);
  const dataAt = bytes.length - updates.length * LOG_SECTOR;
  updates.forEach((update, i) => {
    const at = HEADER_BYTES + i * DESCRIPTOR_BYTES;
    const data = dataAt + i * LOG_SECTOR;
    const source = update.bytes!;
    view.setUint32(at, DATA_DESCRIPTOR, true);
    bytes.set(source.subarray(LOG_SECTOR - 4), at + 4);
    bytes.set(source.subarray(0, 8), at + 8);
    view.setBigUint64(at + 16, BigInt(update.offset), true);
    view.setBigUint64(at + 24, sequence, true);
    view.setUint32(data, DATA_SECTOR, true);
    view.setUint32(data + 4, Number(sequence >> 32n), true);
    bytes.set(source.subarray(8, LOG_SECTOR - 4), data + 8);
    view.setUint32(data + LOG_SECTOR - 4, Number(sequence & 0xffffffffn), true);
  });
  view.setUint32(CHECKSUM_AT, crc32cWithout(bytes, CHECKSUM_AT), true);
  return bytes;
}

/** A log in memory, read in circles. */
export class LogBytes {
  readonly #bytes: Uint8Array;
  readonly #guid: Uint8Array;
  /** Bytes whose checksum may still be looked at: overlapping entries of a hostile file could cost without end. */
  #budget: number;

  constructor(bytes: Uint8Array, guid: Uint8Array) {
    this.#bytes = bytes;
    this.#guid = guid;
    this.#budget = bytes.length * 4;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The entry at an offset; undefined: none that is whole and of this log. */
  entryAt(offset: number): LogEntry | undefined {
    const head = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + offset, HEADER_BYTES);
    if (head.getUint32(0, true) !== ENTRY_SIGNATURE) return undefined;
    const length = head.getUint32(8, true);
    const tail = head.getUint32(12, true);
    const count = head.getUint32(24, true);
    if (length === 0 || length % LOG_SECTOR !== 0 || length > this.length || length > this.#budget)
      return undefined;
    if (tail % LOG_SECTOR !== 0 || tail >= this.length) return undefined;
    if (HEADER_BYTES + count * DESCRIPTOR_BYTES > length) return undefined;
    this.#budget -= length;
    const bytes = this.#copy(offset, length);
    const view = new DataView(bytes.buffer);
    if (view.getUint32(CHECKSUM_AT, true) !== crc32cWithout(bytes, CHECKSUM_AT)) return undefined;
    if (!sameBytes(bytes.subarray(32, 48), this.#guid)) return undefined;
    const sequence = view.getBigUint64(16, true);
    const updates = parseUpdates(bytes, count, sequence);
    if (sequence === 0n || updates === undefined) return undefined;
    return {
      sequence,
      length,
      tail,
      flushedFileOffset: Number(view.getBigUint64(48, true)),
      lastFileOffset: Number(view.getBigUint64(56, true)),
      updates,
    };
  }

  #copy(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(length);
    const first = Math.min(length, this.length - offset);
    copy.set(this.#bytes.subarray(offset, offset + first));
    copy.set(this.#bytes.subarray(0, length - first), first);
    return copy;
  }
}

function parseUpdates(
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
  sequence: bigint,
): LogUpdate[] | undefined {
  const view = new DataView(bytes.buffer);
  const updates: LogUpdate[] = [];
  let data = Math.ceil((HEADER_BYTES + count * DESCRIPTOR_BYTES) / LOG_SECTOR) * LOG_SECTOR;
  for (let i = 0; i < count; i++) {
    const at = HEADER_BYTES + i * DESCRIPTOR_BYTES;
    const signature = view.getUint32(at, true);
    const offset = Number(view.getBigUint64(at + 16, true));
    if (view.getBigUint64(at + 24, true) !== sequence) return undefined;
    if (!Number.isSafeInteger(offset) || offset % LOG_SECTOR !== 0) return undefined;
    if (signature === ZERO_DESCRIPTOR) {
      const length = Number(view.getBigUint64(at + 8, true));
      if (!Number.isSafeInteger(offset + length) || length % LOG_SECTOR !== 0) return undefined;
      updates.push({ offset, length });
      continue;
    }
    if (signature !== DATA_DESCRIPTOR || data + LOG_SECTOR > bytes.length) return undefined;
    const number =
      (BigInt(view.getUint32(data + 4, true)) << 32n) | BigInt(view.getUint32(data + LOG_SECTOR - 4, true));
    if (view.getUint32(data, true) !== DATA_SECTOR || number !== sequence) return undefined;
    const sector = bytes.slice(data, data + LOG_SECTOR);
    sector.set(bytes.subarray(at + 8, at + 16));
    sector.set(bytes.subarray(at + 4, at + 8), LOG_SECTOR - 4);
    updates.push({ offset, length: LOG_SECTOR, bytes: sector });
    data += LOG_SECTOR;
  }
  return updates;
}

/**
 * The entries that must be replayed, oldest first: those of the sequence that ends with the highest number and
 * holds the entry that its last one calls the tail. [MS-VHDX] 2.3.3.
 * @returns empty: there is no such sequence.
 */
export function findActiveSequence(log: LogBytes): readonly LogEntry[] {
  let best: readonly LogEntry[] = [];
  for (let start = 0; start < log.length;) {
    const { entries, offsets, next } = sequenceFrom(log, start);
    const head = entries.at(-1);
    if (head !== undefined) {
      const tail = offsets.indexOf(head.tail);
      const top = best.at(-1);
      if (tail >= 0 && (top === undefined || head.sequence > top.sequence)) best = entries.slice(tail);
    }
    start = Math.max(start + LOG_SECTOR, next);
  }
  return best;
}

function sequenceFrom(
  log: LogBytes,
  start: number,
): { readonly entries: LogEntry[]; readonly offsets: number[]; readonly next: number } {
  const entries: LogEntry[] = [];
  const offsets: number[] = [];
  let at = start;
  let used = 0;
  for (;;) {
    const entry = log.entryAt(at % log.length);
    const last = entries.at(-1);
    if (entry === undefined || (last !== undefined && entry.sequence !== last.sequence + 1n)) break;
    used += entry.length;
    if (used > log.length) break;
    entries.push(entry);
    offsets.push(at % log.length);
    at += entry.length;
  }
  return { entries, offsets, next: at };
}
