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
import { IPV4_HEADER, writeIpv4Header } from '../ip/ipv4.ts';
import type { Layout } from '../layout.ts';
import { writeU16 } from '../wire/big-endian.ts';

/** Takes a frame for the guest, valid during the call only. False: it has no buffers now and will call `resume`. */
export type FrameReceiver = (frame: Uint8Array) => boolean | void;

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
    this.#deliver(buildArp(ARP_REPLY, mac, packet.targetIp, packet.senderMac, packet.senderIp), true);
  }

  /**
   * Sends the payload that stands at {@link TRANSPORT_AT}, in fragments if it is larger than the MTU.
   * @param mayWait whether a copy may wait for the guest's buffers; else false tells that it had none.
   * @param mac where to, when the address has none yet (DHCP).
   */
  sendIpv4(
    source: number,
    destination: number,
    protocol: number,
    length: number,
    mayWait: boolean,
    mac?: Uint8Array,
  ): boolean {
    const { frame } = this;
    if (!this.#writeEthernet(frame, source, destination, mac)) return true;
    const identification = (this.#identification = (this.#identification + 1) & 0xffff);
    if (length + IPV4_HEADER <= this.mtu) {
      const dontFragment = !mayWait;
      writeIpv4Header(frame, ETHERNET_HEADER, {
        source,
        destination,
        protocol,
        identification,
        length,
        dontFragment,
      });
      return this.#deliver(frame.subarray(0, TRANSPORT_AT + length), mayWait);
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
      this.#deliver(piece, true);
    }
    return true;
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
    this.#deliver(buildArp(ARP_REQUEST, gatewayMac, gateway, undefined, address), true);
  }

  #deliver(frame: Uint8Array, mayWait: boolean): boolean {
    if (!this.#blocked && this.#hand(frame)) return true;
    if (!mayWait) return false;
    if (this.#waiting.length >= WAITING_FRAMES || this.#waitingBytes + frame.length > WAITING_BYTES) {
      this.#counters.framesOutDropped++;
      return true;
    }
    this.#waiting.push(frame.slice());
    this.#waitingBytes += frame.length;
    return true;
  }

  /** @returns false when the guest has no buffers. */
  #hand(frame: Uint8Array): boolean {
    if (this.#receive === undefined) {
      this.#counters.framesOutDropped++;
      return true;
    }
    this.#delivering = true;
    try {
      if (this.#receive(frame) === false) {
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
