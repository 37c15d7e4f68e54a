/** What {@link messagePipe} needs of a codec. */
interface PipeCodec<T, Input> {
  encode(message: Input): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** One end of a {@link messagePipe}. */
export interface PipeEnd<Out, In> {
  send(message: Out): boolean;
  onMessage(receive: (message: In) => void): void;
  onDrain(callback: () => void): void;
  readonly closed: Promise<Error | undefined>;
  close(error?: Error): void;
}

/** Two ends of a stream of messages in one process, and a way to let it break. */
export interface MessagePipe<AOut, AIn, BOut, BIn> {
  readonly a: PipeEnd<AOut, AIn>;
  readonly b: PipeEnd<BOut, BIn>;
  /** Cuts it: what is under way is lost, both ends close. */
  cut(): void;
}

/**
 * A stream between two ends of this process. Messages go through their codecs and arrive in a later task, several at
 * once, as they do over a socket.
 */
export function messagePipe<AOut, BIn, BOut, AIn>(
  toB: PipeCodec<BIn, AOut>,
  toA: PipeCodec<AIn, BOut>,
): MessagePipe<AOut, AIn, BOut, BIn> {
  const a = new End<AOut, AIn>();
  const b = new End<BOut, BIn>();
  a.connect(b, (message) => toB.decode(toB.encode(message)));
  b.connect(a, (message) => toA.decode(toA.encode(message)));
  return {
    a,
    b,
    cut() {
      const error = new Error('the pipe was cut');
      a.end(error);
      b.end(error);
    },
  };
}

class End<Out, In> implements PipeEnd<Out, In> {
  readonly closed: Promise<Error | undefined>;
  #resolve: (error: Error | undefined) => void = () => {};
  #receive: ((message: In) => void) | undefined;
  #arrived: In[] = [];
  #planned = false;
  #open = true;
  #deliver: (message: Out) => void = () => {};
  #endPeer: (error: Error | undefined) => void = () => {};

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  connect<PeerOut, PeerIn>(peer: End<PeerOut, PeerIn>, carry: (message: Out) => PeerIn): void {
    this.#deliver = (message) => peer.#arrive(carry(message));
    this.#endPeer = (error) => peer.#finish(error);
  }

  #arrive(message: In): void {
    this.#arrived.push(message);
    this.#plan();
  }

  #plan(): void {
    if (this.#planned || this.#receive === undefined) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      for (const message of this.#arrived.splice(0)) if (this.#open) this.#receive?.(message);
    });
  }

  send(message: Out): boolean {
    if (this.#open) this.#deliver(message);
    return true;
  }

  onMessage(receive: (message: In) => void): void {
    this.#receive = receive;
    if (this.#arrived.length > 0) this.#plan();
  }

  onDrain(): void {}

  close(error?: Error): void {
    if (!this.#open) return;
    this.end(undefined);
    this.#endPeer(error);
  }

  /** Behind everything that is on its way. */
  #finish(error: Error | undefined): void {
    setImmediate(() => setImmediate(() => this.end(error)));
  }

  end(error: Error | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.#resolve(error);
  }
}
