import type { StateSection } from '@polyvisor/contracts';
import type { AttachResponse, Done, VirtioDescription } from '@polyvisor/proto/service/device';
import type { QueuePosition, VirtioHost } from '@polyvisor/virtio';
import { InFlightRecord } from '../shared/in-flight.ts';
import { doorbellAt, recordAt } from '../shared/layout.ts';
import type { GroupLink } from './group-link.ts';
import { sectionOf } from './group-link.ts';
import { RemoteState } from './remote-state.ts';
import type { VirtioProxy } from './virtio-proxy.ts';
import { queueSetup } from './virtio-proxy.ts';

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

class Proxy implements WalkingProxy {
  readonly name: string;
  readonly deviceId: number;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly config: Uint8Array;
  readonly walksQueues = true;
  readonly #index: number;
  readonly #walker: number;
  readonly #writable: boolean;
  readonly #link: GroupLink;
  readonly #rings: SharedRings;
  readonly #state: RemoteState;
  readonly #records: readonly InFlightRecord[];
  #positions: (QueuePosition | undefined)[] = [];
  #host: VirtioHost | undefined;
  #features: bigint | undefined;
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
    this.#index = index;
    this.#walker = walker;
    this.name = name;
    this.deviceId = description.deviceId;
    this.features = (BigInt(description.featuresHigh) << 32n) | BigInt(description.featuresLow);
    this.queueSizes = description.queueSizes;
    this.config = description.config.slice();
    this.#writable = description.configWritable;
    this.#link = link;
    this.#rings = rings;
    this.#records = description.queueSizes.map(
      (_, queue) => new InFlightRecord(rings.words, recordAt(walker, queue)),
    );
    for (const record of this.#records) record.clear();
    this.#state = new RemoteState(index, name, link, (done) => this.#takePositions(done));
  }

  get inFlight(): number {
    if (this.#features === undefined) return 0;
    return this.#records.reduce(
      (sum, record, queue) => sum + record.count(this.queueSizes[queue] as number),
      0,
    );
  }

  connect(host: VirtioHost): void {
    this.#host = host;
  }

  activate(features: bigint): void {
    this.#features = features;
    this.#positions = [];
    for (const record of this.#records) record.clear();
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
    for (let byte = 0; byte < width; byte++) this.config[offset + byte] = (value >>> (8 * byte)) & 0xff;
    this.#link.send({
      case: 'writeConfig',
      value: { device: this.#index, offset, width, value: value >>> 0 },
    });
  }

  notify(index: number): void {
    Atomics.add(this.#rings.words, doorbellAt(this.#walker, index), 1);
    this.#rings.ringHost();
  }

  usedBuffers(): void {
    if (this.#features !== undefined) this.#host?.usedBuffers();
  }

  positions(): readonly (QueuePosition | undefined)[] {
    return this.#positions;
  }

  #takePositions({ queues }: Done): void {
    this.#positions = [];
    for (const { index, nextAvail, nextUsed } of queues) {
      if (index < this.queueSizes.length) this.#positions[index] = { nextAvail, nextUsed };
    }
  }

  receive(message: AttachResponse['message']): void {
    switch (message.case) {
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
        this.#link.broken(`${message.case} for a device that walks its queues`);
    }
  }

  #configChanged(config: Uint8Array): void {
    if (config.length !== this.config.length) this.#link.broken('configuration of another size');
    else if (config.some((byte, index) => byte !== this.config[index])) {
      this.config.set(config);
      this.#host?.configChanged();
    }
  }

  drained(): void {}

  reset(): void {
    this.#reset(false);
  }

  powerOn(): void {
    this.#reset(true);
  }

  #reset(powerOn: boolean): void {
    const wasActive = this.#features !== undefined;
    this.#features = undefined;
    this.#positions = [];
    this.#state.forget();
    if (wasActive && this.#settling === undefined) {
      this.#settling = Promise.withResolvers<void>();
    }
    this.#sendReset(powerOn);
  }

  #sendReset(powerOn: boolean): void {
    const request = this.#link.ask(this.#index, () => this.#settled());
    this.#link.send({ case: 'reset', value: { device: this.#index, powerOn, request } });
  }

  #settled(): void {
    const settling = this.#settling;
    this.#settling = undefined;
    if (this.#features === undefined) for (const record of this.#records) record.clear();
    settling?.resolve();
  }

  settled(): Promise<void> | undefined {
    return this.#settling?.promise;
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
    // A device host that has just come up is in power-on state, and touches no memory.
    this.#settled();
    this.#state.restore();
    if (this.#features !== undefined) this.#sendActivate(this.#features);
    this.#state.restoreQuiesce();
  }

  resize(columns: number, rows: number): void {
    this.#link.send({ case: 'resize', value: { device: this.#index, columns, rows } });
  }

  close(): Promise<void> {
    this.#host = undefined;
    return Promise.resolve();
  }
}
