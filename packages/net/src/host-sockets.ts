/** Why a connection to the outside came to nothing, or ended. */
export type SocketFailure = 'refused' | 'unreachable' | 'timeout' | 'reset' | 'other';

/** A stream to a host's peer, as the network uses it. After {@link reset}, or after `closed`, nothing more is called. */
export interface HostTcpSocket {
  /** Queues bytes. They belong to the socket until it calls `written`, in the order of the calls. */
  write(bytes: Uint8Array, written: () => void): void;
  /** No more bytes follow those written (FIN). */
  end(): void;
  /** Ends both directions at once (RST where it can). Idempotent. */
  reset(): void;
  /** No more `data` until {@link resume}. */
  pause(): void;
  resume(): void;
}

/** What a {@link HostTcpSocket} tells. */
export interface HostTcpEvents {
  /** The connection stands; only after `connectTcp`. */
  connected(): void;
  /** The bytes belong to the receiver from now on. */
  data(bytes: Uint8Array): void;
  /** The peer sends no more (FIN). */
  ended(): void;
  /** The last call: both directions are done, or it failed. */
  closed(failure?: SocketFailure): void;
}

/** A listening socket. */
export interface HostListener {
  /** Differs from what was asked where that was 0. */
  readonly port: number;
  close(): void;
}

/** A UDP socket of the host's. */
export interface HostUdpSocket {
  /** Port it is bound to; 0 until it is. */
  readonly port: number;
  /** Copies the bytes before it returns. Datagrams that can't be sent are dropped. */
  send(bytes: Uint8Array, address: string, port: number): void;
  close(): void;
}

/** Takes a datagram; the bytes belong to it from then on. */
export type HostDatagram = (bytes: Uint8Array, address: string, port: number) => void;

/**
 * The host's network as {@link createUserNetwork} needs it. Addresses are IPv4 or IPv6 literals, never names.
 * Events come from later tasks, never from inside a call. `@polyvisor/net/node` has the one for Node.
 */
export interface HostSockets {
  connectTcp(address: string, port: number, events: HostTcpEvents): HostTcpSocket;
  /**
   * @param accept gets each connection, its peer, and answers with the events' receiver.
   * @throws (rejects) PolyvisorError `busy`, `permission` or `invalid-argument`, naming address and port.
   */
  listenTcp(
    address: string,
    port: number,
    accept: (socket: HostTcpSocket, peerAddress: string, peerPort: number) => HostTcpEvents,
  ): Promise<HostListener>;
  /** A socket on a free port, for datagrams to anywhere of one family. */
  openUdp(family: 4 | 6, receive: HostDatagram): HostUdpSocket;
  /** @throws (rejects) as {@link listenTcp}. */
  bindUdp(address: string, port: number, receive: HostDatagram): Promise<HostUdpSocket>;
  /** Addresses of the host's DNS servers, in order of preference. May change over time. */
  resolvers(): readonly string[];
  /**
   * Addresses of a name, by the host's own means (hosts file and all).
   * @returns an empty list when the name has none of that family, undefined when nobody could tell.
   */
  lookup(name: string, family: 4 | 6): Promise<readonly string[] | undefined>;
}
