import { PolyvisorError } from '@polyvisor/contracts';
import type {
  Activate,
  AttachRequest,
  CompletionInput,
  LoadDevice,
  QueueElements,
} from '@polyvisor/proto/service/device';
import type { QueueState, QueueViolation, VirtioBackend, VirtioHost, Virtqueue } from '@polyvisor/virtio';
import type { HostedDevice, HostLink } from './host-link.ts';
import { MessageElement } from './message-element.ts';
import type { QueueSink } from './message-queue.ts';
import { MessageQueue } from './message-queue.ts';

/** A virtio device model and what the machine may ask of it besides. */
export interface HostedVirtioModel {
  readonly name: string;
  readonly backend: VirtioBackend;
  readonly powerOn?: () => void;
  readonly resize?: (columns: number, rows: number) => void;
}

/** Puts a device model behind a transport that is elsewhere; queue elements come in messages. */
export class HostedVirtio implements HostedDevice, VirtioHost, QueueSink {
  readonly name: string;
  readonly #index: number;
  readonly #model: HostedVirtioModel;
  readonly #backend: VirtioBackend;
  readonly #link: HostLink;
  #queues: MessageQueue[] = [];
  readonly #planned = new Set<number>();
  /** By queue, what leaves at the end of this turn. */
  readonly #completions = new Map<number, CompletionInput[]>();
  #flushPlanned = false;
  #revision: number | undefined;
  /** Changes with each owner: what an older one asked for isn't answered. */
  #generation = 0;
  #quiesced = false;

  constructor(index: number, model: HostedVirtioModel, link: HostLink) {
    this.#index = index;
    this.name = model.name;
    this.#model = model;
    this.#backend = model.backend;
    this.#link = link;
    this.#revision = model.backend.revision;
    model.backend.connect(this);
  }

  receive(message: AttachRequest['message']): void {
    switch (message.case) {
      case 'elements':
        this.#add(message.value);
        break;
      case 'activate':
        this.#activate(message.value);
        break;
      case 'reset':
        this.#closeQueues();
        this.#backend.reset();
        if (message.value.powerOn) this.#model.powerOn?.();
        break;
      case 'writeConfig':
        this.#writeConfig(message.value.offset, message.value.width, message.value.value);
        break;
      case 'quiesce':
        this.#quiesce(message.value.request);
        break;
      case 'resume':
        this.#quiesced = false;
        this.#backend.resume();
        this.#notifyAll();
        break;
      case 'load':
        this.#load(message.value);
        break;
      case 'resize':
        this.#model.resize?.(message.value.columns, message.value.rows);
        break;
      default:
        this.#link.broken(`${message.case} for ${this.name}`);
    }
  }

  #add({ queue: index, elements }: QueueElements): void {
    const queue = this.#queues[index];
    // After a violation, or a reset that crossed it on the way.
    if (queue === undefined || queue.dead) return;
    if (queue.held + elements.length > queue.size) {
      this.#link.broken(`more than ${queue.size} elements in queue ${index} of ${this.name}`);
      return;
    }
    for (const { id, readable, writableBytes, again } of elements) {
      queue.add(new MessageElement(id, readable, writableBytes, again));
    }
    this.#notify(index);
  }

  #notify(index: number): void {
    if (!this.#quiesced && this.#queues[index]?.dead === false) this.#backend.notify(index);
  }

  #notifyAll(): void {
    for (let index = 0; index < this.#queues.length; index++) this.#notify(index);
  }

  #activate({ featuresLow, featuresHigh, queues }: Activate): void {
    const features = (BigInt(featuresHigh) << 32n) | BigInt(featuresLow);
    if (this.#backend.acceptFeatures?.(features) === false) {
      this.#link.send({ case: 'violated', value: { device: this.#index, reason: 'features' } });
      return;
    }
    const { queueSizes } = this.#backend;
    const bad = queues.find(({ index, size }) => !(size > 0 && size <= (queueSizes[index] ?? 0)));
    if (bad !== undefined) {
      this.#link.broken(`queue ${bad.index} of ${this.name} with ${bad.size} entries`);
      return;
    }
    this.#closeQueues();
    const sizes = new Map(queues.map(({ index, size }) => [index, size]));
    this.#queues = queueSizes.map((size, index) => new MessageQueue(index, sizes.get(index) ?? size, this));
    this.#queues.forEach((queue, index) => {
      if (!sizes.has(index)) queue.close();
    });
    this.#backend.activate(features);
  }

  #closeQueues(): void {
    for (const queue of this.#queues) queue.close();
    this.#queues = [];
    this.#completions.clear();
  }

  #writeConfig(offset: number, width: number, value: number): void {
    const { config } = this.#backend;
    const possible = (width === 1 || width === 2 || width === 4) && offset + width <= config.length;
    if (!possible) this.#link.broken(`configuration of ${this.name} at ${offset}`);
    else {
      this.#backend.writeConfig?.(offset, width, value);
      this.configChanged();
    }
  }

  #quiesce(request: number): void {
    const generation = this.#generation;
    this.#quiesced = true;
    void this.#backend
      .quiesce()
      .then(() => {
        if (generation !== this.#generation) return;
        for (const queue of this.#queues) queue.dropWaiting();
        this.#flush();
        this.#link.send({ case: 'done', value: { request, section: this.#backend.save() } });
      })
      .catch((error: unknown) => this.#refuse(request, error));
  }

  #load({ request, section }: LoadDevice): void {
    try {
      if (section === undefined) throw new PolyvisorError('corrupt', { what: 'no state', which: this.name });
      this.#backend.load(section);
      this.#revision = this.#backend.revision;
      this.#link.send({ case: 'done', value: { request } });
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  #refuse(request: number, error: unknown): void {
    const code = error instanceof PolyvisorError ? error.code : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    this.#link.send({ case: 'done', value: { request, failure: { code, message } } });
  }

  async restart(): Promise<void> {
    this.#generation++;
    this.#closeQueues();
    this.#backend.reset();
    await this.#backend.quiesce();
    this.#backend.resume();
    this.#quiesced = false;
  }

  announce(): void {
    this.configChanged();
  }

  queue(index: number): Virtqueue | undefined {
    const queue = this.#queues[index];
    return queue?.dead === false ? queue : undefined;
  }

  again(index: number): void {
    if (this.#planned.has(index)) return;
    this.#planned.add(index);
    setImmediate(() => {
      this.#planned.delete(index);
      this.#notify(index);
    });
  }

  configChanged(): void {
    this.#link.send({
      case: 'configChanged',
      value: { device: this.#index, config: this.#backend.config.slice() },
    });
  }

  completed(queue: number, completions: CompletionInput[]): void {
    // What was pushed together must be seen together; the rest may be.
    const waiting = this.#completions.get(queue);
    if (waiting === undefined) this.#completions.set(queue, completions);
    else for (const completion of completions) waiting.push(completion);
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushPlanned = false;
    const { revision } = this.#backend;
    if (revision !== this.#revision) {
      this.#revision = revision;
      this.#link.send({ case: 'record', value: { device: this.#index, section: this.#backend.save() } });
    }
    for (const [queue, completions] of this.#completions) {
      this.#link.send({ case: 'completions', value: { device: this.#index, queue, completions } });
    }
    this.#completions.clear();
  }

  violated(queue: number, reason: QueueViolation): void {
    this.#link.send({ case: 'violated', value: { device: this.#index, queue, reason } });
  }

  setups(): readonly (QueueState | undefined)[] {
    return [];
  }

  usedBuffers(): void {}

  reopen(): void {}
}
