import { TRANSPORT_AT, type GuestLink } from '../guest-link/guest-link.ts';
import { addChecksum, foldChecksum } from '../ip/checksum.ts';
import { IPV4_HEADER, type Ipv4Packet, PROTOCOL_ICMP } from '../ip/ipv4.ts';
import { writeU16, writeU32 } from '../wire/big-endian.ts';

const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const HEADER = 8;

/** What an error message tells (RFC 792, RFC 1812 section 5.2.7.1). */
export const icmpErrors = {
  hostUnreachable: { type: 3, code: 1 },
  portUnreachable: { type: 3, code: 3 },
  prohibited: { type: 3, code: 13 },
  timeExceeded: { type: 11, code: 0 },
} as const;

export type IcmpError = keyof typeof icmpErrors;

/**
 * Answers an echo request to one of our addresses.
 * @returns false when the packet is something else, or damaged.
 */
export function answerEcho(link: GuestLink, packet: Ipv4Packet): boolean {
  const { bytes, payload, payloadLength } = packet;
  if (payloadLength < HEADER || bytes[payload] !== ECHO_REQUEST || bytes[payload + 1] !== 0) return false;
  if (foldChecksum(addChecksum(bytes, payload, payloadLength)) !== 0) return false;
  const { frame } = link;
  frame.set(bytes.subarray(payload, payload + payloadLength), TRANSPORT_AT);
  frame[TRANSPORT_AT] = ECHO_REPLY;
  sendIcmp(link, packet.destination, packet.source, payloadLength);
  return true;
}

/** Whether the packet is an echo request, whatever its checksum. */
export function isEchoRequest(packet: Ipv4Packet): boolean {
  return packet.payloadLength >= HEADER && packet.bytes[packet.payload] === ECHO_REQUEST;
}

/**
 * Tells the sender of `packet` what became of it. Never answers an ICMP error, and quotes no options (RFC 1122,
 * section 3.2.2).
 */
export function sendIcmpError(link: GuestLink, from: number, error: IcmpError, packet: Ipv4Packet): void {
  if (packet.protocol === PROTOCOL_ICMP && !isEchoRequest(packet)) return;
  const quote = new Uint8Array(IPV4_HEADER + 8);
  quote.set(packet.bytes.subarray(packet.header, packet.header + IPV4_HEADER));
  quote[0] = 0x45;
  const take = Math.min(8, packet.payloadLength);
  quote.set(packet.bytes.subarray(packet.payload, packet.payload + take), IPV4_HEADER);
  sendQuotedError(link, from, packet.source, error, quote);
}

/** As {@link sendIcmpError}, for a packet of which only the first 28 bytes were kept. */
export function sendQuotedError(
  link: GuestLink,
  from: number,
  to: number,
  error: IcmpError,
  quote: Uint8Array,
): void {
  const { type, code } = icmpErrors[error];
  const { frame } = link;
  frame[TRANSPORT_AT] = type;
  frame[TRANSPORT_AT + 1] = code;
  writeU32(frame, TRANSPORT_AT + 4, 0);
  frame.set(quote, TRANSPORT_AT + HEADER);
  sendIcmp(link, from, to, HEADER + quote.length);
}

function sendIcmp(link: GuestLink, source: number, destination: number, length: number): void {
  const { frame } = link;
  writeU16(frame, TRANSPORT_AT + 2, 0);
  writeU16(frame, TRANSPORT_AT + 2, foldChecksum(addChecksum(frame, TRANSPORT_AT, length)));
  link.sendIpv4(source, destination, PROTOCOL_ICMP, length);
}
