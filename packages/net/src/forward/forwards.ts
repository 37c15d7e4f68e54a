import { PolyvisorError } from '@polyvisor/contracts';
import type { HostListener, HostSockets } from '../host-sockets.ts';
import { inNetwork, parseIpv4 } from '../ip/address.ts';
import type { Layout } from '../layout.ts';
import type { PortForward } from '../options.ts';
import type { TcpNat } from '../tcp/tcp-nat.ts';
import type { UdpNat } from '../udp/udp-nat.ts';

/** A forward that listens. */
export interface BoundForward extends PortForward {
  readonly guestAddress: string;
}

/** A forward whose guest end is checked. */
interface Target {
  readonly forward: PortForward;
  readonly guest: number;
  readonly guestAddress: string;
}

/**
 * Checks forwards against the network.
 * @throws PolyvisorError `invalid-argument` for a port or a guest's address that can't be.
 */
export function checkForwards(
  forwards: readonly PortForward[],
  layout: Layout,
  first: string,
): readonly Target[] {
  return forwards.map((forward) => {
    const guestAddress = forward.guestAddress ?? first;
    const guest = parseIpv4(guestAddress);
    const which = `${forward.protocol} ${forward.hostAddress}:${forward.hostPort} to ${guestAddress}:${forward.guestPort}`;
    const refuse = (limit: string, hint: string): never => {
      throw new PolyvisorError('invalid-argument', { what: "can't forward port", which, limit, hint });
    };
    if (!isPort(forward.hostPort)) refuse('host port is 0 to 65535', 'use a port in that range');
    if (!isPort(forward.guestPort) || forward.guestPort === 0)
      refuse('guest port is 1 to 65535', 'use a port in that range');
    if (
      guest === undefined ||
      !inNetwork(guest, layout.network, layout.prefix) ||
      guest === layout.gateway ||
      guest === layout.dns
    ) {
      return refuse("not an address of the guest's network", `leave it out for ${first}`);
    }
    return { forward, guest, guestAddress };
  });
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65_535;
}

/** Host ports that lead into the guest. */
export class Forwards {
  readonly #listeners: HostListener[] = [];
  readonly #bound: BoundForward[] = [];
  #closed = false;

  /** Those that listen, with the ports that they got. */
  get bound(): readonly BoundForward[] {
    return this.#bound;
  }

  /**
   * Starts to listen on all of them.
   * @throws PolyvisorError `busy`, `permission` or `invalid-argument` for the first that can't be; none listens then.
   */
  async open(targets: readonly Target[], sockets: HostSockets, tcp: TcpNat, udp: UdpNat): Promise<void> {
    try {
      for (const { forward, guest, guestAddress } of targets) {
        const address = forward.hostAddress === '' ? '0.0.0.0' : forward.hostAddress;
        const { guestPort } = forward;
        const listener =
          forward.protocol === 'tcp'
            ? await sockets.listenTcp(address, forward.hostPort, (socket, peerAddress, peerPort) =>
                tcp.connectGuest(socket, peerAddress, peerPort, guest, guestPort),
              )
            : await openUdp(sockets, address, forward.hostPort, udp, guest, guestPort);
        this.#listeners.push(listener);
        this.#bound.push({ ...forward, guestAddress, hostPort: listener.port });
        if (this.#closed) this.close();
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener.close();
    this.#listeners.length = 0;
    this.#bound.length = 0;
  }
}

async function openUdp(
  sockets: HostSockets,
  address: string,
  port: number,
  udp: UdpNat,
  guest: number,
  guestPort: number,
): Promise<HostListener> {
  const socket = await sockets.bindUdp(address, port, (bytes, peerAddress, peerPort) =>
    udp.forwarded(socket, bytes, peerAddress, peerPort, guest, guestPort),
  );
  return socket;
}
