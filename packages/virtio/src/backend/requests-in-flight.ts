import type { QueueElement } from '../queue/element.ts';
import type { Virtqueue } from '../queue/virtqueue.ts';
import type { VirtioHost } from './virtio-backend.ts';

/** Requests are left in their queue while those in flight hold this much. */
const IN_FLIGHT_BYTES = 16 << 20;

/**
 * The requests of a device that are served together and end in any order: how much memory they hold, which of
 * them a reset has made stale, and when there are none.
 */
export class RequestsInFlight {
  readonly #queues: number;
  #host: VirtioHost | undefined;
  #quiesced = false;
  #count = 0;
  #bytes = 0;
  /** Changes at a reset: what began before it is stale. */
  #epoch = 0;
  /** Of those in flight, what began before the last reset. New requests wait for their end. */
  #stale = 0;
  /** Requests were left in a queue, and nobody will ring for them. */
  #leftOver = false;
  #idle: (() => void)[] = [];

  /** @param queues how many queues the requests come from; the device's first ones. */
  constructor(queues: number) {
    this.#queues = queues;
  }

  /** Before anything else. */
  connect(host: VirtioHost): void {
    this.#host = host;
  }

  /**
   * Takes requests from a queue, at most its size of them, and starts each one. A request that is taken up
   * holds memory from {@link begin} to {@link end}.
   */
  take(index: number, start: (queue: Virtqueue, element: QueueElement) => void): void {
    const queue = this.#host?.queue(index);
    if (queue === undefined) return;
    for (let budget = queue.size; budget > 0; budget--) {
      if (this.#quiesced || this.#stale > 0 || this.#bytes >= IN_FLIGHT_BYTES) {
        this.#leftOver = true;
        return;
      }
      const element = queue.pop();
      if (element === undefined) return;
      start(queue, element);
    }
    this.#host?.again(index);
  }

  /** @returns what {@link end} wants back. */
  begin(bytes: number): number {
    this.#count++;
    this.#bytes += bytes;
    return this.#epoch;
  }

  /** A request is answered, or was forgotten in a reset meanwhile: room for others. */
  end(epoch: number, bytes: number): void {
    this.#count--;
    this.#bytes -= bytes;
    if (epoch !== this.#epoch) this.#stale--;
    if (this.#count === 0) for (const done of this.#idle.splice(0)) done();
    if (!this.#leftOver || this.#stale > 0 || this.#quiesced) return;
    this.#leftOver = false;
    for (let index = 0; index < this.#queues; index++) this.#host?.again(index);
  }

  /** Everything in flight is stale. */
  reset(): void {
    this.#epoch++;
    this.#stale = this.#count;
  }

  /** Takes no more; resolves when nothing is in flight. */
  quiesce(): Promise<void> {
    this.#quiesced = true;
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Takes again; the transport rings for every queue. */
  resume(): void {
    this.#quiesced = false;
  }
}
