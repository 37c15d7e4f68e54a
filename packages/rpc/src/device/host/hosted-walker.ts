import type { GuestMemory } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Activate, AttachRequest, LoadDevice } from '@polyvisor/proto/service/device';
import type { QueueState, QueueViolation, VirtioBackend, VirtioHost, Virtqueue } from '@polyvisor/virtio';
import { VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_RING_PACKED } from '@polyvisor/virtio';
import { InFlightRecord } from '../shared/in-flight.ts';
import { doorbellAt, recordAt, WALKED_ENTRIES, WALKED_QUEUES } from '../shared/layout.ts';
import { createRecordedQueue } from '../shared/recorded-queue.ts';
import type { HostedDevice, HostLink } from './host-link.ts';
import type { HostedVirtioModel } from './hosted-virtio.ts';

/** What a walker has of the memory that is shared with its owner. */
export interface WalkerSurroundings {
  readonly memory: GuestMemory;
  /** Words of the ring descriptor. */
  readonly rings: Int32Array;
  /** Number of this walker among the group's. */
  readonly walker: number;
  /** The driver wants to hear of used buffers. */
  readonly usedBuffers: () => void;
}

/** A device model that walks its queues itself, in guest memory that is shared. */
export class HostedWalker implements HostedDevice, VirtioHost {
  readonly name: string;
  readonly #index: number;
  readonly #model: HostedVirtioModel;
  readonly #backend: VirtioBackend;
  readonly #link: HostLink;
  readonly #around: WalkerSurroundings;
  readonly #doorbells: Int32Array;
  #queues: (Virtqueue | undefined)[] = [];
  #setups: (QueueState | undefined)[] = [];
  readonly #planned = new Set<number>();
  #revision: number | undefined;
  #generation = 0;
  #quiesced = false;

  constructor(index: number, model: HostedVirtioModel, link: HostLink, around: WalkerSurroundings) {
    this.#index = index;
    this.name = model.name;
    this.#model = model;
    this.#backend = model.backend;
    this.#link = link;
    this.#around = around;
    this.#doorbells = new Int32Array(model.backend.queueSizes.length);
    this.#revision = model.backend.revision;
    model.backend.connect(this);
  }

  /** Looks at the doorbells. */
  ring(): void {
    const { rings, walker } = this.#around;
    for (let index = 0; index < this.#doorbells.length; index++) {
      const count = Atomics.load(rings, doorbellAt(walker, index));
      if (count === this.#doorbells[index]) continue;
      this.#doorbells[index] = count;
      this.#notify(index);
    }
  }

  #notify(index: number): void {
    if (this.#quiesced || this.#queues[index]?.dead !== false) return;
    this.#backend.notify(index);
    this.#record();
  }

  #record(): void {
    const { revision } = this.#backend;
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.#link.send({ case: 'record', value: { device: this.#index, section: this.#backend.save() } });
  }

  receive(message: AttachRequest['message']): void {
    switch (message.case) {
      case 'activate':
        this.#activate(message.value);
        break;
      case 'reset':
        this.#closeQueues();
        this.#backend.reset();
        if (message.value.powerOn) this.#model.powerOn?.();
        // Elements are dead: whatever is still under way can't reach memory any more.
        if (message.value.request !== 0)
          this.#link.send({ case: 'done', value: { request: message.value.request } });
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
        this.#link.broken(`${message.case} for ${this.name}, which walks its queues`);
    }
  }

  #activate({ featuresLow, featuresHigh, queues }: Activate): void {
    const features = (BigInt(featuresHigh) << 32n) | BigInt(featuresLow);
    const { queueSizes } = this.#backend;
    const bad = queues.find(({ index, size }) => !(size > 0 && size <= (queueSizes[index] ?? 0)));
    if (bad !== undefined || (features & VIRTIO_F_RING_PACKED) !== 0n) {
      this.#link.broken(`queues of ${this.name} that cannot be walked`);
      return;
    }
    this.#closeQueues();
    this.#setups = queueSizes.map(() => undefined);
    for (const { index, size, descriptors, driver, device, nextAvail, nextUsed } of queues) {
      this.#setups[index] = {
        size,
        descriptors,
        driver,
        device,
        nextAvail,
        nextUsed,
        eventIndex: (features & VIRTIO_F_EVENT_IDX) !== 0n,
        indirect: (features & VIRTIO_F_INDIRECT_DESC) !== 0n,
      };
    }
    this.#openQueues();
    this.#backend.activate(features);
    // What was made available, and interrupts that a device host before this one may not have raised any more.
    this.#around.usedBuffers();
    this.#notifyAll();
  }

  #openQueues(): void {
    const { memory, rings, walker, usedBuffers } = this.#around;
    this.#queues = this.#setups.map((setup, index) =>
      setup === undefined
        ? undefined
        : createRecordedQueue(
            setup,
            memory,
            { interrupt: usedBuffers, violation: (reason) => this.violated(index, reason) },
            new InFlightRecord(rings, recordAt(walker, index)),
          ),
    );
  }

  #notifyAll(): void {
    for (let index = 0; index < this.#queues.length; index++) this.#notify(index);
  }

  #closeQueues(): void {
    for (const queue of this.#queues) queue?.close();
    this.#queues = [];
  }

  #writeConfig(offset: number, width: number, value: number): void {
    const possible =
      (width === 1 || width === 2 || width === 4) && offset + width <= this.#backend.config.length;
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
        const queues = this.#queues.flatMap((queue, index) =>
          queue === undefined ? [] : [{ index, ...queue.position() }],
        );
        this.#link.send({ case: 'done', value: { request, section: this.#backend.save(), queues } });
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

  violated(queue: number, reason: QueueViolation): void {
    this.#link.send({ case: 'violated', value: { device: this.#index, queue, reason } });
  }

  setups(): readonly (QueueState | undefined)[] {
    return this.#setups;
  }

  usedBuffers(): void {
    this.#around.usedBuffers();
  }

  reopen(): void {
    this.#closeQueues();
    this.#openQueues();
  }
}

/** Whether a model's queues have places among the records. */
export function canWalk({ queueSizes }: VirtioBackend): boolean {
  return queueSizes.length <= WALKED_QUEUES && queueSizes.every((size) => size <= WALKED_ENTRIES);
}
