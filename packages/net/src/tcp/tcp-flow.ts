import type { Timer } from '@polyvisor/contracts';
import type { HostTcpEvents, HostTcpSocket, SocketFailure } from '../host-sockets.ts';
import type { Scheduler } from '../scheduler.ts';
import { CHUNK_BYTES, type ChunkPool } from './chunk-pool.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { TcpSegment } from './segment.ts';
import { TcpEndpoint } from './tcp-endpoint.ts';
import type { TcpEnd, TcpNetwork, TcpUser } from './tcp-user.ts';

/** What one direction of a connection holds at most. */
const BUFFER_BYTES = 1 << 20;
/** A chunk filled less than this is copied, so that the chunk itself can be used again at once. */
const COPY_BYTES = CHUNK_BYTES / 4;

/** What flows share. */
export interface TcpFlowOwner {
  readonly scheduler: Scheduler;
  readonly budget: MemoryBudget;
  readonly chunks: ChunkPool;
  /** See {@link TcpNetwork.transmit}. */
  transmit(
    flow: TcpFlow,
    flags: number,
    sequence: number,
    offset: number,
    length: number,
    mayWait: boolean,
  ): boolean;
  /** See {@link TcpNetwork.largest}. */
  largest(): number;
  /** Calls {@link TcpFlow.flush} at the end of the batch. */
  touch(flow: TcpFlow): void;
  retransmitted(): void;
  /** The host could not be reached while the guest's SYN was held. */
  unreachable(flow: TcpFlow): void;
  remove(flow: TcpFlow, how: TcpEnd | 'aborted'): void;
}

/** A connection: an endpoint toward the guest, a socket toward the host, and back-pressure both ways. */
export class TcpFlow implements TcpUser, TcpNetwork {
  readonly guest: number;
  readonly guestPort: number;
  /** The other end as the guest sees it. */
  readonly remote: number;
  readonly remotePort: number;
  readonly endpoint: TcpEndpoint;
  /** What the host's socket calls. */
  readonly events: HostTcpEvents = {
    connected: () => {
      if (!this.#removed) this.endpoint.accept();
    },
    data: (bytes) => this.#data(bytes),
    ended: () => {
      if (!this.#removed) this.endpoint.end();
    },
    closed: (failure) => this.#socketClosed(failure),
  };
  /** For the owner: whether a flush is due. */
  touched = false;
  /** The first 28 bytes of the guest's SYN, for an ICMP error. */
  quote: Uint8Array | undefined;
  readonly #owner: TcpFlowOwner;
  #socket: HostTcpSocket | undefined;
  #removed = false;

  /** Bytes for the host, being collected. */
  #chunk: Uint8Array | undefined;
  #filled = 0;
  /** Bytes taken from the guest and not yet taken by the host. */
  #toHost = 0;
  #guestEnded = false;
  #socketEnded = false;

  /** Bytes accounted for in the endpoint's queue. */
  #toGuest = 0;
  #paused = false;

  #timer: Timer | undefined;
  #timerAtMs = Infinity;

  constructor(
    owner: TcpFlowOwner,
    guest: number,
    guestPort: number,
    remote: number,
    remotePort: number,
    segment: number,
    initialSequence: number,
  ) {
    this.#owner = owner;
    this.guest = guest;
    this.guestPort = guestPort;
    this.remote = remote;
    this.remotePort = remotePort;
    this.endpoint = new TcpEndpoint(segment, initialSequence, this, this);
  }

  /** Ties the flow to its socket. */
  attach(socket: HostTcpSocket): void {
    this.#socket = socket;
  }

  /** A segment of the guest's. */
  input(segment: TcpSegment): void {
    this.endpoint.input(segment);
  }

  /** End of a batch: to the host what was collected, to the guest what is due. */
  flush(): void {
    if (this.#removed) return;
    this.#writeChunk();
    this.#endSocket();
    this.endpoint.flush();
  }

  /** Ends both sides at once. */
  destroy(): void {
    if (this.#removed) return;
    this.endpoint.abort();
    this.#socket?.reset();
    this.#remove('aborted');
  }

  // TcpUser: what the endpoint tells.

  deliver(bytes: Uint8Array, start: number, length: number): void {
    this.#toHost += length;
    this.#owner.budget.take(length);
    let at = start;
    const end = start + length;
    while (at < end) {
      const chunk = (this.#chunk ??= this.#owner.chunks.take());
      const count = Math.min(end - at, CHUNK_BYTES - this.#filled);
      chunk.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === CHUNK_BYTES) this.#writeChunk();
    }
  }

  room(): number {
    return Math.max(0, this.#owner.budget.share(BUFFER_BYTES) - this.#toHost);
  }

  opened(): void {
    this.#writeChunk();
    this.#endSocket();
  }

  peerClosed(): void {
    this.#guestEnded = true;
    this.#owner.touch(this);
  }

  drained(): void {
    this.#account();
    if (!this.#paused || this.#toGuest > this.#share() / 2) return;
    this.#paused = false;
    this.#socket?.resume();
  }

  closed(how: TcpEnd): void {
    if (how === 'finished') {
      this.#writeChunk();
      this.#endSocket();
      // Both sides are done; a host that never closes its side must not keep the socket.
      if (!this.#guestEnded) this.#socket?.reset();
    } else this.#socket?.reset();
    this.#remove(how);
  }

  // TcpNetwork: what the endpoint asks for.

  nowMs(): number {
    return this.#owner.scheduler.nowMs();
  }

  transmit(flags: number, sequence: number, offset: number, length: number, mayWait: boolean): boolean {
    return this.#owner.transmit(this, flags, sequence, offset, length, mayWait);
  }

  largest(): number {
    return this.#owner.largest();
  }

  touch(): void {
    this.#owner.touch(this);
  }

  arm(deadlineMs: number): void {
    // An earlier timer asks again when it fires: cheaper than a new one for each segment.
    if (this.#removed || this.#timerAtMs <= deadlineMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = deadlineMs;
    this.#timer = this.#owner.scheduler.at(deadlineMs, () => {
      this.#timerAtMs = Infinity;
      if (!this.#removed) this.endpoint.timer();
    });
  }

  retransmitted(): void {
    this.#owner.retransmitted();
  }

  #data(bytes: Uint8Array): void {
    if (this.#removed) return;
    this.endpoint.send(bytes);
    this.#account();
    if (this.#paused || this.#toGuest < this.#share()) return;
    this.#paused = true;
    this.#socket?.pause();
  }

  #socketClosed(failure: SocketFailure | undefined): void {
    this.#socket = undefined;
    if (this.#removed) return;
    if (this.endpoint.state === 'held') {
      if (failure === 'unreachable' || failure === 'timeout') {
        this.endpoint.forget();
        this.#owner.unreachable(this);
      } else this.endpoint.refuse();
      this.#remove('aborted');
    } else if (failure === undefined) {
      this.endpoint.end();
    } else {
      this.endpoint.abort();
      this.#remove('aborted');
    }
  }

  #share(): number {
    return this.#owner.budget.share(BUFFER_BYTES);
  }

  #account(): void {
    const now = this.endpoint.queue.length;
    this.#owner.budget.take(now - this.#toGuest);
    this.#toGuest = now;
  }

  #writeChunk(): void {
    const chunk = this.#chunk;
    const length = this.#filled;
    if (chunk === undefined) return;
    this.#chunk = undefined;
    this.#filled = 0;
    const whole = length >= COPY_BYTES;
    const bytes = whole ? chunk.subarray(0, length) : chunk.slice(0, length);
    if (!whole) this.#owner.chunks.give(chunk);
    if (this.#socket === undefined) {
      this.#written(length);
      return;
    }
    this.#socket.write(bytes, () => {
      if (whole) this.#owner.chunks.give(chunk);
      this.#written(length);
    });
  }

  #written(length: number): void {
    if (this.#removed) return;
    this.#toHost -= length;
    this.#owner.budget.take(-length);
    this.endpoint.roomGrown();
  }

  #endSocket(): void {
    if (!this.#guestEnded || this.#socketEnded) return;
    this.#socketEnded = true;
    this.#socket?.end();
  }

  #remove(how: TcpEnd | 'aborted'): void {
    if (this.#removed) return;
    this.#removed = true;
    this.#timer?.cancel();
    this.#owner.budget.take(-this.#toHost - this.#toGuest);
    if (this.#chunk !== undefined) this.#owner.chunks.give(this.#chunk);
    this.#chunk = undefined;
    this.#owner.remove(this, how);
  }
}
