/**
 * One side of a stream of messages. Messages arrive whole and in order, or the stream closes. Costs nothing over
 * gRPC's own streams.
 */
export interface MessageStream<Out, In> {
  /**
   * Queues a message. What it refers to must not change afterwards. After the end it does nothing.
   * @returns false when much is queued already: who can wait, waits for {@link onDrain}. Nothing is ever refused.
   */
  send(message: Out): boolean;
  /** Registers who gets messages, in order. Nothing is lost before: the peer waits. Called once. */
  onMessage(receive: (message: In) => void): void;
  /** Registers who is told that {@link send} is worth calling again. */
  onDrain(callback: () => void): void;
  /** No more messages for now: the peer is held up when its window is full. */
  pause(): void;
  resume(): void;
  /** Nothing more will be sent; what the peer sends still comes. Idempotent. */
  end(): void;
  /** Ends it, both ways; with an error the peer is told that (a client can only tell it to give up). Idempotent. */
  close(error?: Error): void;
  /**
   * Resolves once, when nothing more is received: undefined when the peer has ended it in good order or this side has
   * closed it, and else with the reason.
   */
  readonly closed: Promise<Error | undefined>;
}

/**
 * Messages as they come, for `for await`; the peer is held up while the loop works.
 * @throws the reason that the stream closed for, if there is one.
 */
export async function* messagesOf<In>(stream: MessageStream<never, In>): AsyncGenerator<In, void, undefined> {
  const queue: In[] = [];
  let wake = (): void => {};
  const state: { over: boolean; reason?: Error | undefined } = { over: false };
  stream.onMessage((message) => {
    queue.push(message);
    stream.pause();
    wake();
  });
  void stream.closed.then((reason) => {
    state.over = true;
    state.reason = reason;
    wake();
  });
  try {
    for (;;) {
      const message = queue.shift();
      if (message !== undefined) {
        yield message;
      } else if (state.over) {
        if (state.reason !== undefined) throw state.reason;
        return;
      } else {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        stream.resume();
        await woken;
      }
    }
  } finally {
    if (!state.over) stream.close();
  }
}
