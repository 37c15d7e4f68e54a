/** A request under way on the server; used again for later ones. */
export class ServerRequest {
  cookieHigh = 0;
  cookieLow = 0;
  type = 0;
  flags = 0;
  offset = 0;
  length = 0;
  /** A read's reply, with room for its header; a write's payload as far as it isn't part of what came. */
  buffer: Uint8Array | undefined;
  /** Bytes that count against the client's memory. */
  held = 0;
  /** Made once: a request costs no closures. */
  readonly succeeded: () => void;
  readonly failed: (error: unknown) => void;

  constructor(
    succeeded: (request: ServerRequest) => void,
    failed: (request: ServerRequest, error: unknown) => void,
  ) {
    this.succeeded = () => succeeded(this);
    this.failed = (error) => failed(this, error);
  }
}
