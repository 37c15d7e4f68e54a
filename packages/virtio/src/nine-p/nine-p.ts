import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioNinePState } from '@polyvisor/proto/state/virtio-backends';
import type { VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import { BufferPool } from '../backend/buffer-pool.ts';
import { RequestsInFlight } from '../backend/requests-in-flight.ts';
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
  readonly #requests = new RequestsInFlight(1);

  constructor(options: VirtioNinePOptions, tag: Uint8Array, { server }: VirtioNinePDependencies) {
    this.#server = server;
    this.queueSizes = [options.queueSize ?? 128];
    this.config = new Uint8Array(reg.CONFIG_TAG + tag.length);
    new DataView(this.config.buffer).setUint16(0, tag.length, true);
    this.config.set(tag, reg.CONFIG_TAG);
    this.#state.tag = options.tag;
  }

  get revision(): number | undefined {
    return this.#server.revision;
  }

  connect(host: VirtioHost): void {
    this.#requests.connect(host);
  }

  activate(): void {}

  notify(queue: number): void {
    this.#requests.take(queue, this.#start);
  }

  readonly #start = (queue: Virtqueue, element: QueueElement): void => {
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
    const epoch = this.#requests.begin(held);
    const answer = (length: number): void => {
      // Since a reset the element and its queue are dead, and take nothing.
      if (length === 0) queue.fail('request');
      else {
        element.write(0, reply, 0, length);
        queue.push(element, length);
        queue.signal();
      }
      this.#buffers.give(request);
      this.#buffers.give(reply);
      this.#requests.end(epoch, held);
    };
    const message = request.subarray(0, requestBytes);
    this.#server.handle(message, reply.subarray(0, replyBytes), answer, element.again);
  };

  reset(): void {
    this.#requests.reset();
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
    return this.#requests.quiesce();
  }

  resume(): void {
    this.#requests.resume();
  }

  async close(): Promise<void> {
    await this.quiesce();
    await this.#server.close();
  }
}
