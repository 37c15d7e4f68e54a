import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioNinePState } from '@polyvisor/proto/state/virtio-backends';
import type { VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import { BufferPool } from '../backend/buffer-pool.ts';
import type { QueueElement } from '../queue/element.ts';
import type { Virtqueue } from '../queue/virtqueue.ts';
import type { NinePServer } from './nine-p-server.ts';
import * as reg from './registers.ts';

export interface VirtioNinePOptions {
  /** What the guest mounts by: 1 to 254 bytes. */
  readonly tag: string;
  /** Default 128, as many buffers as Linux puts into one request. */
  readonly queueSize?: number;
}

export interface VirtioNinePDependencies {
  readonly server: NinePServer;
}

/** Requests are left in the queue while those under way hold this much. */
const IN_FLIGHT_BYTES = 16 << 20;

/**
 * A 9P device (VIRTIO 1.3, section 5.14): messages of the guest's client go to a file server and back. Requests are
 * under way together, and are answered in any order; messages go through buffers of the device's own, at most 16 MiB.
 * Cost: one copy each way (20 us for 256 KiB).
 * @throws PolyvisorError `invalid-argument` for a tag that is empty or too long.
 */
export function createVirtioNineP(
  options: VirtioNinePOptions,
  dependencies: VirtioNinePDependencies,
): VirtioBackend {
  const tag = new TextEncoder().encode(options.tag);
  if (tag.length === 0 || tag.length > reg.TAG_BYTES_LIMIT) {
    throw new PolyvisorError('invalid-argument', {
      what: 'bad mount tag of a share',
      which: options.tag,
      limit: `1 to ${reg.TAG_BYTES_LIMIT} bytes`,
    });
  }
  return new NineP(options, tag, dependencies);
}

class NineP implements VirtioBackend {
  readonly deviceId = reg.VIRTIO_ID_9P;
  readonly features = reg.VIRTIO_9P_F_MOUNT_TAG;
  readonly queueSizes: readonly number[];
  readonly config: Uint8Array;
  readonly #server: NinePServer;
  readonly #state = virtioNinePState.create();
  readonly #buffers = new BufferPool();
  #host: VirtioHost | undefined;
  #quiesced = false;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** Changes at a reset: what began before it is stale. */
  #epoch = 0;
  /** Of those in flight, what began before the last reset. New requests wait for their end. */
  #stale = 0;
  /** Requests were left in the queue, and nobody will ring for them. */
  #leftOver = false;
  #idle: (() => void)[] = [];

  constructor(options: VirtioNinePOptions, tag: Uint8Array, { server }: VirtioNinePDependencies) {
    this.#server = server;
    this.queueSizes = [options.queueSize ?? 128];
    this.config = new Uint8Array(reg.CONFIG_TAG + tag.length);
    new DataView(this.config.buffer).setUint16(0, tag.length, true);
    this.config.set(tag, reg.CONFIG_TAG);
    this.#state.tag = options.tag;
  }

  connect(host: VirtioHost): void {
    this.#host = host;
  }

  activate(): void {}

  notify(index: number): void {
    const queue = this.#host?.queue(index);
    if (queue === undefined) return;
    for (let budget = queue.size; budget > 0; budget--) {
      if (this.#quiesced || this.#stale > 0 || this.#inFlightBytes >= IN_FLIGHT_BYTES) {
        this.#leftOver = true;
        return;
      }
      const element = queue.pop();
      if (element === undefined) return;
      this.#start(queue, element);
    }
    this.#host?.again(index);
  }

  #start(queue: Virtqueue, element: QueueElement): void {
    const limit = this.#server.maxMessageBytes;
    const requestBytes = Math.min(element.readable.bytes, limit);
    const replyBytes = Math.min(element.writable.bytes, limit);
    if (requestBytes < reg.REQUEST_BYTES_MIN || replyBytes < reg.REPLY_BYTES_MIN) {
      queue.fail('request');
      return;
    }
    const request = this.#buffers.take(requestBytes);
    const reply = this.#buffers.take(replyBytes);
    element.read(0, request, 0, requestBytes);
    const held = request.length + reply.length;
    const epoch = this.#epoch;
    this.#inFlight++;
    this.#inFlightBytes += held;
    this.#server.handle(request.subarray(0, requestBytes), reply.subarray(0, replyBytes), (length) => {
      if (epoch !== this.#epoch) this.#stale--;
      else if (length === 0) queue.fail('request');
      else {
        element.write(0, reply, 0, length);
        queue.push(element, length);
        queue.signal();
      }
      this.#buffers.give(request);
      this.#buffers.give(reply);
      this.#ended(held);
    });
  }

  #ended(held: number): void {
    this.#inFlight--;
    this.#inFlightBytes -= held;
    if (this.#inFlight === 0) for (const done of this.#idle.splice(0)) done();
    if (!this.#leftOver || this.#stale > 0 || this.#quiesced) return;
    this.#leftOver = false;
    this.#host?.again(reg.REQUEST_QUEUE);
  }

  reset(): void {
    this.#epoch++;
    this.#stale = this.#inFlight;
    this.#server.reset();
  }

  save(): StateSection {
    this.#state.session = this.#server.save();
    return saveSection(virtioNinePState, this.#state);
  }

  load(section: StateSection): void {
    const loaded = virtioNinePState.create();
    loadSection(virtioNinePState, loaded, section);
    if (loaded.tag !== this.#state.tag) {
      throw new PolyvisorError('corrupt', {
        what: 'the saved state belongs to another share',
        which: loaded.tag,
        limit: `this one is ${this.#state.tag}`,
      });
    }
    this.#server.load(loaded.session);
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  resume(): void {
    this.#quiesced = false;
  }

  async close(): Promise<void> {
    await this.quiesce();
    await this.#server.close();
  }
}
