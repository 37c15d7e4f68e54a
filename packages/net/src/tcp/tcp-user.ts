/** States of RFC 9293, section 3.3.2, and `held`: a SYN came and nobody knows yet whether to take the connection. */
export type TcpState =
  | 'held'
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed';

/** States in which data and FIN go out. */
export const sendingStates: ReadonlySet<TcpState> = new Set([
  'established',
  'close-wait',
  'fin-wait-1',
  'closing',
  'last-ack',
]);

/** States in which the peer may still send data. */
export const receivingStates: ReadonlySet<TcpState> = new Set(['established', 'fin-wait-1', 'fin-wait-2']);

/** How a connection ended. */
export type TcpEnd = 'finished' | 'reset' | 'timeout';

/** Whoever uses an endpoint. */
export interface TcpUser {
  /** Takes the next bytes of the stream; copies them. Never more than {@link room} once promised. */
  deliver(bytes: Uint8Array, start: number, length: number): void;
  /** How many bytes it can take now. */
  room(): number;
  /** The connection stands. */
  opened(): void;
  /** The peer sends no more. */
  peerClosed(): void;
  /** Bytes to send were acknowledged. */
  drained(): void;
  /** The last call. Not after `TcpEndpoint.abort`. */
  closed(how: TcpEnd): void;
}

/** What an endpoint stands on. */
export interface TcpNetwork {
  nowMs(): number;
  /**
   * Sends a segment with `length` bytes from `offset` of the endpoint's queue.
   * @param mayWait whether it may be queued below; else false tells that it couldn't be sent, and
   * `TcpEndpoint.flush` is called once it can.
   */
  transmit(flags: number, sequence: number, offset: number, length: number, mayWait: boolean): boolean;
  /** Payload of the largest segment that the link cuts up by itself; 0: it doesn't. */
  largest(): number;
  /** Calls `TcpEndpoint.flush` soon, after the segments that are being handled now. */
  touch(): void;
  /** Calls `TcpEndpoint.timer` at `deadlineMs`, or earlier. */
  arm(deadlineMs: number): void;
  retransmitted(): void;
}
