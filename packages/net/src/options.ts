import type { Clock, Logger } from '@polyvisor/contracts';
import type { HostSockets } from './host-sockets.ts';

/** A port of the host's that leads into the guest. */
export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  /** Address literal to listen on; empty: all IPv4 addresses. */
  readonly hostAddress: string;
  /** 0: any free one, see {@link UserNetwork.forwards}. */
  readonly hostPort: number;
  /** Absent: the first address that DHCP gives. */
  readonly guestAddress?: string;
  readonly guestPort: number;
}

/** What a user-mode network is made of. */
export interface UserNetworkOptions {
  readonly sockets: HostSockets;
  readonly logger?: Logger;
  /** Time for connections and leases; the guest's, so that nothing times out while it is paused. Default: the host's. */
  readonly clock?: Clock;
  readonly forwards?: readonly PortForward[];
  /** The gateway's address leads to the host's 127.0.0.1. Default: false. */
  readonly hostLoopback?: boolean;
  /** Nothing leads outside and no name is resolved; forwards and DHCP still work. Default: false. */
  readonly restrict?: boolean;
  /** The guest's MAC address; it gets the first DHCP address whoever asks first. */
  readonly mac?: string;
  /** Name that DHCP tells the guest. */
  readonly hostname?: string;
  /** Address of the guest's /24. Default: `10.0.2.0`. */
  readonly network?: string;
  /** Largest IPv4 packet to the guest, 576 to 65535 bytes; other than 1500 is told by DHCP. Default: 1500. */
  readonly mtu?: number;
  readonly limits?: Partial<UserNetworkLimits>;
  /** Puts work off to the end of the current batch of frames. Default: `queueMicrotask`. For tests. */
  readonly defer?: (callback: () => void) => void;
}

/** Bounds against a guest, or its peers, that want everything. */
export interface UserNetworkLimits {
  /** TCP connections. Default: 2048. */
  readonly tcpFlows: number;
  /** The guest's UDP sockets, each a socket of the host's. Default: 512. */
  readonly udpFlows: number;
  /** Bytes of TCP data for all connections; each gets a little even beyond. Default: 128 MiB. */
  readonly tcpMemory: number;
}

export const defaultLimits: UserNetworkLimits = { tcpFlows: 2048, udpFlows: 512, tcpMemory: 128 << 20 };
