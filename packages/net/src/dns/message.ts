import { readU16, writeU16, writeU32 } from '../wire/big-endian.ts';
import { parseIpv4 } from '../ip/address.ts';

const HEADER = 12;
const LONGEST_NAME = 255;

/** Record types that the relay can answer from the host's own lookups (RFC 1035, RFC 3596). */
export const recordTypes = { a: 1, aaaa: 28 } as const;
/** RFC 1035, section 4.1.1. */
export const responseCodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
} as const;

/** A query with one question. */
export interface DnsQuery {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Without the last dot; bytes beyond ASCII as they are. Empty: the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where the question ends in the message. */
  readonly questionEnd: number;
}

/**
 * Reads a standard query with exactly one question; undefined for everything else. Names in questions are not
 * compressed: a pointer is refused.
 */
export function parseDnsQuery(bytes: Uint8Array): DnsQuery | undefined {
  if (bytes.length < HEADER) return undefined;
  const flags = readU16(bytes, 2);
  // A query (not a response), operation QUERY.
  if ((flags & 0xf800) !== 0 || readU16(bytes, 4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63 || at + 1 + length > bytes.length || at - HEADER > LONGEST_NAME)
      return undefined;
    at += 1 + length;
    if (length === 0) break;
    labels.push(String.fromCharCode(...bytes.subarray(at - length, at)));
  }
  if (at - HEADER > LONGEST_NAME || at + 4 > bytes.length) return undefined;
  return {
    id: readU16(bytes, 0),
    recursionDesired: (flags & 0x0100) !== 0,
    name: labels.join('.'),
    type: readU16(bytes, at),
    class: readU16(bytes, at + 2),
    questionEnd: at + 4,
  };
}

/** Whether `response` answers the query with this id and the question of `query`. Letter case doesn't count. */
export function isResponseTo(
  response: Uint8Array,
  id: number,
  query: Uint8Array,
  questionEnd: number,
): boolean {
  if (response.length < HEADER || readU16(response, 0) !== id || (response[2]! & 0x80) === 0) return false;
  // Servers may leave out the question when they refuse.
  if (readU16(response, 4) === 0) return (response[3]! & 15) !== 0;
  if (response.length < questionEnd) return false;
  for (let at = HEADER; at < questionEnd; at++) {
    if (lower(response[at]!) !== lower(query[at]!)) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/**
 * A response to `query` that the relay makes itself.
 * @param addresses IPv4 or IPv6 literals of the question's type; as many as fit 512 bytes are taken.
 */
export function buildDnsResponse(
  message: Uint8Array,
  query: DnsQuery,
  code: number,
  addresses: readonly string[] = [],
): Uint8Array {
  const records = addresses.map(addressBytes).filter((each) => each !== undefined);
  const bytes = new Uint8Array(
    query.questionEnd + records.reduce((sum, record) => sum + 12 + record.length, 0),
  );
  bytes.set(message.subarray(0, query.questionEnd));
  writeU16(bytes, 2, 0x8080 | (query.recursionDesired ? 0x0100 : 0) | code);
  let at = query.questionEnd;
  let count = 0;
  for (const record of records) {
    if (at + 12 + record.length > 512) break;
    // The name is a pointer to the question's.
    writeU16(bytes, at, 0xc000 | HEADER);
    writeU16(bytes, at + 2, query.type);
    writeU16(bytes, at + 4, query.class);
    writeU32(bytes, at + 6, 60);
    writeU16(bytes, at + 10, record.length);
    bytes.set(record, at + 12);
    at += 12 + record.length;
    count++;
  }
  writeU16(bytes, 6, count);
  bytes.fill(0, 8, HEADER);
  return bytes.subarray(0, at);
}

/** Network-order bytes of an address literal; undefined if it is none. */
export function addressBytes(literal: string): Uint8Array | undefined {
  const v4 = parseIpv4(literal);
  if (v4 !== undefined) {
    const bytes = new Uint8Array(4);
    writeU32(bytes, 0, v4);
    return bytes;
  }
  const [head, tail, more] = literal.replace(/%.*$/, '').split('::');
  if (head === undefined || more !== undefined) return undefined;
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const bytes = new Uint8Array(16);
  const groups = [...left, ...Array.from({ length: missing }, () => 0), ...right];
  groups.forEach((group, index) => writeU16(bytes, index * 2, group));
  return bytes;
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    const v4 = parseIpv4(part);
    if (v4 !== undefined) groups.push(v4 >>> 16, v4 & 0xffff);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
