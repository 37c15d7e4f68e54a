import type { Timer } from '@polyvisor/contracts';
import type { UserNetworkStats } from '../counters.ts';
import type { GuestLink } from '../guest-link/guest-link.ts';
import type { HostSockets, HostUdpSocket } from '../host-sockets.ts';
import { sendIcmpError } from '../icmp/icmp.ts';
import { inNetwork, parseIpv4 } from '../ip/address.ts';
import type { Ipv4Packet } from '../ip/ipv4.ts';
import type { Layout } from '../layout.ts';
import type { Verdict } from '../policy/policy.ts';
import type { Scheduler } from '../scheduler.ts';
import { sendUdp, type UdpDatagram } from './udp.ts';

/** A flow that nobody answered, and one that was. */
const UNANSWERED_MS = 30_000;
const ANSWERED_MS = 180_000;
const SWEEP_MS = 10_000;
/** Peers that one socket of the guest's hears from; the one unused for longest makes place. */
const PEERS = 256;

/** A peer outside. */
interface Peer {
  readonly address: string;
  readonly port: number;
}

/** One UDP socket of the guest's, and the host's socket that stands for it. */
interface Flow {
  readonly guest: number;
  readonly guestPort: number;
  readonly socket: HostUdpSocket;
  /** By address and port as the guest sees them; nobody else is let in. In order of last use. */
  readonly peers: Map<number, Peer>;
  usedMs: number;
  answered: boolean;
}

/** A peer outside that came in through a forward. */
interface Session {
  readonly socket: HostUdpSocket;
  readonly peer: Peer;
  usedMs: number;
}

/** What the NAT works with. */
export interface UdpNatDependencies {
  readonly link: GuestLink;
  readonly layout: Layout;
  readonly sockets: HostSockets;
  readonly scheduler: Scheduler;
  readonly counters: UserNetworkStats;
  readonly decide: (destination: number) => Verdict;
  /** Flows, and sessions of forwards, at one time. */
  readonly limit: number;
}

/**
 * UDP between guest and outside: one host socket per guest socket, which hears only those whom the guest has
 * spoken to; and peers that come in through forwards. A full table gives up what was unused for longest.
 */
export class UdpNat {
  readonly #deps: UdpNatDependencies;
  /** By the guest address's last byte and port, in order of last use. */
  readonly #flows = new Map<number, Flow>();
  readonly #sessions = new Map<string, Session>();
  #sweep: Timer | undefined;

  constructor(dependencies: UdpNatDependencies) {
    this.#deps = dependencies;
  }

  /** Handles a datagram from the guest that is neither DHCP nor DNS. */
  handle(packet: Ipv4Packet, datagram: UdpDatagram): void {
    if (this.#reply(packet, datagram)) return;
    const { counters, link, layout } = this.#deps;
    const flow = this.#flows.get(flowKey(packet.source, datagram.sourcePort));
    const key = packet.destination * 65_536 + datagram.destinationPort;
    let peer = flow?.peers.get(key);
    if (peer === undefined) {
      const verdict = this.#deps.decide(packet.destination);
      if (verdict.kind !== 'host') {
        counters.denied++;
        if (verdict.kind === 'refuse') sendIcmpError(link, layout.gateway, verdict.error, packet);
        return;
      }
      peer = { address: verdict.address, port: datagram.destinationPort };
    }
    const open = flow ?? this.#open(packet.source, datagram.sourcePort);
    open.usedMs = this.#deps.scheduler.nowMs();
    touch(open.peers, key, peer);
    while (open.peers.size > PEERS) open.peers.delete(oldest(open.peers));
    touch(this.#flows, flowKey(open.guest, open.guestPort), open);
    open.socket.send(datagram.data, peer.address, peer.port);
  }

  /** A datagram came to a forwarded port; the guest sees it come from its peer, or from the gateway if that is the host. */
  forwarded(
    socket: HostUdpSocket,
    bytes: Uint8Array,
    peerAddress: string,
    peerPort: number,
    guest: number,
    guestPort: number,
  ): void {
    const from = presentedAddress(peerAddress, this.#deps.layout);
    let fromPort = peerPort;
    let key = sessionKey(guest, guestPort, from, fromPort);
    let session = this.#sessions.get(key);
    for (let attempts = 0; session !== undefined && attempts < 64; attempts++) {
      const { peer } = session;
      if (session.socket === socket && peer.address === peerAddress && peer.port === peerPort) break;
      // Two peers look alike to the guest: the later one gets another port.
      fromPort = 49_152 + ((fromPort + 1) & 0x3fff);
      key = sessionKey(guest, guestPort, from, fromPort);
      session = this.#sessions.get(key);
    }
    session ??= { socket, peer: { address: peerAddress, port: peerPort }, usedMs: 0 };
    session.usedMs = this.#deps.scheduler.nowMs();
    touch(this.#sessions, key, session);
    while (this.#sessions.size > this.#deps.limit) this.#sessions.delete(oldest(this.#sessions));
    this.#startSweep();
    sendUdp(this.#deps.link, from, fromPort, guest, guestPort, bytes);
  }

  /** Closes all flows; forwards' sockets are not the NAT's. */
  reset(): void {
    for (const flow of this.#flows.values()) this.#close(flow);
    this.#sessions.clear();
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  /** Whether the datagram answers a forward's peer. */
  #reply(packet: Ipv4Packet, datagram: UdpDatagram): boolean {
    if (this.#sessions.size === 0) return false;
    const key = sessionKey(packet.source, datagram.sourcePort, packet.destination, datagram.destinationPort);
    const session = this.#sessions.get(key);
    if (session === undefined) return false;
    session.usedMs = this.#deps.scheduler.nowMs();
    touch(this.#sessions, key, session);
    session.socket.send(datagram.data, session.peer.address, session.peer.port);
    return true;
  }

  #open(guest: number, guestPort: number): Flow {
    if (this.#flows.size >= this.#deps.limit) {
      this.#deps.counters.udpDropped++;
      this.#close(this.#flows.get(oldest(this.#flows))!);
    }
    const flow: Flow = {
      guest,
      guestPort,
      socket: this.#deps.sockets.openUdp(4, (bytes, address, port) =>
        this.#receive(flow, bytes, address, port),
      ),
      peers: new Map(),
      usedMs: 0,
      answered: false,
    };
    this.#flows.set(flowKey(guest, guestPort), flow);
    this.#deps.counters.udpFlows++;
    this.#startSweep();
    return flow;
  }

  #receive(flow: Flow, bytes: Uint8Array, address: string, port: number): void {
    const { layout, counters, link } = this.#deps;
    const from = presentedAddress(address, layout);
    if (!flow.peers.has(from * 65_536 + port)) {
      counters.udpDropped++;
      return;
    }
    flow.answered = true;
    flow.usedMs = this.#deps.scheduler.nowMs();
    sendUdp(link, from, port, flow.guest, flow.guestPort, bytes);
  }

  #close(flow: Flow): void {
    flow.socket.close();
    if (this.#flows.delete(flowKey(flow.guest, flow.guestPort))) this.#deps.counters.udpFlows--;
  }

  #startSweep(): void {
    const { scheduler } = this.#deps;
    this.#sweep ??= scheduler.at(scheduler.nowMs() + SWEEP_MS, () => {
      this.#sweep = undefined;
      const now = scheduler.nowMs();
      for (const flow of this.#flows.values()) {
        if (now - flow.usedMs > (flow.answered ? ANSWERED_MS : UNANSWERED_MS)) this.#close(flow);
      }
      for (const [key, session] of this.#sessions) {
        if (now - session.usedMs > ANSWERED_MS) this.#sessions.delete(key);
      }
      if (this.#flows.size + this.#sessions.size > 0) this.#startSweep();
    });
  }
}

/** How the guest sees a peer: the host itself, and peers that IPv4 can't name, look like the gateway. */
export function presentedAddress(address: string, layout: Layout): number {
  const parsed = parseIpv4(address.startsWith('::ffff:') ? address.slice(7) : address);
  if (parsed === undefined || parsed >>> 24 === 127 || parsed === 0) return layout.gateway;
  return inNetwork(parsed, layout.network, layout.prefix) ? layout.gateway : parsed;
}

function flowKey(guest: number, port: number): number {
  return ((guest & 255) << 16) | port;
}

function sessionKey(guest: number, guestPort: number, peer: number, peerPort: number): string {
  return `${guest}:${guestPort}:${peer}:${peerPort}`;
}

/** Sets an entry and makes it the last in order. */
function touch<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
}

function oldest<K>(map: Map<K, unknown>): K {
  return map.keys().next().value as K;
}
