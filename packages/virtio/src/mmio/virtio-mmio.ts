import type { GuestMemory, InterruptLine, Logger, MmioDevice, StateSection } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioMmioState, virtioQueueState } from '@polyvisor/proto/state/virtio-mmio';
import type { VirtioQueueState } from '@polyvisor/proto/state/virtio-mmio';
import type { QueueState, VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
} from '../features.ts';
import { joinAddress } from '../queue/chain.ts';
import { createPackedQueue } from '../queue/packed-queue.ts';
import { createSplitQueue } from '../queue/split-queue.ts';
import type { QueuePosition, QueueViolation, Virtqueue } from '../queue/virtqueue.ts';
import * as reg from './registers.ts';

/** How a {@link createVirtioMmio} is made. */
export interface VirtioMmioOptions {
  /** Unique in its machine: `virtio0`. */
  readonly name: string;
  /** Bytes of address space. Default 4096; at least 512. */
  readonly size?: number;
  /** Offers packed rings. Default false, as QEMU does. */
  readonly packed?: boolean;
  /** Offers event index. Default true. */
  readonly eventIndex?: boolean;
  /** Offers indirect descriptors. Default true. */
  readonly indirect?: boolean;
}

export interface VirtioMmioDependencies {
  readonly backend: VirtioBackend;
  readonly memory: GuestMemory;
  readonly line: InterruptLine;
  /** Runs a callback in a later task. Default: `setImmediate`, or `setTimeout` where there is none. */
  readonly defer?: (callback: () => void) => void;
  /** Told once per reset of a driver that broke the rules. */
  readonly logger?: Logger;
}

/** A virtio device as the bus sees it. */
export interface VirtioMmioDevice extends MmioDevice {
  readonly deviceId: number;
  /** How often drivers broke the rules since the device was made. */
  readonly violations: number;
}

const DEFAULT_BYTES = 0x1000;
const LOW_MASK = 0xffff_ffffn;
/** Reads of the shared memory registers when there is no such region (section 4.2.2). */
const NO_REGION = 0xffff_ffff;

/** Writes that leave the interrupt line and the queues as they are, or only ring for one. */
const POSTED: ReadonlySet<number> = new Set([
  reg.QUEUE_NOTIFY,
  reg.DEVICE_FEATURES_SEL,
  reg.DRIVER_FEATURES,
  reg.DRIVER_FEATURES_SEL,
  reg.QUEUE_SEL,
  reg.QUEUE_SIZE,
  reg.QUEUE_DESC_LOW,
  reg.QUEUE_DESC_HIGH,
  reg.QUEUE_DRIVER_LOW,
  reg.QUEUE_DRIVER_HIGH,
  reg.QUEUE_DEVICE_LOW,
  reg.QUEUE_DEVICE_HIGH,
]);

type AddressField = Exclude<keyof VirtioQueueState, 'size' | 'ready' | 'nextAvail' | 'nextUsed'>;

const QUEUE_ADDRESS: ReadonlyMap<number, AddressField> = new Map([
  [reg.QUEUE_DESC_LOW, 'descriptorsLow'],
  [reg.QUEUE_DESC_HIGH, 'descriptorsHigh'],
  [reg.QUEUE_DRIVER_LOW, 'driverLow'],
  [reg.QUEUE_DRIVER_HIGH, 'driverHigh'],
  [reg.QUEUE_DEVICE_LOW, 'deviceLow'],
  [reg.QUEUE_DEVICE_HIGH, 'deviceHigh'],
]);

/**
 * Puts a backend on the memory-mapped transport, version 2 (VIRTIO 1.3, section 4.2). Legacy drivers are refused.
 * A driver that breaks the rules finds DEVICE_NEEDS_RESET; nothing it writes throws.
 */
export function createVirtioMmio(
  options: VirtioMmioOptions,
  dependencies: VirtioMmioDependencies,
): VirtioMmioDevice {
  return new VirtioMmio(options, dependencies);
}

class VirtioMmio implements VirtioMmioDevice, VirtioHost {
  readonly name: string;
  readonly size: number;
  violations = 0;
  readonly #backend: VirtioBackend;
  readonly #memory: GuestMemory;
  readonly #line: InterruptLine;
  readonly #defer: (callback: () => void) => void;
  readonly #logger: Logger;
  readonly #offered: bigint;
  readonly #state = virtioMmioState.create();
  readonly #queues: (Virtqueue | undefined)[];
  /** Queues whose `again` is on its way. */
  readonly #planned: boolean[];
  #active = false;
  #quiesced = false;

  constructor(options: VirtioMmioOptions, dependencies: VirtioMmioDependencies) {
    this.name = options.name;
    this.size = options.size ?? DEFAULT_BYTES;
    this.#backend = dependencies.backend;
    this.#memory = dependencies.memory;
    this.#line = dependencies.line;
    this.#defer = dependencies.defer ?? laterTask;
    this.#logger = dependencies.logger ?? silentLogger;
    this.#offered =
      this.#backend.features |
      VIRTIO_F_VERSION_1 |
      (options.indirect === false ? 0n : VIRTIO_F_INDIRECT_DESC) |
      (options.eventIndex === false ? 0n : VIRTIO_F_EVENT_IDX) |
      (options.packed === true ? VIRTIO_F_RING_PACKED : 0n);
    this.#queues = this.#backend.queueSizes.map(() => undefined);
    this.#planned = this.#backend.queueSizes.map(() => false);
    this.#state.queues = this.#backend.queueSizes.map(() => virtioQueueState.create());
    this.#backend.connect(this);
  }

  get deviceId(): number {
    return this.#backend.deviceId;
  }

  read(offset: number, width: number): number {
    if (offset >= reg.CONFIG) return this.#readConfig(offset - reg.CONFIG, width);
    return width === 4 ? this.#readRegister(offset) : 0;
  }

  write(offset: number, width: number, value: number): void {
    if (offset >= reg.CONFIG) this.#writeConfig(offset - reg.CONFIG, width, value);
    else if (width === 4) this.#writeRegister(offset, value);
  }

  writeLater(offset: number, width: number, value: number): Promise<void> | undefined {
    this.write(offset, width, value);
    // A driver that has reset the device may use the memory for something else at once.
    return offset === reg.STATUS && value === 0 ? this.#backend.settled?.() : undefined;
  }

  posted(offset: number): boolean {
    return POSTED.has(offset);
  }

  #readRegister(offset: number): number {
    const state = this.#state;
    switch (offset) {
      case reg.MAGIC_VALUE:
        return reg.MAGIC;
      case reg.VERSION:
        return reg.MMIO_VERSION;
      case reg.DEVICE_ID:
        return this.#backend.deviceId;
      case reg.VENDOR_ID:
        return reg.VENDOR;
      case reg.DEVICE_FEATURES:
        return state.deviceFeaturesSel > 1
          ? 0
          : Number((this.#offered >> BigInt(state.deviceFeaturesSel * 32)) & LOW_MASK);
      case reg.QUEUE_SIZE_MAX:
        return this.#backend.queueSizes[state.queueSel] ?? 0;
      case reg.QUEUE_READY:
        return state.queues[state.queueSel]?.ready === true ? 1 : 0;
      case reg.INTERRUPT_STATUS:
        return state.interruptStatus;
      case reg.STATUS:
        return state.status;
      case reg.SHM_LEN_LOW:
      case reg.SHM_LEN_HIGH:
      case reg.SHM_BASE_LOW:
      case reg.SHM_BASE_HIGH:
        return NO_REGION;
      case reg.CONFIG_GENERATION:
        return state.configGeneration;
      default: // write-only or unknown
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case reg.DEVICE_FEATURES_SEL:
        state.deviceFeaturesSel = value;
        break;
      case reg.DRIVER_FEATURES:
        this.#writeDriverFeatures(value);
        break;
      case reg.DRIVER_FEATURES_SEL:
        state.driverFeaturesSel = value;
        break;
      case reg.QUEUE_SEL:
        state.queueSel = value;
        break;
      case reg.QUEUE_SIZE:
        this.#writeQueueSize(value);
        break;
      case reg.QUEUE_READY:
        this.#writeQueueReady((value & 1) !== 0);
        break;
      case reg.QUEUE_NOTIFY:
        this.#ring(value);
        break;
      case reg.INTERRUPT_ACK:
        state.interruptStatus &= ~value;
        this.#updateLine();
        break;
      case reg.STATUS:
        this.#writeStatus(value & reg.STATUS_MASK);
        break;
      default:
        this.#writeQueueAddress(offset, value);
    }
  }

  #readConfig(offset: number, width: number): number {
    const { config } = this.#backend;
    if (offset + width > config.length) return 0;
    let value = 0;
    for (let byte = width - 1; byte >= 0; byte--) value = value * 256 + config[offset + byte]!;
    return value;
  }

  #writeConfig(offset: number, width: number, value: number): void {
    if (offset + width <= this.#backend.config.length) this.#backend.writeConfig?.(offset, width, value);
  }

  #has(bits: number): boolean {
    return (this.#state.status & bits) !== 0;
  }

  #writeDriverFeatures(value: number): void {
    // Fixed once the device has agreed to them (section 2.2).
    if (this.#has(reg.STATUS_FEATURES_OK)) return;
    if (this.#state.driverFeaturesSel === 0) this.#state.driverFeaturesLow = value;
    else if (this.#state.driverFeaturesSel === 1) this.#state.driverFeaturesHigh = value;
  }

  #driverFeatures(): bigint {
    return (BigInt(this.#state.driverFeaturesHigh) << 32n) | BigInt(this.#state.driverFeaturesLow);
  }

  #writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    // Bits only come; they go with a reset (section 2.1.1).
    let added = value & ~this.#state.status & ~reg.STATUS_DEVICE_NEEDS_RESET;
    if ((added & reg.STATUS_FEATURES_OK) !== 0 && !this.#featuresOk()) added &= ~reg.STATUS_FEATURES_OK;
    const agreed = ((this.#state.status | added) & reg.STATUS_FEATURES_OK) !== 0;
    if ((added & reg.STATUS_DRIVER_OK) !== 0 && !agreed) added &= ~reg.STATUS_DRIVER_OK;
    this.#state.status |= added;
    if ((added & reg.STATUS_DRIVER_OK) !== 0) {
      this.#activate();
      // Buffers may have been made available before the device was ready for them.
      this.#ringAll();
    }
  }

  #featuresOk(): boolean {
    const features = this.#driverFeatures();
    const known = (features & ~this.#offered) === 0n;
    if (!known || (features & VIRTIO_F_VERSION_1) === 0n) return false;
    return this.#backend.acceptFeatures?.(features) ?? true;
  }

  #activate(): void {
    this.#active = true;
    for (let index = 0; index < this.#queues.length; index++) this.#openQueue(index);
    this.#backend.activate(this.#driverFeatures());
  }

  #openQueue(index: number): void {
    const setup = this.#setup(index);
    if (setup === undefined || !this.#active || this.#backend.walksQueues === true) return;
    const packed = (this.#driverFeatures() & VIRTIO_F_RING_PACKED) !== 0n;
    const create = packed ? createPackedQueue : createSplitQueue;
    this.#queues[index] = create(
      setup,
      this.#memory,
      { interrupt: () => this.usedBuffers(), violation: (reason) => this.violated(index, reason) },
      setup,
    );
  }

  #setup(index: number): QueueState | undefined {
    const queue = this.#state.queues[index];
    if (queue?.ready !== true) return undefined;
    const features = this.#driverFeatures();
    return {
      size: queue.size,
      descriptors: joinAddress(queue.descriptorsLow, queue.descriptorsHigh),
      driver: joinAddress(queue.driverLow, queue.driverHigh),
      device: joinAddress(queue.deviceLow, queue.deviceHigh),
      eventIndex: (features & VIRTIO_F_EVENT_IDX) !== 0n,
      indirect: (features & VIRTIO_F_INDIRECT_DESC) !== 0n,
      ...(this.#queues[index]?.position() ?? { nextAvail: queue.nextAvail, nextUsed: queue.nextUsed }),
    };
  }

  #selectedIdle(): VirtioQueueState | undefined {
    const queue = this.#state.queues[this.#state.queueSel];
    return queue?.ready === false ? queue : undefined;
  }

  #writeQueueSize(value: number): void {
    const queue = this.#selectedIdle();
    const limit = this.#backend.queueSizes[this.#state.queueSel] ?? 0;
    if (queue !== undefined && value <= limit) queue.size = value;
  }

  #writeQueueAddress(offset: number, value: number): void {
    const field = QUEUE_ADDRESS.get(offset);
    const queue = this.#selectedIdle();
    if (field !== undefined && queue !== undefined) queue[field] = value;
  }

  #writeQueueReady(ready: boolean): void {
    const index = this.#state.queueSel;
    const queue = this.#state.queues[index];
    if (queue === undefined || queue.ready === ready) return;
    queue.ready = ready;
    if (!ready) {
      this.#queues[index]?.close();
      this.#queues[index] = undefined;
      return;
    }
    const packed = (this.#driverFeatures() & VIRTIO_F_RING_PACKED) !== 0n;
    // A packed ring's wrap counters, bit 15, start at 1.
    queue.nextAvail = packed ? 0x8000 : 0;
    queue.nextUsed = queue.nextAvail;
    this.#openQueue(index);
  }

  #ring(index: number): void {
    if (!this.#active || this.#quiesced || this.#has(reg.STATUS_DEVICE_NEEDS_RESET)) return;
    if (this.#state.queues[index]?.ready === true) this.#backend.notify(index);
  }

  #ringAll(): void {
    for (let index = 0; index < this.#queues.length; index++) this.#ring(index);
  }

  queue(index: number): Virtqueue | undefined {
    return this.#has(reg.STATUS_DEVICE_NEEDS_RESET) ? undefined : this.#queues[index];
  }

  again(index: number): void {
    if (this.#planned[index] !== false) return;
    this.#planned[index] = true;
    this.#defer(() => {
      this.#planned[index] = false;
      this.#ring(index);
    });
  }

  configChanged(): void {
    this.#state.configGeneration = (this.#state.configGeneration + 1) >>> 0;
    if (this.#has(reg.STATUS_DRIVER_OK)) this.#interrupt(reg.INTERRUPT_CONFIG_CHANGE);
  }

  setups(): readonly (QueueState | undefined)[] {
    return this.#state.queues.map((_, index) => this.#setup(index));
  }

  usedBuffers(): void {
    this.#interrupt(reg.INTERRUPT_USED_BUFFER);
  }

  reopen(positions?: readonly (QueuePosition | undefined)[]): void {
    this.#state.queues.forEach((queue, index) => {
      const position = positions?.[index] ?? this.#queues[index]?.position();
      if (position !== undefined) Object.assign(queue, position);
      this.#queues[index]?.close();
      this.#queues[index] = undefined;
      this.#openQueue(index);
    });
  }

  #interrupt(bit: number): void {
    this.#state.interruptStatus |= bit;
    this.#updateLine();
  }

  #updateLine(): void {
    this.#line.set(this.#state.interruptStatus !== 0);
  }

  violated(queue: number, reason: QueueViolation): void {
    this.violations++;
    if (this.#has(reg.STATUS_DEVICE_NEEDS_RESET)) return;
    this.#logger.warn(
      { device: this.name, queue, reason },
      'the guest broke a virtqueue; the device needs a reset',
    );
    this.#state.status |= reg.STATUS_DEVICE_NEEDS_RESET;
    // Section 2.1.2: a driver that is running hears of it.
    if (this.#has(reg.STATUS_DRIVER_OK)) this.#interrupt(reg.INTERRUPT_CONFIG_CHANGE);
  }

  #closeQueues(): void {
    for (let index = 0; index < this.#queues.length; index++) {
      this.#queues[index]?.close();
      this.#queues[index] = undefined;
    }
    this.#active = false;
  }

  reset(): void {
    this.#closeQueues();
    virtioMmioState.reset(this.#state);
    this.#state.queues = this.#backend.queueSizes.map(() => virtioQueueState.create());
    this.#backend.reset();
    this.#updateLine();
  }

  save(): StateSection {
    const state = this.#state;
    const positions = this.#backend.positions?.() ?? this.#queues.map((queue) => queue?.position());
    positions.forEach((position, index) => {
      if (position !== undefined) Object.assign(state.queues[index]!, position);
    });
    const backend = this.#backend.save();
    state.backendType = backend.type;
    state.backendVersion = backend.version;
    state.backendBytes = backend.bytes;
    return saveSection(virtioMmioState, state);
  }

  load(section: StateSection): void {
    this.reset();
    try {
      loadSection(virtioMmioState, this.#state, section);
      this.#check();
      const { backendType: type, backendVersion: version, backendBytes: bytes } = this.#state;
      this.#backend.load({ type, version, bytes });
    } catch (error) {
      this.reset();
      throw error;
    }
    this.#updateLine();
    if (this.#has(reg.STATUS_DRIVER_OK)) this.#activate();
  }

  /** What no sequence of register writes can have made. */
  #check(): void {
    const { status, queues } = this.#state;
    const sizes = this.#backend.queueSizes;
    if (queues.length !== sizes.length) throw this.#corrupt('number of queues', queues.length, sizes.length);
    queues.forEach((queue, index) => {
      if (queue.size > sizes[index]!)
        throw this.#corrupt(`size of queue ${index}`, queue.size, sizes[index]!);
    });
    if ((status & ~reg.STATUS_MASK) !== 0) throw this.#corrupt('status', status, reg.STATUS_MASK);
    if ((status & reg.STATUS_DRIVER_OK) !== 0 && (status & reg.STATUS_FEATURES_OK) === 0) {
      throw this.#corrupt('status', status, reg.STATUS_FEATURES_OK);
    }
    if ((status & reg.STATUS_FEATURES_OK) !== 0 && !this.#featuresOk()) {
      throw new PolyvisorError('corrupt', {
        what: `saved state of ${this.name} has features that this device lacks`,
        which: `0x${this.#driverFeatures().toString(16)}`,
        limit: `offered 0x${this.#offered.toString(16)}`,
      });
    }
  }

  #corrupt(what: string, value: number, limit: number): PolyvisorError {
    return new PolyvisorError('corrupt', {
      what: `saved state of ${this.name} doesn't fit: ${what}`,
      which: String(value),
      limit: `this device has ${limit}`,
    });
  }

  async quiesce(): Promise<void> {
    this.#quiesced = true;
    await this.#backend.quiesce();
  }

  resume(): void {
    this.#quiesced = false;
    this.#backend.resume();
    this.#ringAll();
  }

  async close(): Promise<void> {
    this.#closeQueues();
    await this.#backend.close();
  }
}

function laterTask(callback: () => void): void {
  const scope = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (scope.setImmediate === undefined) setTimeout(callback, 0);
  else scope.setImmediate(callback);
}
