import { PolyvisorError } from '@polyvisor/contracts';
import type {
  Activate,
  AttachRequest,
  Done,
  LoadDevice,
  QueueElements,
} from '@polyvisor/proto/service/device';
import type { QueueState, QueueViolation, VirtioBackend, VirtioHost, Virtqueue } from '@polyvisor/virtio';
import type { HostedDevice, HostLink } from './host-link.ts';

/** A virtio device model and what the machine may ask of it besides. */
export interface HostedVirtioModel {
  readonly name: string;
  readonly backend: VirtioBackend;
  readonly powerOn?: () => void;
  readonly resize?: (columns: number, rows: number) => void;
}

/** A device model behind a transport that is elsewhere, whatever way its queue elements come. */
export abstract class HostedModel implements HostedDevice, VirtioHost {
  readonly name: string;
  protected readonly index: number;
  protected readonly backend: VirtioBackend;
  protected readonly link: HostLink;
  protected quiesced = false;
  readonly #model: HostedVirtioModel;
  readonly #planned = new Set<number>();
  #revision: number | undefined;
  /** Changes with each owner: what an older one asked for isn't answered. */
  #generation = 0;

  constructor(index: number, model: HostedVirtioModel, link: HostLink) {
    this.index = index;
    this.name = model.name;
    this.#model = model;
    this.backend = model.backend;
    this.link = link;
    this.#revision = model.backend.revision;
    model.backend.connect(this);
  }

  /** Opens queues for a driver that is ready. @returns why it can't, which ends the stream; or undefined. */
  protected abstract openQueues(activation: Activate): string | undefined;
  protected abstract closeQueues(): void;
  /** The model is quiesced: everything else that its owner is to know at that point. */
  protected abstract standing(): Partial<Pick<Done, 'queues'>>;
  /** Elements in messages. */
  protected abstract elements(elements: QueueElements): void;
  abstract queue(index: number): Virtqueue | undefined;
  abstract setups(): readonly (QueueState | undefined)[];
  abstract usedBuffers(): void;
  abstract reopen(): void;

  receive(message: AttachRequest['message']): void {
    switch (message.case) {
      case 'elements':
        this.elements(message.value);
        break;
      case 'activate':
        this.#activate(message.value);
        break;
      case 'reset': {
        const { powerOn, request } = message.value;
        this.closeQueues();
        this.backend.reset();
        if (powerOn) this.#model.powerOn?.();
        // Elements are dead: whatever is still under way can't reach memory any more.
        if (request !== 0) this.link.send({ case: 'done', value: { request } });
        break;
      }
      case 'writeConfig':
        this.#writeConfig(message.value.offset, message.value.width, message.value.value);
        break;
      case 'quiesce':
        this.#quiesce(message.value.request);
        break;
      case 'resume':
        this.quiesced = false;
        this.backend.resume();
        this.notifyAll();
        break;
      case 'load':
        this.#load(message.value);
        break;
      case 'resize':
        this.#model.resize?.(message.value.columns, message.value.rows);
        break;
      default:
        this.link.broken(`${message.case} for ${this.name}`);
    }
  }

  #activate(activation: Activate): void {
    const features = (BigInt(activation.featuresHigh) << 32n) | BigInt(activation.featuresLow);
    if (this.backend.acceptFeatures?.(features) === false) {
      this.link.send({ case: 'violated', value: { device: this.index, reason: 'features' } });
      return;
    }
    const { queueSizes } = this.backend;
    const bad = activation.queues.find(({ index, size }) => !(size > 0 && size <= (queueSizes[index] ?? 0)));
    this.closeQueues();
    const reason =
      bad === undefined ? this.openQueues(activation) : `queue ${bad.index} of ${bad.size} entries`;
    if (reason !== undefined) {
      this.link.broken(`${this.name}: ${reason}`);
      return;
    }
    this.backend.activate(features);
    this.notifyAll();
  }

  protected notify(index: number): void {
    if (this.quiesced || this.queue(index) === undefined) return;
    this.backend.notify(index);
    this.record();
  }

  protected notifyAll(): void {
    for (let index = 0; index < this.backend.queueSizes.length; index++) this.notify(index);
  }

  /** Before anything of it can be noticed: the state that whoever takes over goes on with. */
  protected record(): void {
    const { revision } = this.backend;
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.link.send({ case: 'record', value: { device: this.index, section: this.backend.save() } });
  }

  #writeConfig(offset: number, width: number, value: number): void {
    const { length } = this.backend.config;
    const possible = (width === 1 || width === 2 || width === 4) && offset + width <= length;
    if (!possible) this.link.broken(`configuration of ${this.name} at ${offset}`);
    else {
      this.backend.writeConfig?.(offset, width, value);
      this.configChanged();
    }
  }

  #quiesce(request: number): void {
    const generation = this.#generation;
    this.quiesced = true;
    void this.backend
      .quiesce()
      .then(() => {
        if (generation !== this.#generation) return;
        const rest = this.standing();
        this.link.send({ case: 'done', value: { request, section: this.backend.save(), ...rest } });
      })
      .catch((error: unknown) => refuse(this.link, request, error));
  }

  #load({ request, section }: LoadDevice): void {
    try {
      if (section === undefined) throw new PolyvisorError('corrupt', { what: 'no state', which: this.name });
      this.backend.load(section);
      this.#revision = this.backend.revision;
      this.link.send({ case: 'done', value: { request } });
    } catch (error) {
      refuse(this.link, request, error);
    }
  }

  async restart(): Promise<void> {
    this.#generation++;
    this.closeQueues();
    this.backend.reset();
    await this.backend.quiesce();
    this.backend.resume();
    this.quiesced = false;
  }

  announce(): void {
    this.configChanged();
  }

  again(index: number): void {
    if (this.#planned.has(index)) return;
    this.#planned.add(index);
    setImmediate(() => {
      this.#planned.delete(index);
      this.notify(index);
    });
  }

  configChanged(): void {
    const config = this.backend.config.slice();
    this.link.send({ case: 'configChanged', value: { device: this.index, config } });
  }

  violated(queue: number, reason: QueueViolation): void {
    this.link.send({ case: 'violated', value: { device: this.index, queue, reason } });
  }
}

/** Answers a request that failed. */
export function refuse(link: HostLink, request: number, error: unknown): void {
  const code = error instanceof PolyvisorError ? error.code : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  link.send({ case: 'done', value: { request, failure: { code, message } } });
}
