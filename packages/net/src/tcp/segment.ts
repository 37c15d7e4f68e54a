import { addChecksum, foldChecksum, pseudoHeaderSum } from '../ip/checksum.ts';
import { type Ipv4Packet, PROTOCOL_TCP } from '../ip/ipv4.ts';
import { readU16, readU32, writeU16, writeU32 } from '../wire/big-endian.ts';

export const TCP_HEADER = 20;
/** RFC 9293, section 3.1. */
export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

/** What a peer that sends no option is taken to have (RFC 9293, section 3.7.1). */
const DEFAULT_MSS = 536;
/** Less is taken for this much: a hostile peer could make every byte a packet. */
const LEAST_MSS = 64;
/** RFC 7323, section 2.3. */
const GREATEST_SCALE = 14;

/** A segment as {@link parseTcp} leaves it; one object is used for all. Sequence numbers are signed 32-bit. */
export class TcpSegment {
  bytes: Uint8Array = new Uint8Array(0);
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgment = 0;
  flags = 0;
  window = 0;
  /** Where the payload starts in {@link bytes}. */
  payload = 0;
  payloadLength = 0;
  /** From a SYN's options. */
  mss: number = DEFAULT_MSS;
  /** Window scale of a SYN; -1: not offered. */
  scale = -1;
}

/**
 * Reads the segment in `packet` (RFC 9293, section 3.1). Options are read in SYNs only; malformed ones end the list.
 * @param partialChecksum whether the checksum is not complete and must not be looked at.
 * @returns false when a length or the checksum is wrong, or port 0 is used.
 */
export function parseTcp(segment: TcpSegment, packet: Ipv4Packet, partialChecksum = false): boolean {
  const { bytes, payload: at, payloadLength: length } = packet;
  if (length < TCP_HEADER) return false;
  const headerLength = (bytes[at + 12]! >> 4) * 4;
  if (headerLength < TCP_HEADER || headerLength > length) return false;
  if (!partialChecksum) {
    const pseudo = pseudoHeaderSum(packet.source, packet.destination, PROTOCOL_TCP, length);
    if (foldChecksum(addChecksum(bytes, at, length, pseudo)) !== 0) return false;
  }
  segment.bytes = bytes;
  segment.sourcePort = readU16(bytes, at);
  segment.destinationPort = readU16(bytes, at + 2);
  segment.sequence = readU32(bytes, at + 4) | 0;
  segment.acknowledgment = readU32(bytes, at + 8) | 0;
  segment.flags = bytes[at + 13]!;
  segment.window = readU16(bytes, at + 14);
  segment.payload = at + headerLength;
  segment.payloadLength = length - headerLength;
  if ((segment.flags & SYN) !== 0) readOptions(segment, at + TCP_HEADER, at + headerLength);
  return segment.sourcePort !== 0 && segment.destinationPort !== 0;
}

function readOptions(segment: TcpSegment, start: number, end: number): void {
  const { bytes } = segment;
  segment.mss = DEFAULT_MSS;
  segment.scale = -1;
  for (let at = start; at < end;) {
    const kind = bytes[at]!;
    if (kind === 0) return;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) return;
    if (kind === 2 && length === 4) segment.mss = Math.max(LEAST_MSS, readU16(bytes, at + 2));
    if (kind === 3 && length === 3) segment.scale = Math.min(GREATEST_SCALE, bytes[at + 2]!);
    at += length;
  }
}

/** Bytes of the options that {@link writeTcpHeader} writes into a SYN. */
export function synOptionBytes(scale: number): number {
  return scale < 0 ? 4 : 8;
}

/**
 * Writes a header, and for a SYN its options; the payload must already stand behind it, its length in `length`.
 * @param partialChecksum whether the checksum field gets the pseudo header's sum only.
 * @returns bytes of header and payload.
 */
export function writeTcpHeader(
  bytes: Uint8Array,
  at: number,
  source: number,
  destination: number,
  header: TcpHeader,
  length: number,
  partialChecksum = false,
): number {
  const syn = (header.flags & SYN) !== 0;
  const headerLength = TCP_HEADER + (syn ? synOptionBytes(header.scale) : 0);
  writeU16(bytes, at, header.sourcePort);
  writeU16(bytes, at + 2, header.destinationPort);
  writeU32(bytes, at + 4, header.sequence);
  writeU32(bytes, at + 8, header.acknowledgment);
  bytes[at + 12] = (headerLength / 4) << 4;
  bytes[at + 13] = header.flags;
  writeU16(bytes, at + 14, header.window);
  writeU32(bytes, at + 16, 0);
  if (syn) {
    writeU32(bytes, at + TCP_HEADER, 0x0204_0000 | header.mss);
    if (header.scale >= 0) writeU32(bytes, at + TCP_HEADER + 4, 0x0103_0300 | header.scale);
  }
  const total = headerLength + length;
  const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_TCP, total);
  const checksum = partialChecksum
    ? ~foldChecksum(pseudo)
    : foldChecksum(addChecksum(bytes, at, total, pseudo));
  writeU16(bytes, at + 16, checksum);
  return total;
}

/** What varies in a header. `mss` and `scale` matter for a SYN only. */
export interface TcpHeader {
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgment: number;
  flags: number;
  window: number;
  mss: number;
  /** -1: the option is left out. */
  scale: number;
}
