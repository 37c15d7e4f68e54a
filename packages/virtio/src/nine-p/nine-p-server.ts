/**
 * A 9P file server as the 9P device needs it; it serves one client, the guest. Requests are under way together and
 * end in any order. Buffers are the caller's, never guest memory, so that a file operation which outlives a reset
 * can't touch the guest's.
 */
export interface NinePServer {
  /** Greatest message that it agrees to; longer ones are cut off. */
  readonly maxMessageBytes: number;
  /**
   * Serves one message of whatever contents, at least 7 bytes; the client may have sent more than the message.
   * Both buffers are the server's until it calls `done`, once, with the length of the reply at the start of `reply`;
   * 0 when it can't reply at all. Never throws. `again`: a server that is gone, whose session was loaded here, may
   * have done it already.
   */
  handle(request: Uint8Array, reply: Uint8Array, done: (length: number) => void, again?: boolean): void;
  /** Grows whenever what {@link save} gives has changed. Absent: nobody can take over without a {@link save}. */
  readonly revision?: number;
  /** The client is gone: its session ends. Requests under way still end. */
  reset(): void;
  /**
   * The session, in the server's own form, while no request is under way; where there is a {@link revision}, at any time,
   * as of the requests that have ended.
   */
  save(): Uint8Array;
  /** @throws PolyvisorError `corrupt`; the server is then as after {@link reset}. */
  load(saved: Uint8Array): void;
  close(): Promise<void>;
}
