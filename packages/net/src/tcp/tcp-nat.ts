import type { UserNetworkStats } from '../counters.ts';
import { type GuestLink, TRANSPORT_AT } from '../guest-link/guest-link.ts';
import type { HostSockets, HostTcpEvents, HostTcpSocket } from '../host-sockets.ts';
import { sendIcmpError, sendQuotedError } from '../icmp/icmp.ts';
import { IPV4_HEADER, type Ipv4Packet, PROTOCOL_TCP } from '../ip/ipv4.ts';
import type { Layout } from '../layout.ts';
import type { Verdict } from '../policy/policy.ts';
import type { Scheduler } from '../scheduler.ts';
import { presentedAddress } from '../udp/udp-nat.ts';
import { ChunkPool } from './chunk-pool.ts';
import { FlowTable } from './flow-table.ts';
import { MemoryBudget } from './memory-budget.ts';
import {
  ACK,
  RST,
  SYN,
  synOptionBytes,
  TCP_HEADER,
  type TcpHeader,
  type TcpSegment,
  writeTcpHeader,
} from './segment.ts';
import { TcpFlow, type TcpFlowOwner } from './tcp-flow.ts';

/** Payload of the largest segment that IPv4 can name. */
const LARGEST_SEGMENT = 65_535 - IPV4_HEADER - TCP_HEADER;

/** Ends of the guest's connections that are inside the network. */
export type TcpService = (events: HostTcpEvents) => HostTcpSocket;

/** What the NAT works with. */
export interface TcpNatDependencies {
  readonly link: GuestLink;
  readonly layout: Layout;
  readonly sockets: HostSockets;
  readonly scheduler: Scheduler;
  readonly counters: UserNetworkStats;
  readonly decide: (destination: number) => Verdict;
  /** A service of the network's own at this address and port. */
  readonly service: (destination: number, port: number) => TcpService | undefined;
  /** Connections at one time. */
  readonly limit: number;
  /** Bytes that all connections together may hold. */
  readonly memory: number;
}

/** TCP between guest and outside: ends each connection here and goes on with a socket of the host's. */
export class TcpNat {
  readonly #deps: TcpNatDependencies;
  readonly #flows = new FlowTable<TcpFlow>();
  readonly #owner: TcpFlowOwner;
  readonly #budget: MemoryBudget;
  /** Flows that need a flush; two lists, so that a flush may ask for the next one. */
  #touched: TcpFlow[] = [];
  #flushing: TcpFlow[] = [];
  #flushDue = false;
  readonly #blocked = new Set<TcpFlow>();
  readonly #header: TcpHeader = {
    sourcePort: 0,
    destinationPort: 0,
    sequence: 0,
    acknowledgment: 0,
    flags: 0,
    window: 0,
    mss: 0,
    scale: -1,
  };

  constructor(dependencies: TcpNatDependencies) {
    this.#deps = dependencies;
    this.#budget = new MemoryBudget(dependencies.memory);
    this.#owner = {
      scheduler: dependencies.scheduler,
      budget: this.#budget,
      chunks: new ChunkPool(),
      transmit: (flow, flags, sequence, offset, length, mayWait) =>
        this.#transmit(flow, flags, sequence, offset, length, mayWait),
      touch: (flow) => this.#touch(flow),
      largest: () => {
        const { largeSegments, partialChecksum } = dependencies.link.offloads;
        return largeSegments && partialChecksum ? LARGEST_SEGMENT : 0;
      },
      retransmitted: () => void dependencies.counters.tcpRetransmits++,
      unreachable: (flow) => {
        if (flow.quote === undefined) return;
        sendQuotedError(
          dependencies.link,
          dependencies.layout.gateway,
          flow.guest,
          'hostUnreachable',
          flow.quote,
        );
      },
      remove: (flow, how) => {
        this.#flows.remove(flow);
        this.#blocked.delete(flow);
        dependencies.counters.tcpFlows = this.#flows.size;
        if (how === 'reset' || how === 'aborted') dependencies.counters.tcpResets++;
      },
    };
  }

  /** Bytes that connections hold now. */
  get bufferedBytes(): number {
    return this.#budget.used;
  }

  /** Handles a segment from the guest. */
  handle(packet: Ipv4Packet, segment: TcpSegment): void {
    const { source, destination } = packet;
    const { sourcePort, destinationPort, flags } = segment;
    const flow = this.#flows.get(source, sourcePort, destination, destinationPort);
    const opens = (flags & (SYN | ACK | RST)) === SYN;
    if (flow !== undefined) {
      // A new connection may follow at once on the same ports (RFC 9293, section 3.6.1).
      const again = opens && flow.endpoint.state === 'time-wait';
      if (!again || ((segment.sequence - flow.endpoint.acknowledgment) | 0) <= 0) {
        flow.input(segment);
        return;
      }
      flow.destroy();
    }
    if (opens) this.#open(packet, segment);
    else this.#refuse(packet, segment);
  }

  /** A connection that came in from outside: goes on to the guest. The guest sees the peer, or the gateway if that is the host. */
  connectGuest(
    socket: HostTcpSocket,
    peerAddress: string,
    peerPort: number,
    guest: number,
    guestPort: number,
  ): HostTcpEvents {
    const { layout, counters } = this.#deps;
    const remote = presentedAddress(peerAddress, layout);
    let remotePort = peerPort === 0 ? 49_152 : peerPort;
    for (
      let attempts = 0;
      attempts < 1024 && this.#flows.get(guest, guestPort, remote, remotePort);
      attempts++
    ) {
      remotePort = 49_152 + ((remotePort + 1) & 0x3fff);
    }
    if (this.#isFull() || this.#flows.get(guest, guestPort, remote, remotePort) !== undefined) {
      counters.tcpRefused++;
      socket.reset();
      return { connected() {}, data() {}, ended() {}, closed() {} };
    }
    const flow = this.#create(guest, guestPort, remote, remotePort);
    flow.attach(socket);
    counters.forwardedConnections++;
    flow.endpoint.connect();
    return flow.events;
  }

  /** The guest has buffers again. */
  resume(): void {
    for (const flow of this.#blocked) this.#touch(flow);
    this.#blocked.clear();
  }

  /** Ends all connections on both sides. */
  reset(): void {
    for (const flow of [...this.#flows.values()]) flow.destroy();
  }

  #open(packet: Ipv4Packet, segment: TcpSegment): void {
    const { link, layout, sockets, counters } = this.#deps;
    const service = this.#deps.service(packet.destination, segment.destinationPort);
    const verdict = service === undefined ? this.#deps.decide(packet.destination) : undefined;
    if (verdict !== undefined && verdict.kind !== 'host') {
      counters.denied++;
      if (verdict.kind === 'drop') return;
      if (verdict.error === 'portUnreachable') this.#refuse(packet, segment);
      else sendIcmpError(link, layout.gateway, verdict.error, packet);
      return;
    }
    if (this.#isFull()) {
      counters.tcpRefused++;
      this.#refuse(packet, segment);
      return;
    }
    const flow = this.#create(packet.source, segment.sourcePort, packet.destination, segment.destinationPort);
    flow.endpoint.hold(segment);
    if (service !== undefined) flow.attach(service(flow.events));
    else if (verdict !== undefined) {
      flow.quote = packet.bytes.slice(packet.header, packet.header + IPV4_HEADER + 8);
      flow.attach(sockets.connectTcp(verdict.address, segment.destinationPort, flow.events));
    }
  }

  #create(guest: number, guestPort: number, remote: number, remotePort: number): TcpFlow {
    const segment = this.#deps.link.mtu - IPV4_HEADER - TCP_HEADER;
    const initialSequence = crypto.getRandomValues(new Int32Array(1))[0]!;
    const flow = new TcpFlow(this.#owner, guest, guestPort, remote, remotePort, segment, initialSequence);
    this.#flows.add(flow);
    this.#deps.counters.tcpOpened++;
    this.#deps.counters.tcpFlows = this.#flows.size;
    return flow;
  }

  /** Whether there is no place for one more; those that only wait for stragglers make place. */
  #isFull(): boolean {
    if (this.#flows.size < this.#deps.limit) return false;
    for (const flow of this.#flows.values()) {
      if (flow.endpoint.state !== 'time-wait') continue;
      flow.destroy();
      return false;
    }
    return true;
  }

  /** Answers a segment that belongs to no connection (RFC 9293, section 3.10.7.1). */
  #refuse(packet: Ipv4Packet, segment: TcpSegment): void {
    if ((segment.flags & RST) !== 0) return;
    const header = this.#header;
    const acknowledged = (segment.flags & ACK) !== 0;
    header.sourcePort = segment.destinationPort;
    header.destinationPort = segment.sourcePort;
    header.sequence = acknowledged ? segment.acknowledgment : 0;
    const length = segment.payloadLength + (segment.flags & SYN ? 1 : 0) + (segment.flags & 1);
    header.acknowledgment = acknowledged ? 0 : (segment.sequence + length) | 0;
    header.flags = acknowledged ? RST : RST | ACK;
    header.window = 0;
    const { link } = this.#deps;
    const total = writeTcpHeader(link.frame, TRANSPORT_AT, packet.destination, packet.source, header, 0);
    link.sendIpv4(packet.destination, packet.source, PROTOCOL_TCP, total);
  }

  #transmit(
    flow: TcpFlow,
    flags: number,
    sequence: number,
    offset: number,
    length: number,
    mayWait: boolean,
  ): boolean {
    const { link } = this.#deps;
    if (!mayWait && link.blocked) {
      this.#blocked.add(flow);
      return false;
    }
    const { endpoint } = flow;
    const header = this.#header;
    const syn = (flags & SYN) !== 0;
    header.sourcePort = flow.remotePort;
    header.destinationPort = flow.guestPort;
    header.sequence = sequence;
    header.acknowledgment = flags & ACK ? endpoint.acknowledgment : 0;
    header.flags = flags;
    header.window = flags & RST ? 0 : endpoint.advertise(syn);
    header.mss = link.mtu - IPV4_HEADER - TCP_HEADER;
    header.scale = endpoint.synScale;
    const { frame } = link;
    const headerLength = TCP_HEADER + (syn ? synOptionBytes(header.scale) : 0);
    if (length > 0) endpoint.queue.copy(offset, length, frame, TRANSPORT_AT + headerLength);
    const partial = !mayWait && link.offloads.partialChecksum;
    const total = writeTcpHeader(frame, TRANSPORT_AT, flow.remote, flow.guest, header, length, partial);
    if (mayWait) {
      link.sendIpv4(flow.remote, flow.guest, PROTOCOL_TCP, total);
      return true;
    }
    const { segmentBytes } = endpoint;
    const sent = link.sendSegment(
      flow.remote,
      flow.guest,
      total,
      partial,
      length > segmentBytes ? segmentBytes : 0,
    );
    if (!sent) this.#blocked.add(flow);
    return sent;
  }

  #touch(flow: TcpFlow): void {
    if (flow.touched) return;
    flow.touched = true;
    this.#touched.push(flow);
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#deps.scheduler.defer(() => this.#flush());
  }

  #flush(): void {
    this.#flushDue = false;
    const batch = this.#touched;
    this.#touched = this.#flushing;
    this.#flushing = batch;
    for (const flow of batch) {
      flow.touched = false;
      flow.flush();
    }
    batch.length = 0;
  }
}
