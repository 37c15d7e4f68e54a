import type { Logger, StateSection } from '@polyvisor/contracts';
import type {
  AttachResponse,
  Completion,
  Completions,
  Done,
  QueueElementInput,
  VirtioDescription,
} from '@polyvisor/proto/service/device';
import type { QueueElement, QueueState, VirtioBackend, VirtioHost } from '@polyvisor/virtio';
import { BATCH_BYTES, ELEMENT_BYTES_LIMIT } from '../protocol.ts';
import type { GroupLink, RemoteDevice } from './group-link.ts';
import { sectionOf } from './group-link.ts';
import { RemoteState } from './remote-state.ts';

/** A virtio device model that is elsewhere, behind the transport that is here. */
export interface VirtioProxy extends VirtioBackend, RemoteDevice {
  /** The machine was reset. */
  powerOn(): void;
  resize(columns: number, rows: number): void;
}

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

class Proxy implements VirtioProxy {
  readonly name: string;
  readonly deviceId: number;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly config: Uint8Array;
  readonly #index: number;
  readonly #writable: boolean;
  readonly #link: GroupLink;
  readonly #logger: Logger;
  readonly #state: RemoteState;
  /** In the order in which they were taken. */
  readonly #inFlight = new Map<number, InFlight>();
  readonly #together: QueueElement[] = [];
  readonly #written: number[] = [];
  #nextId = 1;
  #host: VirtioHost | undefined;
  #features: bigint | undefined;
  /** Elements were left in their queues for want of room. */
  #leftOver = false;

  constructor(index: number, name: string, description: VirtioDescription, link: GroupLink, logger: Logger) {
    this.#index = index;
    this.name = name;
    this.deviceId = description.deviceId;
    this.features = (BigInt(description.featuresHigh) << 32n) | BigInt(description.featuresLow);
    this.queueSizes = description.queueSizes;
    this.config = description.config.slice();
    this.#writable = description.configWritable;
    this.#link = link;
    this.#logger = logger;
    this.#state = new RemoteState(index, name, link, () => this.#takeBack());
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  connect(host: VirtioHost): void {
    this.#host = host;
  }

  activate(features: bigint): void {
    this.#features = features;
    this.#sendActivate(features);
  }

  #sendActivate(features: bigint): void {
    this.#link.send({
      case: 'activate',
      value: {
        device: this.#index,
        featuresLow: Number(features & 0xffff_ffffn),
        featuresHigh: Number(features >> 32n),
        queues: (this.#host?.setups() ?? []).flatMap((setup, index) =>
          setup === undefined ? [] : [queueSetup(index, setup)],
        ),
      },
    });
  }

  writeConfig(offset: number, width: number, value: number): void {
    if (!this.#writable) return;
    // The driver may read it back before the device has answered.
    for (let byte = 0; byte < width; byte++) this.config[offset + byte] = (value >>> (8 * byte)) & 0xff;
    this.#link.send({
      case: 'writeConfig',
      value: { device: this.#index, offset, width, value: value >>> 0 },
    });
  }

  notify(index: number): void {
    if (this.#features === undefined || this.#state.quiesced || !this.#link.attached) return;
    const queue = this.#host?.queue(index);
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
      if (!this.#link.take(bytes)) {
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
    this.#host?.again(index);
  }

  #send(queue: number, elements: QueueElementInput[]): void {
    if (elements.length === 0) return;
    this.#link.send({ case: 'elements', value: { device: this.#index, queue, elements } });
  }

  receive(message: AttachResponse['message']): void {
    switch (message.case) {
      case 'completions':
        this.#complete(message.value);
        break;
      case 'configChanged':
        this.#configChanged(message.value.config);
        break;
      case 'record':
        if (message.value.section !== undefined) this.#state.record(sectionOf(message.value.section));
        break;
      case 'violated':
        this.#host?.violated(message.value.queue, 'request');
        break;
      default:
        this.#link.broken(`${message.case} for a virtio device`);
    }
  }

  #complete({ queue: index, completions }: Completions): void {
    const queue = this.#host?.queue(index);
    let count = 0;
    for (const completion of completions) {
      const entry = this.#inFlight.get(completion.id);
      // What was under way before a reset may still be answered.
      if (entry === undefined) continue;
      if (entry.queue !== index || !fits(completion, entry.element)) {
        this.#link.broken('completion that does not fit its element');
        return;
      }
      this.#inFlight.delete(completion.id);
      this.#link.give(entry.bytes);
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

  #configChanged(config: Uint8Array): void {
    if (config.length !== this.config.length) this.#link.broken('configuration of another size');
    else if (config.some((byte, index) => byte !== this.config[index])) {
      this.config.set(config);
      this.#host?.configChanged();
    }
  }

  drained(): void {
    if (!this.#leftOver) return;
    this.#leftOver = false;
    this.#notifyAll();
  }

  #notifyAll(): void {
    for (let index = 0; index < this.queueSizes.length; index++) this.#host?.again(index);
  }

  /** Quiesced: what the device host hasn't completed by then it hasn't begun. Last taken, first given back. */
  #takeBack(): void {
    const entries = [...this.#inFlight.values()].reverse();
    this.#forget();
    for (const { queue, element } of entries) this.#host?.queue(queue)?.undoPop(element);
  }

  #forget(): void {
    for (const { bytes } of this.#inFlight.values()) this.#link.give(bytes);
    this.#inFlight.clear();
  }

  reset(): void {
    this.#reset(false);
  }

  powerOn(): void {
    this.#reset(true);
  }

  #reset(powerOn: boolean): void {
    this.#features = undefined;
    this.#forget();
    this.#state.forget();
    this.#link.send({ case: 'reset', value: { device: this.#index, powerOn } });
  }

  save(): StateSection {
    return this.#state.save();
  }

  load(section: StateSection): void {
    this.#state.load(section);
  }

  quiesce(): Promise<void> {
    return this.#state.quiesce();
  }

  resume(): void {
    this.#state.resume();
  }

  restore(): void {
    this.#state.restore();
    if (this.#features !== undefined) this.#sendActivate(this.#features);
    // Dead elements belong to queues that were reset meanwhile.
    for (const [id, { queue, element }] of this.#inFlight) {
      if (element.live) this.#send(queue, [messageOf(id, element, true)]);
    }
    this.#state.restoreQuiesce();
    this.#notifyAll();
  }

  resize(columns: number, rows: number): void {
    this.#link.send({ case: 'resize', value: { device: this.#index, columns, rows } });
  }

  close(): Promise<void> {
    this.#forget();
    this.#host = undefined;
    return Promise.resolve();
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

/** A queue as a device host is told of it. */
export function queueSetup(
  index: number,
  { size, descriptors, driver, device, nextAvail, nextUsed }: QueueState,
): NonNullable<Done['queues']>[number] {
  return {
    index,
    size,
    descriptors: Math.max(descriptors, 0),
    driver: Math.max(driver, 0),
    device: Math.max(device, 0),
    nextAvail,
    nextUsed,
  };
}
