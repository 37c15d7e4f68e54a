import type { StateSection } from '@polyvisor/contracts';
import type { AttachResponse, Done, VirtioDescription } from '@polyvisor/proto/service/device';
import type { QueueState, VirtioBackend, VirtioHost } from '@polyvisor/virtio';
import type { GroupLink, RemoteDevice } from './group-link.ts';
import { sectionOf } from './group-link.ts';
import { RemoteState } from './remote-state.ts';

/** A virtio device model that is elsewhere, behind the transport that is here. */
export interface VirtioProxy extends VirtioBackend, RemoteDevice {
  /** The machine was reset. */
  powerOn(): void;
  resize(columns: number, rows: number): void;
}

/** A device model elsewhere, whatever way its queue elements go. */
export abstract class RemoteModel implements VirtioProxy {
  readonly name: string;
  readonly deviceId: number;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly config: Uint8Array;
  protected readonly index: number;
  protected readonly link: GroupLink;
  protected readonly state: RemoteState;
  protected host: VirtioHost | undefined;
  /** Features agreed on, while the driver is ready. */
  protected active: bigint | undefined;
  readonly #writable: boolean;

  constructor(index: number, name: string, description: VirtioDescription, link: GroupLink) {
    this.index = index;
    this.name = name;
    this.deviceId = description.deviceId;
    this.features = (BigInt(description.featuresHigh) << 32n) | BigInt(description.featuresLow);
    this.queueSizes = description.queueSizes;
    this.config = description.config.slice();
    this.#writable = description.configWritable;
    this.link = link;
    this.state = new RemoteState(index, name, link, (done) => this.standing(done));
  }

  abstract readonly inFlight: number;
  abstract notify(queue: number): void;
  abstract drained(): void;
  /** The device host says that the device stands still. */
  protected abstract standing(done: Done): void;
  /** Between the activation and what makes the device stand still: everything else that a new device host is to know. */
  protected abstract restoreQueues(): void;
  /** Queues are gone: what is known of them goes, too. @returns number of a request to answer the reset with, or 0. */
  protected abstract forget(wasActive: boolean): number;
  /** What isn't handled here. */
  protected abstract other(message: AttachResponse['message']): void;

  connect(host: VirtioHost): void {
    this.host = host;
  }

  activate(features: bigint): void {
    this.active = features;
    this.#sendActivate(features);
  }

  #sendActivate(features: bigint): void {
    const queues = (this.host?.setups() ?? []).flatMap((setup, index) =>
      setup === undefined ? [] : [queueSetup(index, setup)],
    );
    const featuresLow = Number(features & 0xffff_ffffn);
    const featuresHigh = Number(features >> 32n);
    this.link.send({ case: 'activate', value: { device: this.index, featuresLow, featuresHigh, queues } });
  }

  writeConfig(offset: number, width: number, value: number): void {
    if (!this.#writable) return;
    // The driver may read it back before the device has answered.
    for (let byte = 0; byte < width; byte++) this.config[offset + byte] = (value >>> (8 * byte)) & 0xff;
    const { index: device } = this;
    this.link.send({ case: 'writeConfig', value: { device, offset, width, value: value >>> 0 } });
  }

  receive(message: AttachResponse['message']): void {
    switch (message.case) {
      case 'configChanged':
        this.#configChanged(message.value.config);
        break;
      case 'record':
        if (message.value.section !== undefined) this.state.record(sectionOf(message.value.section));
        break;
      case 'violated':
        this.host?.violated(message.value.queue, 'request');
        break;
      default:
        this.other(message);
    }
  }

  #configChanged(config: Uint8Array): void {
    if (config.length !== this.config.length) this.link.broken('configuration of another size');
    else if (config.some((byte, index) => byte !== this.config[index])) {
      this.config.set(config);
      this.host?.configChanged();
    }
  }

  reset(): void {
    this.#reset(false);
  }

  powerOn(): void {
    this.#reset(true);
  }

  #reset(powerOn: boolean): void {
    const wasActive = this.active !== undefined;
    this.active = undefined;
    this.state.forget();
    const request = this.forget(wasActive);
    this.link.send({ case: 'reset', value: { device: this.index, powerOn, request } });
  }

  save(): StateSection {
    return this.state.save();
  }

  load(section: StateSection): void {
    this.state.load(section);
  }

  quiesce(): Promise<void> {
    return this.state.quiesce();
  }

  resume(): void {
    this.state.resume();
  }

  restore(): void {
    this.state.restore();
    if (this.active !== undefined) this.#sendActivate(this.active);
    this.restoreQueues();
    this.state.restoreQuiesce();
    for (let index = 0; index < this.queueSizes.length; index++) this.host?.again(index);
  }

  resize(columns: number, rows: number): void {
    this.link.send({ case: 'resize', value: { device: this.index, columns, rows } });
  }

  close(): Promise<void> {
    this.host = undefined;
    return Promise.resolve();
  }
}

/** A queue as a device host is told of it; one that can't be anywhere lies at 0. */
function queueSetup(
  index: number,
  { size, descriptors, driver, device, nextAvail, nextUsed }: QueueState,
): Done['queues'][number] {
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
