import type { AttachResponse, Done, VirtioDescription } from '@polyvisor/proto/service/device';
import type { QueuePosition } from '@polyvisor/virtio';
import { InFlightRecord } from '../shared/in-flight.ts';
import { doorbellAt, recordAt } from '../shared/layout.ts';
import type { GroupLink } from './group-link.ts';
import type { VirtioProxy } from './remote-model.ts';
import { RemoteModel } from './remote-model.ts';

/** What the owner shares with its device host besides memory. */
export interface SharedRings {
  readonly words: Int32Array;
  /** Wakes the device host's event loop. */
  readonly ringHost: () => void;
}

/** A virtio device model that is in another process of this host and walks its queues there. */
export interface WalkingProxy extends VirtioProxy {
  /** An event says that the driver wants to hear of used buffers. */
  usedBuffers(): void;
}

/** Makes the proxy of device number `index` of a group, which is its `walker`-th that walks. */
export function createWalkingProxy(
  index: number,
  walker: number,
  name: string,
  description: VirtioDescription,
  link: GroupLink,
  rings: SharedRings,
): WalkingProxy {
  return new Proxy(index, walker, name, description, link, rings);
}

class Proxy extends RemoteModel implements WalkingProxy {
  readonly walksQueues = true;
  readonly #walker: number;
  readonly #rings: SharedRings;
  readonly #records: readonly InFlightRecord[];
  #positions: (QueuePosition | undefined)[] = [];
  /** A reset that the device host hasn't answered. */
  #settling: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(
    index: number,
    walker: number,
    name: string,
    description: VirtioDescription,
    link: GroupLink,
    rings: SharedRings,
  ) {
    super(index, name, description, link);
    this.#walker = walker;
    this.#rings = rings;
    this.#records = description.queueSizes.map(
      (_, queue) => new InFlightRecord(rings.words, recordAt(walker, queue)),
    );
    this.#clearRecords();
  }

  #clearRecords(): void {
    for (const record of this.#records) record.clear();
  }

  get inFlight(): number {
    if (this.active === undefined) return 0;
    return this.#records.reduce(
      (sum, record, queue) => sum + record.count(this.queueSizes[queue] as number),
      0,
    );
  }

  override activate(features: bigint): void {
    this.#positions = [];
    this.#clearRecords();
    super.activate(features);
  }

  notify(index: number): void {
    Atomics.add(this.#rings.words, doorbellAt(this.#walker, index), 1);
    this.#rings.ringHost();
  }

  usedBuffers(): void {
    if (this.active !== undefined) this.host?.usedBuffers();
  }

  positions(): readonly (QueuePosition | undefined)[] {
    return this.#positions;
  }

  protected standing({ queues }: Done): void {
    this.#positions = [];
    for (const { index, nextAvail, nextUsed } of queues) {
      if (index < this.queueSizes.length) this.#positions[index] = { nextAvail, nextUsed };
    }
  }

  protected other(message: AttachResponse['message']): void {
    this.link.broken(`${message.case} for a device that walks its queues`);
  }

  drained(): void {}

  protected forget(wasActive: boolean): number {
    this.#positions = [];
    if (wasActive) this.#settling ??= Promise.withResolvers<void>();
    return this.link.ask(this.index, () => this.#settled());
  }

  #settled(): void {
    const settling = this.#settling;
    this.#settling = undefined;
    if (this.active === undefined) this.#clearRecords();
    settling?.resolve();
  }

  settled(): Promise<void> | undefined {
    return this.#settling?.promise;
  }

  override restore(): void {
    // A device host that has just come up is in power-on state, and touches no memory.
    this.#settled();
    super.restore();
  }

  protected restoreQueues(): void {
    // What is in flight is on record, where the device host finds it.
  }
}
