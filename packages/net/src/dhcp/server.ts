import type { Logger } from '@polyvisor/contracts';
import type { UserNetworkStats } from '../counters.ts';
import { formatMac, isStation } from '../ethernet/ethernet.ts';
import { formatIpv4 } from '../ip/address.ts';
import type { Layout } from '../layout.ts';
import { buildDhcpReply, type DhcpRequest, messageTypes, options, parseDhcpRequest } from './message.ts';

/** A day; as with QEMU. The address stays the client's longer, until the pool runs out. */
const LEASE_SECONDS = 86_400;

/** What the server tells clients beyond their address. */
export interface DhcpServerOptions {
  readonly layout: Layout;
  /** Restricted networks have neither router nor DNS server. */
  readonly isolated: boolean;
  readonly mtu: number;
  /** This station always gets the first address. */
  readonly firstMac: Uint8Array | undefined;
  readonly hostname: string | undefined;
}

/** An answer and where to send it. */
export interface DhcpAnswer {
  readonly bytes: Uint8Array;
  readonly destination: number;
  readonly mac: Uint8Array;
}

interface Lease {
  readonly address: number;
  /** As 12 digits; empty: never given out. */
  mac: string;
  usedMs: number;
  /** A client found somebody else on it (DECLINE). */
  declined: boolean;
}

/** DHCP and BOOTP server for the pool of the layout (RFC 2131). Leases live as long as the network. */
export class DhcpServer {
  readonly #options: DhcpServerOptions;
  readonly #counters: UserNetworkStats;
  readonly #logger: Logger;
  readonly #leases: Lease[];

  constructor(serverOptions: DhcpServerOptions, counters: UserNetworkStats, logger: Logger) {
    this.#options = serverOptions;
    this.#counters = counters;
    this.#logger = logger;
    const { dhcpStart, dhcpCount } = serverOptions.layout;
    this.#leases = Array.from({ length: dhcpCount }, (_, index) => ({
      address: dhcpStart + index,
      mac: '',
      usedMs: 0,
      declined: false,
    }));
    if (serverOptions.firstMac !== undefined) this.#leases[0]!.mac = formatMac(serverOptions.firstMac);
  }

  /** Answers the UDP payload `bytes`; undefined when there is nothing to say. */
  handle(bytes: Uint8Array, nowMs: number): DhcpAnswer | undefined {
    const request = parseDhcpRequest(bytes);
    const answer =
      request === undefined || !isStation(request.mac, 0) || request.relayAddress !== 0
        ? undefined
        : this.#answer(request, nowMs);
    if (answer === undefined) this.#counters.dhcpIgnored++;
    return answer;
  }

  #answer(request: DhcpRequest, nowMs: number): DhcpAnswer | undefined {
    switch (request.type) {
      case 0:
      case messageTypes.discover: {
        const lease = this.#leaseFor(request, nowMs);
        if (lease === undefined) return undefined;
        return this.#reply(request, request.type === 0 ? 0 : messageTypes.offer, lease.address);
      }
      case messageTypes.request:
        return this.#request(request, nowMs);
      case messageTypes.inform:
        return request.clientAddress === 0 ? undefined : this.#reply(request, messageTypes.ack, 0);
      case messageTypes.decline:
      case messageTypes.release: {
        const address =
          request.type === messageTypes.decline ? request.requestedAddress : request.clientAddress;
        const lease = this.#leases.find(
          (each) => each.address === address && each.mac === formatMac(request.mac),
        );
        if (lease !== undefined && request.type === messageTypes.decline) {
          lease.declined = true;
          lease.mac = '';
        }
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #request(request: DhcpRequest, nowMs: number): DhcpAnswer | undefined {
    const { gateway } = this.#options.layout;
    // Another server's offer was chosen.
    if (request.serverIdentifier !== undefined && request.serverIdentifier !== gateway) return undefined;
    const wanted = request.requestedAddress ?? request.clientAddress;
    const lease = this.#leaseFor(request, nowMs);
    // INIT-REBOOT of a client that remembers its lease from an earlier run, too.
    if (lease?.address !== wanted) return this.#reply(request, messageTypes.nak, 0);
    this.#counters.dhcpAcks++;
    this.#logger.info(
      { mac: formatMac(request.mac), address: formatIpv4(wanted), hostname: request.hostName ?? '' },
      'guest has an address',
    );
    return this.#reply(request, messageTypes.ack, wanted);
  }

  /** The client's lease: the one it has, the one it asks for, a fresh one, or the one unused for longest. */
  #leaseFor(request: DhcpRequest, nowMs: number): Lease | undefined {
    const mac = formatMac(request.mac);
    const wanted = request.requestedAddress ?? request.clientAddress;
    const free = this.#leases.filter((each) => each.mac === '' && !each.declined);
    const first = this.#options.firstMac === undefined ? 0 : 1;
    const oldest = this.#leases
      .slice(first)
      .filter((each) => !each.declined)
      .sort((a, b) => a.usedMs - b.usedMs)[0];
    const lease =
      this.#leases.find((each) => each.mac === mac) ??
      free.find((each) => each.address === wanted) ??
      free[0] ??
      oldest;
    if (lease === undefined) return undefined;
    lease.mac = mac;
    lease.usedMs = nowMs;
    return lease;
  }

  #reply(request: DhcpRequest, type: number, yourAddress: number): DhcpAnswer {
    const { layout, isolated, mtu, hostname } = this.#options;
    const nak = type === messageTypes.nak;
    const bytes = buildDhcpReply(request, {
      yourAddress,
      serverAddress: layout.gateway,
      options: [
        ...(type === 0 ? [] : [[options.messageType, Uint8Array.of(type)] as const]),
        ...(type === 0 ? [] : [[options.serverIdentifier, layout.gateway] as const]),
        ...(nak ? [] : this.#configuration(layout, isolated, mtu, hostname)),
        ...(nak || yourAddress === 0 ? [] : leaseTimes),
      ],
    });
    // RFC 2131, section 4.1: to where the client can hear it.
    const unicast = !nak && !request.broadcast && request.clientAddress !== 0;
    const destination = unicast ? request.clientAddress : 0xffff_ffff;
    return { bytes, destination, mac: nak || request.broadcast ? BROADCAST : request.mac };
  }

  #configuration(
    layout: Layout,
    isolated: boolean,
    mtu: number,
    hostname: string | undefined,
  ): readonly (readonly [number, number | Uint8Array])[] {
    const text = new TextEncoder();
    return [
      [options.subnetMask, 0xffff_ff00],
      [options.broadcastAddress, layout.broadcast],
      ...(isolated
        ? []
        : [[options.router, layout.gateway] as const, [options.dnsServers, layout.dns] as const]),
      ...(hostname === undefined ? [] : [[options.hostName, text.encode(hostname)] as const]),
      ...(mtu === 1500 ? [] : [[options.interfaceMtu, Uint8Array.of(mtu >> 8, mtu & 255)] as const]),
    ];
  }
}

const BROADCAST = new Uint8Array(6).fill(255);

const leaseTimes: readonly (readonly [number, number])[] = [
  [options.leaseTime, LEASE_SECONDS],
  [options.renewalTime, LEASE_SECONDS / 2],
  [options.rebindingTime, (LEASE_SECONDS / 8) * 7],
];
