import type { Logger } from '@polyvisor/contracts';
import type {
  AttachResponse,
  Completion,
  Completions,
  QueueElementInput,
  VirtioDescription,
} from '@polyvisor/proto/service/device';
import type { QueueElement } from '@polyvisor/virtio';
import { BATCH_BYTES, ELEMENT_BYTES_LIMIT } from '../protocol.ts';
import type { GroupLink } from './group-link.ts';
import type { VirtioProxy } from './remote-model.ts';
import { RemoteModel } from './remote-model.ts';

interface InFlight {
  readonly queue: number;
  readonly element: QueueElement;
  readonly bytes: number;
}

/** Makes the proxy of device number `index` of a group; its queue elements travel in messages. */
export function createVirtioProxy(
  index: number,
  name: string,
  description: VirtioDescription,
  link: GroupLink,
  logger: Logger,
): VirtioProxy {
  return new Proxy(index, name, description, link, logger);
}

class Proxy extends RemoteModel {
  readonly #logger: Logger;
  /** In the order in which they were taken. */
  readonly #inFlight = new Map<number, InFlight>();
  readonly #together: QueueElement[] = [];
  readonly #written: number[] = [];
  #nextId = 1;
  /** Elements were left in their queues for want of room. */
  #leftOver = false;

  constructor(index: number, name: string, description: VirtioDescription, link: GroupLink, logger: Logger) {
    super(index, name, description, link);
    this.#logger = logger;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  notify(index: number): void {
    if (this.active === undefined || this.state.quiesced || !this.link.attached) return;
    const queue = this.host?.queue(index);
    if (queue === undefined) return;
    let batch: QueueElementInput[] = [];
    let batchBytes = 0;
    for (let budget = queue.size; budget > 0; budget--) {
      const element = queue.pop();
      if (element === undefined) {
        this.#send(index, batch);
        return;
      }
      const bytes = element.readable.bytes + element.writable.bytes;
      if (bytes > ELEMENT_BYTES_LIMIT) {
        this.#logger.warn(
          { device: this.name, queue: index, bytes },
          'a request is larger than a message may be',
        );
        queue.fail('request');
        return;
      }
      if (!this.link.take(bytes)) {
        queue.undoPop(element);
        this.#leftOver = true;
        this.#send(index, batch);
        return;
      }
      const id = this.#nextId;
      this.#nextId = (id + 1) >>> 0;
      this.#inFlight.set(id, { queue: index, element, bytes });
      batch.push(messageOf(id, element, false));
      batchBytes += element.readable.bytes;
      if (batchBytes < BATCH_BYTES) continue;
      this.#send(index, batch);
      batch = [];
      batchBytes = 0;
    }
    this.#send(index, batch);
    this.host?.again(index);
  }

  #send(queue: number, elements: QueueElementInput[]): void {
    if (elements.length === 0) return;
    this.link.send({ case: 'elements', value: { device: this.index, queue, elements } });
  }

  protected other(message: AttachResponse['message']): void {
    if (message.case === 'completions') this.#complete(message.value);
    else this.link.broken(`${message.case} for a virtio device`);
  }

  #complete({ queue: index, completions }: Completions): void {
    const queue = this.host?.queue(index);
    let count = 0;
    for (const completion of completions) {
      const entry = this.#inFlight.get(completion.id);
      // What was under way before a reset may still be answered.
      if (entry === undefined) continue;
      if (entry.queue !== index || !fits(completion, entry.element)) {
        this.link.broken('completion that does not fit its element');
        return;
      }
      this.#inFlight.delete(completion.id);
      this.link.give(entry.bytes);
      if (completion.failed) {
        queue?.fail('request');
        continue;
      }
      if (completion.data.length > 0) entry.element.write(completion.offset, completion.data);
      if (completion.tail.length > 0) entry.element.write(completion.tailOffset, completion.tail);
      this.#together[count] = entry.element;
      this.#written[count] = completion.written;
      count++;
    }
    if (queue === undefined || count === 0) return;
    queue.pushTogether(this.#together, this.#written, count);
    queue.signal();
  }

  drained(): void {
    if (!this.#leftOver) return;
    this.#leftOver = false;
    for (let index = 0; index < this.queueSizes.length; index++) this.host?.again(index);
  }

  /** What the device host hasn't completed by now it hasn't begun. Last taken, first given back. */
  protected standing(): void {
    const entries = [...this.#inFlight.values()].reverse();
    this.forget();
    for (const { queue, element } of entries) this.host?.queue(queue)?.undoPop(element);
  }

  protected forget(): number {
    for (const { bytes } of this.#inFlight.values()) this.link.give(bytes);
    this.#inFlight.clear();
    return 0;
  }

  protected restoreQueues(): void {
    // Dead elements belong to queues that were reset meanwhile.
    for (const [id, { queue, element }] of this.#inFlight) {
      if (element.live) this.#send(queue, [messageOf(id, element, true)]);
    }
  }

  override close(): Promise<void> {
    this.forget();
    return super.close();
  }
}

function messageOf(id: number, element: QueueElement, again: boolean): QueueElementInput {
  const readable = new Uint8Array(element.readable.bytes);
  element.read(0, readable);
  return { id, readable, writableBytes: element.writable.bytes, again };
}

function fits({ written, data, offset, tail, tailOffset }: Completion, { writable }: QueueElement): boolean {
  return (
    written <= writable.bytes &&
    offset + data.length <= writable.bytes &&
    tailOffset + tail.length <= writable.bytes
  );
}
