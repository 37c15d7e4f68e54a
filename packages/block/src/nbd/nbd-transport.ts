/** What happens on a connection. */
export interface NbdTransportHandler {
  /** Bytes came; they belong to the handler. */
  data(chunk: Uint8Array): void;
  /** What was sent has all left, after there had been more than the connection takes at once. */
  drained(): void;
  /** Nothing more will come or go. Called once. */
  closed(error?: Error): void;
}

/** A connection's bytes, both ways, and nothing of NBD: a socket, TLS over it, a pipe in memory. */
export interface NbdTransport {
  /** Who is told; set it before anything can happen, and replace it when the phase changes. */
  handler: NbdTransportHandler;
  /** Bytes that {@link send} was given and that have not left yet. */
  readonly unsentBytes: number;
  /**
   * Sends bytes, in order; they must stay as they are until `sent` is called, once, also when the connection ends
   * first. Never blocks: look at {@link unsentBytes}.
   */
  send(bytes: Uint8Array, sent?: () => void): void;
  /** No more {@link NbdTransportHandler.data} until {@link resume}; what came already may still be told once. */
  pause(): void;
  resume(): void;
  /** Runs `callback` once all that has arrived by now was told: replies made meanwhile leave together. */
  soon(callback: () => void): void;
  /** Closes once everything sent has left. */
  end(): void;
  /** Closes now. */
  destroy(): void;
  /** TLS from here on; resolves once the other side is known. Absent: there is none. @throws PolyvisorError */
  startTls?(): Promise<void>;
  /** Bytes are encrypted. */
  readonly secure: boolean;
}
