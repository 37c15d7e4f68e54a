import { BROADCAST_MAC, ETHERNET_HEADER, ETHERTYPE_ARP, isStation } from '../ethernet/ethernet.ts';
import { readU16, readU32, writeU16, writeU32 } from '../wire/big-endian.ts';

/** Bytes of an ARP packet for IPv4 over Ethernet. */
export const ARP_BYTES = 28;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

/** An ARP packet for IPv4 over Ethernet (RFC 826). The hardware addresses are views of the frame. */
export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderIp: number;
  readonly targetIp: number;
}

/** The ARP packet at `at`; undefined when it is cut short, for other networks, or its sender is a group. */
export function parseArp(bytes: Uint8Array, at: number): ArpPacket | undefined {
  if (bytes.length - at < ARP_BYTES) return undefined;
  // Hardware type 1, protocol IPv4, address lengths 6 and 4.
  if (readU32(bytes, at) !== 0x0001_0800 || readU16(bytes, at + 4) !== 0x0604) return undefined;
  if (!isStation(bytes, at + 8)) return undefined;
  return {
    operation: readU16(bytes, at + 6),
    senderMac: bytes.subarray(at + 8, at + 14),
    senderIp: readU32(bytes, at + 14),
    targetIp: readU32(bytes, at + 24),
  };
}

/** A whole frame: "`senderIp` is at `senderMac`", asked of or told to `targetMac`. */
export function buildArp(
  operation: number,
  senderMac: Uint8Array,
  senderIp: number,
  targetMac: Uint8Array | undefined,
  targetIp: number,
): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER + ARP_BYTES);
  frame.set(targetMac ?? BROADCAST_MAC, 0);
  frame.set(senderMac, 6);
  writeU16(frame, 12, ETHERTYPE_ARP);
  const at = ETHERNET_HEADER;
  writeU32(frame, at, 0x0001_0800);
  writeU16(frame, at + 4, 0x0604);
  writeU16(frame, at + 6, operation);
  frame.set(senderMac, at + 8);
  writeU32(frame, at + 14, senderIp);
  if (targetMac !== undefined) frame.set(targetMac, at + 18);
  writeU32(frame, at + 24, targetIp);
  return frame;
}
