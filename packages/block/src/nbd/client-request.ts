import { COMMAND } from './nbd-protocol.ts';

/** An extent as a server told it. */
export interface StatusExtent {
  readonly length: number;
  readonly state: number;
}

/** A request of the client: lives from the call to its answer, also across connections. */
export class ClientRequest {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  /** What is written. */
  readonly payload: Uint8Array | undefined;
  /** Where a read goes. */
  readonly target: Uint8Array | undefined;
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;
  /** Nobody waits for it any more: its data goes nowhere. */
  abandoned = false;
  /** Connections that may still send the payload from where it is. */
  pins = 0;
  /** Of the answer, so far. */
  error = 0;
  message: string | undefined;
  extent: StatusExtent | undefined;
  /** Where the next byte of a read is expected, and how many came. */
  expected: number;
  covered = 0;
  /** Chunks that came out of order, as starts and ends. */
  ranges: number[] | undefined;

  constructor(
    type: number,
    flags: number,
    offset: number,
    length: number,
    buffers: { readonly payload?: Uint8Array; readonly target?: Uint8Array } = {},
  ) {
    this.type = type;
    this.flags = flags;
    this.offset = offset;
    this.length = length;
    this.payload = buffers.payload;
    this.target = buffers.target;
    this.expected = offset;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Forgets what a lost connection answered. */
  restart(): void {
    this.error = 0;
    this.message = undefined;
    this.extent = undefined;
    this.expected = this.offset;
    this.covered = 0;
    this.ranges = undefined;
  }

  get isRead(): boolean {
    return this.type === COMMAND.read;
  }
}
