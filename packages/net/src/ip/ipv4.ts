import { readU16, readU32, writeU16, writeU32 } from '../wire/big-endian.ts';
import { addChecksum, foldChecksum } from './checksum.ts';

export const IPV4_HEADER = 20;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

const MORE_FRAGMENTS = 0x2000;
const DONT_FRAGMENT = 0x4000;

/** Why a packet was not taken. */
export type Ipv4Fault = 'truncated' | 'version' | 'length' | 'checksum';

/** An IPv4 packet as {@link parseIpv4Packet} leaves it. One object is used for every packet. */
export class Ipv4Packet {
  /** Holds the packet; only valid while it is handled. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the header starts in {@link bytes}. */
  header = 0;
  source = 0;
  destination = 0;
  protocol = 0;
  ttl = 0;
  identification = 0;
  /** In bytes. */
  fragmentOffset = 0;
  moreFragments = false;
  /** Where the payload starts in {@link bytes}. */
  payload = 0;
  payloadLength = 0;
}

/**
 * Reads the packet at `at` into `packet` and checks every length and the header's checksum (RFC 791). Bytes after
 * the packet's end are padding. Header options are skipped.
 * @param offloaded whether the checksum is left to whoever cuts the packet up.
 * @returns what is wrong with it, or undefined.
 */
export function parseIpv4Packet(
  packet: Ipv4Packet,
  bytes: Uint8Array,
  at: number,
  offloaded = false,
): Ipv4Fault | undefined {
  const available = bytes.length - at;
  if (available < IPV4_HEADER) return 'truncated';
  const first = bytes[at]!;
  if (first >> 4 !== 4) return 'version';
  const headerLength = (first & 15) * 4;
  const totalLength = readU16(bytes, at + 2);
  if (headerLength < IPV4_HEADER || totalLength < headerLength || totalLength > available) return 'length';
  if (!offloaded && foldChecksum(addChecksum(bytes, at, headerLength)) !== 0) return 'checksum';
  const fragment = readU16(bytes, at + 6);
  packet.bytes = bytes;
  packet.header = at;
  packet.identification = readU16(bytes, at + 4);
  packet.fragmentOffset = (fragment & 0x1fff) * 8;
  packet.moreFragments = (fragment & MORE_FRAGMENTS) !== 0;
  packet.ttl = bytes[at + 8]!;
  packet.protocol = bytes[at + 9]!;
  packet.source = readU32(bytes, at + 12);
  packet.destination = readU32(bytes, at + 16);
  packet.payload = at + headerLength;
  packet.payloadLength = totalLength - headerLength;
  return undefined;
}

/** What varies in the headers that the network writes. */
export interface Ipv4Header {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly identification: number;
  /** Of the payload. */
  readonly length: number;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset?: number;
  readonly moreFragments?: boolean;
  /** Never set together with fragments. */
  readonly dontFragment?: boolean;
}

/** Writes a header without options. TTL is 64. */
export function writeIpv4Header(bytes: Uint8Array, at: number, header: Ipv4Header): void {
  const flags =
    (header.moreFragments === true ? MORE_FRAGMENTS : 0) | (header.dontFragment === true ? DONT_FRAGMENT : 0);
  bytes[at] = 0x45;
  bytes[at + 1] = 0;
  writeU16(bytes, at + 2, IPV4_HEADER + header.length);
  writeU16(bytes, at + 4, header.identification);
  writeU16(bytes, at + 6, flags | ((header.fragmentOffset ?? 0) >>> 3));
  bytes[at + 8] = 64;
  bytes[at + 9] = header.protocol;
  writeU16(bytes, at + 10, 0);
  writeU32(bytes, at + 12, header.source);
  writeU32(bytes, at + 16, header.destination);
  writeU16(bytes, at + 10, foldChecksum(addChecksum(bytes, at, IPV4_HEADER)));
}
