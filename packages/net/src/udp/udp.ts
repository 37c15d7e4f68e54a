import { TRANSPORT_AT, type GuestLink } from '../guest-link/guest-link.ts';
import { addChecksum, foldChecksum, pseudoHeaderSum } from '../ip/checksum.ts';
import { IPV4_HEADER, type Ipv4Packet, PROTOCOL_UDP } from '../ip/ipv4.ts';
import { readU16, writeU16 } from '../wire/big-endian.ts';

export const UDP_HEADER = 8;
/** Payload of the largest datagram over IPv4. */
export const UDP_LARGEST: number = 65_535 - IPV4_HEADER - UDP_HEADER;

/** A datagram as {@link parseUdp} leaves it; one object is used for all. */
export class UdpDatagram {
  sourcePort = 0;
  destinationPort = 0;
  /** View of the packet. */
  data: Uint8Array = new Uint8Array(0);
}

/**
 * Reads the datagram in `packet` (RFC 768).
 * @param partialChecksum whether the checksum is not complete and must not be looked at.
 * @returns false when lengths or the checksum are wrong, or port 0 is used.
 */
export function parseUdp(datagram: UdpDatagram, packet: Ipv4Packet, partialChecksum = false): boolean {
  const { bytes, payload, payloadLength } = packet;
  if (payloadLength < UDP_HEADER) return false;
  const length = readU16(bytes, payload + 4);
  if (length < UDP_HEADER || length > payloadLength) return false;
  if (!partialChecksum && readU16(bytes, payload + 6) !== 0) {
    const pseudo = pseudoHeaderSum(packet.source, packet.destination, PROTOCOL_UDP, length);
    if (foldChecksum(addChecksum(bytes, payload, length, pseudo)) !== 0) return false;
  }
  datagram.sourcePort = readU16(bytes, payload);
  datagram.destinationPort = readU16(bytes, payload + 2);
  datagram.data = bytes.subarray(payload + UDP_HEADER, payload + length);
  return datagram.sourcePort !== 0 && datagram.destinationPort !== 0;
}

/** Sends a datagram to the guest, in fragments where it is larger than the MTU. Too large ones are dropped. */
export function sendUdp(
  link: GuestLink,
  source: number,
  sourcePort: number,
  destination: number,
  destinationPort: number,
  data: Uint8Array,
  mac?: Uint8Array,
): void {
  if (data.length > UDP_LARGEST) return;
  const { frame } = link;
  const length = UDP_HEADER + data.length;
  writeU16(frame, TRANSPORT_AT, sourcePort);
  writeU16(frame, TRANSPORT_AT + 2, destinationPort);
  writeU16(frame, TRANSPORT_AT + 4, length);
  writeU16(frame, TRANSPORT_AT + 6, 0);
  frame.set(data, TRANSPORT_AT + UDP_HEADER);
  const pseudo = pseudoHeaderSum(source, destination, PROTOCOL_UDP, length);
  const checksum = foldChecksum(addChecksum(frame, TRANSPORT_AT, length, pseudo));
  // 0 would mean "none".
  writeU16(frame, TRANSPORT_AT + 6, checksum === 0 ? 0xffff : checksum);
  link.sendIpv4(source, destination, PROTOCOL_UDP, length, mac);
}
