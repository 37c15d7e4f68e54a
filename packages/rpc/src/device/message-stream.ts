/**
 * One side of a stream of messages, whatever carries it. Messages arrive whole and in order, or the stream closes.
 */
export interface MessageStream<Out, In> {
  /**
   * Queues a message. What it refers to must not change afterwards.
   * @returns false when much is queued already: who can wait, waits for {@link onDrain}. Nothing is ever refused.
   */
  send(message: Out): boolean;
  /** Registers who gets messages, in order. Called once, before the next turn of the event loop. */
  onMessage(receive: (message: In) => void): void;
  /** Registers who is told that {@link send} is worth calling again. */
  onDrain(callback: () => void): void;
  /** Resolves once, with the reason if it was none of this side's. Nothing is received afterwards. */
  readonly closed: Promise<Error | undefined>;
  /** Ends it; with an error the peer is told that. Idempotent. */
  close(error?: Error): void;
}
