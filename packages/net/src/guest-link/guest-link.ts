import type { Logger } from '@polyvisor/contracts';
import { ARP_REPLY, ARP_REQUEST, buildArp, parseArp } from '../arp/arp.ts';
import type { UserNetworkStats } from '../counters.ts';
import {
  BROADCAST_MAC,
  ETHERNET_HEADER,
  ETHERTYPE_IPV4,
  formatMac,
  isStation,
  sameMac,
} from '../ethernet/ethernet.ts';
import { formatIpv4, inNetwork } from '../ip/address.ts';
import { IPV4_HEADER, PROTOCOL_TCP, writeIpv4Header } from '../ip/ipv4.ts';
import type { Layout } from '../layout.ts';
import { writeU16 } from '../wire/big-endian.ts';

/**
 * Takes a frame for the guest, valid during the call only. False: it has no buffers now and will call `resume`.
 * `partialChecksum` and `segmentBytes` are used only as far as {@link FrameOffloads} allow.
 */
export type FrameReceiver = (
  frame: Uint8Array,
  partialChecksum?: boolean,
  segmentBytes?: number,
) => boolean | void;

/** Work on frames that one side leaves to the other. */
export interface FrameOffloads {
  /** The TCP or UDP checksum field may hold the pseudo header's sum only. */
  readonly partialChecksum: boolean;
  /** A TCP segment may be up to 64 KiB, to be cut up by whoever needs it smaller. Needs `partialChecksum`. */
  readonly largeSegments: boolean;
}

/** Where a transport protocol's header starts in {@link GuestLink.frame}. */
export const TRANSPORT_AT: number = ETHERNET_HEADER + IPV4_HEADER;

/** Frames that wait while the guest has no buffers, TCP's not among them: those stay in their connections. */
const WAITING_FRAMES = 256;
const WAITING_BYTES = 512 * 1024;
/** A guest's address is asked for at most this often. */
const ARP_INTERVAL_MS = 250;

/**
 * The wire to the guest: builds frames in one buffer, knows the guest's MAC addresses, and holds frames back while
 * the guest has no buffers.
 */
export class GuestLink {
  /** A packet's transport header and payload are built here, from {@link TRANSPORT_AT} on. */
  readonly frame: Uint8Array = new Uint8Array(ETHERNET_HEADER + 65_535);
  readonly mtu: number;
  readonly #layout: Layout;
  readonly #counters: UserNetworkStats;
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  #receive: FrameReceiver | undefined;
  /** What the receiver takes beyond plain frames. */
  offloads: FrameOffloads = { partialChecksum: false, largeSegments: false };
  /** MAC addresses by the last byte of the IP address. */
  readonly #macs = new Uint8Array(256 * 6);
  readonly #known = new Uint8Array(256);
  readonly #askedMs = new Float64Array(256).fill(-ARP_INTERVAL_MS);
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #blocked = false;
  #delivering = false;
  #identification = 1;

  constructor(layout: Layout, mtu: number, counters: UserNetworkStats, logger: Logger, nowMs: () => number) {
    this.#layout = layout;
    this.mtu = mtu;
    this.#counters = counters;
    this.#logger = logger;
    this.#nowMs = nowMs;
  }

  onReceive(receive: FrameReceiver): void {
    this.#receive = receive;
  }

  /** Whether the receiver is being called: {@link frame} is under its eyes. */
  get delivering(): boolean {
    return this.#delivering;
  }

  /** Whether the guest has no buffers. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Remembers who has an address of the guest's network. Ours and the broadcast's can't be taken. */
  learn(address: number, macBytes: Uint8Array, macAt: number): void {
    if (!this.isGuest(address) || !isStation(macBytes, macAt)) return;
    const slot = address & 255;
    if (this.#known[slot] === 1 && sameMac(this.#macs, slot * 6, macBytes, macAt)) return;
    for (let index = 0; index < 6; index++) this.#macs[slot * 6 + index] = macBytes[macAt + index]!;
    this.#known[slot] = 1;
    this.#logger.debug(
      { mac: formatMac(macBytes, macAt), address: formatIpv4(address) },
      'guest address seen',
    );
  }

  /** Whether `address` may be a guest's. */
  isGuest(address: number): boolean {
    const { network, prefix, gateway, dns, broadcast } = this.#layout;
    return (
      inNetwork(address, network, prefix) &&
      address !== gateway &&
      address !== dns &&
      address !== broadcast &&
      address !== network
    );
  }

  /** Handles a frame with an ARP packet. */
  arp(frame: Uint8Array): void {
    const packet = parseArp(frame, ETHERNET_HEADER);
    if (packet === undefined) {
      this.#counters.malformed++;
      return;
    }
    this.learn(packet.senderIp, packet.senderMac, 0);
    if (packet.operation !== ARP_REQUEST) return;
    const { gateway, dns, gatewayMac, dnsMac } = this.#layout;
    const mac = packet.targetIp === gateway ? gatewayMac : packet.targetIp === dns ? dnsMac : undefined;
    if (mac === undefined) return;
    this.#deliver(buildArp(ARP_REPLY, mac, packet.targetIp, packet.senderMac, packet.senderIp));
  }

  /**
   * Sends the payload that stands at {@link TRANSPORT_AT}, in fragments if it is larger than the MTU. A copy waits
   * where the guest has no buffers.
   * @param mac where to, when the address has none yet (DHCP).
   */
  sendIpv4(source: number, destination: number, protocol: number, length: number, mac?: Uint8Array): void {
    const { frame } = this;
    if (!this.#writeEthernet(frame, source, destination, mac)) return;
    const identification = (this.#identification = (this.#identification + 1) & 0xffff);
    if (length + IPV4_HEADER <= this.mtu) {
      writeIpv4Header(frame, ETHERNET_HEADER, { source, destination, protocol, identification, length });
      this.#deliver(frame.subarray(0, TRANSPORT_AT + length));
      return;
    }
    const step = (this.mtu - IPV4_HEADER) & ~7;
    const payload = frame.slice(TRANSPORT_AT, TRANSPORT_AT + length);
    for (let fragmentOffset = 0; fragmentOffset < length; fragmentOffset += step) {
      const part = Math.min(step, length - fragmentOffset);
      const piece = new Uint8Array(TRANSPORT_AT + part);
      piece.set(frame.subarray(0, ETHERNET_HEADER));
      piece.set(payload.subarray(fragmentOffset, fragmentOffset + part), TRANSPORT_AT);
      const moreFragments = fragmentOffset + part < length;
      writeIpv4Header(piece, ETHERNET_HEADER, {
        source,
        destination,
        protocol,
        identification,
        length: part,
        fragmentOffset,
        moreFragments,
      });
      this.#deliver(piece);
    }
  }

  /**
   * Sends the TCP segment that stands at {@link TRANSPORT_AT}, now or not at all.
   * @param segmentBytes 0, or what a large segment is to be cut into.
   * @returns false when the guest has no buffers.
   */
  sendSegment(
    source: number,
    destination: number,
    length: number,
    partialChecksum: boolean,
    segmentBytes: number,
  ): boolean {
    if (this.#blocked || this.#delivering) return false;
    const { frame } = this;
    if (!this.#writeEthernet(frame, source, destination)) return true;
    const identification = (this.#identification = (this.#identification + 1) & 0xffff);
    writeIpv4Header(frame, ETHERNET_HEADER, {
      source,
      destination,
      protocol: PROTOCOL_TCP,
      identification,
      length,
      dontFragment: true,
    });
    return this.#hand(frame.subarray(0, TRANSPORT_AT + length), partialChecksum, segmentBytes);
  }

  /** The guest has buffers again. @returns whether all that waited is out. */
  resume(): boolean {
    if (this.#delivering) return false;
    this.#blocked = false;
    while (this.#waiting.length > 0) {
      const frame = this.#waiting[0]!;
      if (!this.#hand(frame)) return false;
      this.#waiting.shift();
      this.#waitingBytes -= frame.length;
    }
    return true;
  }

  /** Forgets the guest: its addresses and what waits for it. */
  reset(): void {
    this.#known.fill(0);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#blocked = false;
  }

  #writeEthernet(frame: Uint8Array, source: number, destination: number, mac?: Uint8Array): boolean {
    const slot = destination & 255;
    if (mac !== undefined) frame.set(mac, 0);
    else if (destination === 0xffff_ffff || destination === this.#layout.broadcast)
      frame.set(BROADCAST_MAC, 0);
    else if (this.#known[slot] === 1) {
      for (let index = 0; index < 6; index++) frame[index] = this.#macs[slot * 6 + index]!;
    } else {
      this.#counters.framesOutDropped++;
      this.#ask(destination);
      return false;
    }
    const own = source === this.#layout.dns ? this.#layout.dnsMac : this.#layout.gatewayMac;
    for (let index = 0; index < 6; index++) frame[6 + index] = own[index]!;
    writeU16(frame, 12, ETHERTYPE_IPV4);
    return true;
  }

  #ask(address: number): void {
    const now = this.#nowMs();
    const slot = address & 255;
    if (!this.isGuest(address) || now - this.#askedMs[slot]! < ARP_INTERVAL_MS) return;
    this.#askedMs[slot] = now;
    const { gateway, gatewayMac } = this.#layout;
    this.#deliver(buildArp(ARP_REQUEST, gatewayMac, gateway, undefined, address));
  }

  #deliver(frame: Uint8Array): void {
    if (!this.#blocked && !this.#delivering && this.#hand(frame)) return;
    if (this.#waiting.length >= WAITING_FRAMES || this.#waitingBytes + frame.length > WAITING_BYTES) {
      this.#counters.framesOutDropped++;
      return;
    }
    this.#waiting.push(frame.slice());
    this.#waitingBytes += frame.length;
  }

  /** @returns false when the guest has no buffers. */
  #hand(frame: Uint8Array, partialChecksum = false, segmentBytes = 0): boolean {
    if (this.#receive === undefined) {
      this.#counters.framesOutDropped++;
      return true;
    }
    this.#delivering = true;
    try {
      if (this.#receive(frame, partialChecksum, segmentBytes) === false) {
        this.#blocked = true;
        return false;
      }
    } finally {
      this.#delivering = false;
    }
    this.#counters.framesOut++;
    this.#counters.bytesOut += frame.length;
    return true;
  }
}
