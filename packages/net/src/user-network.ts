import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import { createCounters, type UserNetworkStats } from './counters.ts';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from './dhcp/message.ts';
import { DhcpServer } from './dhcp/server.ts';
import { DnsRelay } from './dns/relay.ts';
import { openDnsTcp } from './dns/tcp-service.ts';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, parseMac, sameMac } from './ethernet/ethernet.ts';
import { type BoundForward, checkForwards, Forwards } from './forward/forwards.ts';
import { type FrameOffloads, type FrameReceiver, GuestLink } from './guest-link/guest-link.ts';
import { answerEcho, isEchoRequest, sendIcmpError } from './icmp/icmp.ts';
import { formatIpv4 } from './ip/address.ts';
import { Ipv4Packet, parseIpv4Packet, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from './ip/ipv4.ts';
import { Reassembly } from './ip/reassembly.ts';
import { createLayout, type Layout } from './layout.ts';
import { defaultLimits, type UserNetworkOptions } from './options.ts';
import { decide } from './policy/policy.ts';
import { createHostClock, createScheduler, type Scheduler } from './scheduler.ts';
import { parseTcp, TcpSegment } from './tcp/segment.ts';
import { TcpNat } from './tcp/tcp-nat.ts';
import { parseUdp, sendUdp, UdpDatagram } from './udp/udp.ts';
import { UdpNat } from './udp/udp-nat.ts';
import { readU16 } from './wire/big-endian.ts';

const DNS_PORT = 53;
const INBOX_FRAMES = 1024;

/** A network of the guest's own, with the host's sockets behind it. Frames are Ethernet without check sequence. */
export interface UserNetwork {
  /** Resolves once all forwards listen; rejects with PolyvisorError `busy`, `permission` or `invalid-argument`. */
  readonly ready: Promise<void>;
  /** Largest IPv4 packet that it sends. */
  readonly mtu: number;
  /** What {@link send} takes beyond plain frames: everything. */
  readonly offloads: FrameOffloads;
  /**
   * A frame from the guest. Read before it returns; never throws, whatever it holds.
   * @param partialChecksum whether the TCP or UDP checksum is yet to be completed. Default: false.
   * @param segmentBytes other than 0: a large TCP segment, to be cut into this much payload each if it left the machine.
   */
  send(frame: Uint8Array, partialChecksum?: boolean, segmentBytes?: number): void;
  /**
   * Registers the receiver of frames for the guest. A frame is valid during the call only. The receiver may return
   * false to say that the guest has no buffers; it then calls {@link resume} once it has.
   */
  onReceive(receive: FrameReceiver): void;
  /** The guest has buffers again. */
  resume(): void;
  /** What the receiver takes beyond plain frames, from now on. Default: nothing. */
  receiverOffloads(offloads: FrameOffloads): void;
  /** The guest was reset: its connections and addresses are forgotten, forwards stay. */
  reset(): void;
  /** Forwards that listen, with the ports that they got. */
  forwards(): readonly BoundForward[];
  /** A copy of the counters. */
  stats(): UserNetworkStats;
  /** Closes all sockets. Idempotent. */
  close(): Promise<void>;
}

/**
 * A user-mode network: the guest gets its address by DHCP, and reaches what the host's own sockets reach.
 * @throws PolyvisorError `invalid-argument` for impossible options.
 */
export function createUserNetwork(options: UserNetworkOptions): UserNetwork {
  return new SocketNetwork(options);
}

class SocketNetwork implements UserNetwork {
  readonly ready: Promise<void>;
  readonly mtu: number;
  readonly offloads: FrameOffloads = { partialChecksum: true, largeSegments: true };
  readonly #layout: Layout;
  readonly #counters = createCounters();
  readonly #scheduler: Scheduler;
  readonly #link: GuestLink;
  readonly #dhcp: DhcpServer;
  readonly #dns: DnsRelay;
  readonly #udp: UdpNat;
  readonly #tcp: TcpNat;
  readonly #reassembly = new Reassembly(this.#counters);
  readonly #forwards = new Forwards();
  readonly #options: UserNetworkOptions;
  readonly #packet = new Ipv4Packet();
  readonly #datagram = new UdpDatagram();
  readonly #segment = new TcpSegment();
  /** Frames that the guest sent while it was given one. */
  readonly #inbox: (readonly [frame: Uint8Array, partialChecksum: boolean, segmentBytes: number])[] = [];
  #closed = false;

  constructor(options: UserNetworkOptions) {
    this.#options = options;
    this.mtu = checkMtu(options.mtu ?? 1500);
    const layout = (this.#layout = createLayout(options.network));
    const { sockets, hostLoopback = false, restrict = false, logger = silentLogger } = options;
    const limits = { ...defaultLimits, ...options.limits };
    const mac = checkMac(options.mac);
    const counters = this.#counters;
    const scheduler = (this.#scheduler = createScheduler(options.clock ?? createHostClock(), options.defer));
    const link = (this.#link = new GuestLink(layout, this.mtu, counters, logger, () => scheduler.nowMs()));
    if (mac !== undefined) link.learn(layout.dhcpStart, mac, 0);
    this.#dhcp = new DhcpServer(
      { layout, isolated: restrict, mtu: this.mtu, firstMac: mac, hostname: options.hostname },
      counters,
      logger,
    );
    const dns = (this.#dns = new DnsRelay(sockets, scheduler, counters));
    const policy = { layout, hostLoopback, restrict };
    const shared = {
      link,
      layout,
      sockets,
      scheduler,
      counters,
      decide: (destination: number) => decide(destination, policy),
    };
    this.#udp = new UdpNat({ ...shared, limit: limits.udpFlows });
    this.#tcp = new TcpNat({
      ...shared,
      limit: limits.tcpFlows,
      memory: limits.tcpMemory,
      service: (destination, port) =>
        destination === layout.dns && port === DNS_PORT && !restrict
          ? (events) => openDnsTcp(dns, scheduler, events)
          : undefined,
    });
    const targets = checkForwards(options.forwards ?? [], layout, formatIpv4(layout.dhcpStart));
    this.ready = this.#forwards.open(targets, sockets, this.#tcp, this.#udp);
    // Whoever awaits it hears of a failure; nobody has to.
    this.ready.catch(() => {});
  }

  send(frame: Uint8Array, partialChecksum = false, segmentBytes = 0): void {
    const counters = this.#counters;
    if (this.#closed) return;
    if (this.#link.delivering) {
      this.#sendLater(frame, partialChecksum, segmentBytes);
      return;
    }
    counters.framesIn++;
    counters.bytesIn += frame.length;
    if (frame.length < ETHERNET_HEADER) {
      counters.malformed++;
      return;
    }
    if (!this.#isForUs(frame)) {
      counters.ignored++;
      return;
    }
    const type = readU16(frame, 12);
    if (type === ETHERTYPE_IPV4) this.#ipv4(frame, partialChecksum, segmentBytes);
    else if (type === ETHERTYPE_ARP) this.#link.arp(frame);
    else counters.ignored++;
  }

  onReceive(receive: FrameReceiver): void {
    this.#link.onReceive(receive);
  }

  resume(): void {
    if (!this.#closed && this.#link.resume()) this.#tcp.resume();
  }

  receiverOffloads(offloads: FrameOffloads): void {
    this.#link.offloads = offloads;
  }

  reset(): void {
    this.#tcp.reset();
    this.#link.reset();
    this.#udp.reset();
    this.#dns.reset();
    this.#reassembly.clear();
    const mac = checkMac(this.#options.mac);
    if (mac !== undefined) this.#link.learn(this.#layout.dhcpStart, mac, 0);
  }

  forwards(): readonly BoundForward[] {
    return [...this.#forwards.bound];
  }

  stats(): UserNetworkStats {
    return { ...this.#counters, tcpBufferedBytes: this.#tcp.bufferedBytes };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.onReceive(() => true);
    this.#forwards.close();
    this.reset();
    await this.ready.catch(() => {});
    this.#forwards.close();
  }

  /** A receiver that sends from inside its call: nothing above is ready for that, and nothing has to be. */
  #sendLater(frame: Uint8Array, partialChecksum: boolean, segmentBytes: number): void {
    if (this.#inbox.length >= INBOX_FRAMES) {
      this.#counters.ignored++;
      return;
    }
    this.#inbox.push([frame.slice(), partialChecksum, segmentBytes]);
    if (this.#inbox.length > 1) return;
    this.#scheduler.defer(() => {
      for (const each of this.#inbox.splice(0)) this.send(...each);
    });
  }

  #isForUs(frame: Uint8Array): boolean {
    if ((frame[0]! & 1) !== 0) return true;
    return sameMac(frame, 0, this.#layout.gatewayMac, 0) || sameMac(frame, 0, this.#layout.dnsMac, 0);
  }

  #ipv4(frame: Uint8Array, partialChecksum: boolean, segmentBytes: number): void {
    const packet = this.#packet;
    const counters = this.#counters;
    if (parseIpv4Packet(packet, frame, ETHERNET_HEADER, segmentBytes > 0) !== undefined) {
      counters.malformed++;
      return;
    }
    // A client without an address may only talk to the DHCP server.
    const addressless = packet.source === 0;
    if (!addressless && !this.#link.isGuest(packet.source)) {
      counters.badSource++;
      return;
    }
    if (!addressless) this.#link.learn(packet.source, frame, 6);
    if (packet.moreFragments || packet.fragmentOffset !== 0) {
      if (!this.#reassembly.add(packet, this.#scheduler.nowMs())) return;
    }
    if (packet.protocol === PROTOCOL_UDP) this.#handleUdp(packet, partialChecksum);
    else if (addressless) counters.badSource++;
    else if (packet.ttl <= 1 && !this.#isOurs(packet.destination)) {
      sendIcmpError(this.#link, this.#layout.gateway, 'timeExceeded', packet);
    } else if (packet.protocol === PROTOCOL_TCP) {
      if (parseTcp(this.#segment, packet, partialChecksum)) this.#tcp.handle(packet, this.#segment);
      else counters.malformed++;
    } else if (packet.protocol === PROTOCOL_ICMP) this.#handleIcmp(packet);
    else counters.ignored++;
  }

  #isOurs(address: number): boolean {
    return address === this.#layout.gateway || address === this.#layout.dns;
  }

  #handleUdp(packet: Ipv4Packet, partialChecksum: boolean): void {
    const datagram = this.#datagram;
    const counters = this.#counters;
    const layout = this.#layout;
    const link = this.#link;
    if (!parseUdp(datagram, packet, partialChecksum)) {
      counters.malformed++;
      return;
    }
    const { destination } = packet;
    const toServer =
      destination === layout.gateway || destination === layout.broadcast || destination === 0xffff_ffff;
    if (datagram.destinationPort === DHCP_SERVER_PORT && toServer) {
      const answer = this.#dhcp.handle(datagram.data, this.#scheduler.nowMs());
      if (answer === undefined) return;
      const { bytes, mac } = answer;
      sendUdp(link, layout.gateway, DHCP_SERVER_PORT, answer.destination, DHCP_CLIENT_PORT, bytes, mac);
    } else if (packet.source === 0) counters.badSource++;
    else if (packet.ttl <= 1 && !this.#isOurs(destination)) {
      sendIcmpError(link, layout.gateway, 'timeExceeded', packet);
    } else if (
      destination === layout.dns &&
      datagram.destinationPort === DNS_PORT &&
      this.#options.restrict !== true
    ) {
      const { source } = packet;
      const { sourcePort } = datagram;
      this.#dns.handle(datagram.data, 'udp', (response) =>
        sendUdp(link, layout.dns, DNS_PORT, source, sourcePort, response),
      );
    } else this.#udp.handle(packet, datagram);
  }

  /** Node has no ping sockets: only our own addresses answer, the rest of the world is out of reach. */
  #handleIcmp(packet: Ipv4Packet): void {
    if (!isEchoRequest(packet)) this.#counters.ignored++;
    else if (this.#isOurs(packet.destination)) {
      if (!answerEcho(this.#link, packet)) this.#counters.malformed++;
    } else if (packet.destination >>> 28 < 14 && packet.destination !== this.#layout.broadcast) {
      this.#counters.denied++;
      sendIcmpError(this.#link, this.#layout.gateway, 'hostUnreachable', packet);
    } else this.#counters.ignored++;
  }
}

function checkMtu(mtu: number): number {
  if (Number.isInteger(mtu) && mtu >= 576 && mtu <= 65_535) return mtu;
  throw new PolyvisorError('invalid-argument', {
    what: "can't use MTU",
    which: String(mtu),
    limit: '576 to 65535',
    hint: 'leave it out for 1500',
  });
}

function checkMac(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const mac = parseMac(text);
  if (mac !== undefined) return mac;
  throw new PolyvisorError('invalid-argument', {
    what: "can't use MAC address",
    which: text,
    limit: 'six hexadecimal bytes of one station, not a group',
    hint: 'use for example 52:54:00:12:34:56',
  });
}
