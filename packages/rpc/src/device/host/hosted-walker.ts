import type { GuestMemory } from '@polyvisor/contracts';
import type { Activate, Done } from '@polyvisor/proto/service/device';
import type { QueueState, VirtioBackend, Virtqueue } from '@polyvisor/virtio';
import { VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_RING_PACKED } from '@polyvisor/virtio';
import { InFlightRecord } from '../shared/in-flight.ts';
import { doorbellAt, recordAt, WALKED_ENTRIES, WALKED_QUEUES } from '../shared/layout.ts';
import { createRecordedQueue } from '../shared/recorded-queue.ts';
import type { HostLink } from './host-link.ts';
import type { HostedVirtioModel } from './hosted-model.ts';
import { HostedModel } from './hosted-model.ts';

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
export class HostedWalker extends HostedModel {
  readonly #around: WalkerSurroundings;
  readonly #doorbells: Int32Array;
  #queues: (Virtqueue | undefined)[] = [];
  #setups: (QueueState | undefined)[] = [];

  constructor(index: number, model: HostedVirtioModel, link: HostLink, around: WalkerSurroundings) {
    super(index, model, link);
    this.#around = around;
    this.#doorbells = new Int32Array(model.backend.queueSizes.length);
  }

  /** Looks at the doorbells. */
  ring(): void {
    const { rings, walker } = this.#around;
    for (let index = 0; index < this.#doorbells.length; index++) {
      const count = Atomics.load(rings, doorbellAt(walker, index));
      if (count === this.#doorbells[index]) continue;
      this.#doorbells[index] = count;
      this.notify(index);
    }
  }

  protected elements(): void {
    this.link.broken(`elements for ${this.name}, which walks its queues`);
  }

  protected openQueues({ featuresLow, featuresHigh, queues }: Activate): string | undefined {
    const features = (BigInt(featuresHigh) << 32n) | BigInt(featuresLow);
    if ((features & VIRTIO_F_RING_PACKED) !== 0n) return 'packed rings cannot be walked';
    const rules = {
      eventIndex: (features & VIRTIO_F_EVENT_IDX) !== 0n,
      indirect: (features & VIRTIO_F_INDIRECT_DESC) !== 0n,
    };
    this.#setups = this.backend.queueSizes.map(() => undefined);
    for (const { index, ...setup } of queues) this.#setups[index] = { ...setup, ...rules };
    this.#open();
    // Interrupts that a device host before this one may not have raised any more.
    this.usedBuffers();
    return undefined;
  }

  #open(): void {
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

  protected closeQueues(): void {
    for (const queue of this.#queues) queue?.close();
    this.#queues = [];
  }

  protected standing(): Pick<Done, 'queues'> {
    const nowhere = { size: 0, descriptors: 0, driver: 0, device: 0 };
    return {
      queues: this.#queues.flatMap((queue, index) =>
        queue === undefined ? [] : [{ ...nowhere, index, ...queue.position() }],
      ),
    };
  }

  queue(index: number): Virtqueue | undefined {
    const queue = this.#queues[index];
    return queue?.dead === false ? queue : undefined;
  }

  setups(): readonly (QueueState | undefined)[] {
    return this.#setups;
  }

  usedBuffers(): void {
    this.#around.usedBuffers();
  }

  reopen(): void {
    this.closeQueues();
    this.#open();
  }
}

/** Whether a model's queues have places among the records. */
export function canWalk({ queueSizes }: VirtioBackend): boolean {
  return queueSizes.length <= WALKED_QUEUES && queueSizes.every((size) => size <= WALKED_ENTRIES);
}
