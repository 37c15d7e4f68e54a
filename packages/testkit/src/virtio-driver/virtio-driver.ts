import type { MmioDevice } from '@polyvisor/contracts';
import type { Completion, DriverQueue, Piece } from './driver-queue.ts';
import type { FakeMemory } from './fake-memory.ts';
import { PackedDriverQueue } from './packed-driver-queue.ts';
import { SplitDriverQueue } from './split-driver-queue.ts';

const INDIRECT_DESC = 1n << 28n;
const EVENT_IDX = 1n << 29n;
const VERSION_1 = 1n << 32n;
const RING_PACKED = 1n << 34n;

/** Registers of the transport that a driver uses (VIRTIO 1.3, section 4.2.2). */
const R = {
  magic: 0x00,
  version: 0x04,
  deviceId: 0x08,
  deviceFeatures: 0x10,
  deviceFeaturesSel: 0x14,
  driverFeatures: 0x20,
  driverFeaturesSel: 0x24,
  queueSel: 0x30,
  queueSizeMax: 0x34,
  queueSize: 0x38,
  queueReady: 0x44,
  queueNotify: 0x50,
  interruptStatus: 0x60,
  interruptAck: 0x64,
  status: 0x70,
  descriptorsLow: 0x80,
  descriptorsHigh: 0x84,
  driverLow: 0x90,
  driverHigh: 0x94,
  deviceLow: 0xa0,
  deviceHigh: 0xa4,
  config: 0x100,
} as const;

/** How a {@link VirtioDriver} sets the device up. */
export interface VirtioDriverOptions {
  /** Device-specific features wanted; those that the device doesn't offer are left out. Default: all offered. */
  readonly features?: bigint;
  readonly packed?: boolean;
  readonly indirect?: boolean;
  readonly eventIndex?: boolean;
  /** Size of every queue; default: 16, or the device's maximum if that is less. */
  readonly queueSize?: number;
}

/** A driver for any virtio-mmio device: brings it up as VIRTIO 1.3, section 3.1 says, then exchanges requests. */
export class VirtioDriver {
  readonly device: MmioDevice;
  readonly memory: FakeMemory;
  readonly queues: DriverQueue[] = [];
  /** Features agreed on. */
  readonly features: bigint;

  constructor(device: MmioDevice, memory: FakeMemory, options: VirtioDriverOptions = {}) {
    this.device = device;
    this.memory = memory;
    this.#write(R.status, 0);
    this.#write(R.status, 1);
    this.#write(R.status, 3);
    this.features = this.#negotiate(options);
    for (let index = 0; this.#maximum(index) > 0; index++) this.#setUpQueue(index, options);
    this.#write(R.status, 15);
  }

  #write(register: number, value: number): void {
    this.device.write(register, 4, value);
  }

  #read(register: number): number {
    return this.device.read(register, 4);
  }

  #negotiate(options: VirtioDriverOptions): bigint {
    const ring = INDIRECT_DESC | EVENT_IDX | RING_PACKED;
    const wanted =
      ((options.features ?? ~0n) & ~ring) |
      VERSION_1 |
      (options.indirect === true ? INDIRECT_DESC : 0n) |
      (options.eventIndex === true ? EVENT_IDX : 0n) |
      (options.packed === true ? RING_PACKED : 0n);
    let offered = 0n;
    for (const half of [1, 0]) {
      this.#write(R.deviceFeaturesSel, half);
      offered = (offered << 32n) | BigInt(this.#read(R.deviceFeatures));
    }
    const features = offered & wanted;
    for (const half of [0, 1]) {
      this.#write(R.driverFeaturesSel, half);
      this.#write(R.driverFeatures, Number((features >> BigInt(32 * half)) & 0xffff_ffffn));
    }
    this.#write(R.status, 11);
    if ((this.#read(R.status) & 8) === 0) throw new Error('the device refused the features');
    return features;
  }

  #maximum(index: number): number {
    this.#write(R.queueSel, index);
    return this.#read(R.queueSizeMax);
  }

  #setUpQueue(index: number, options: VirtioDriverOptions): void {
    const size = Math.min(options.queueSize ?? 16, this.#maximum(index));
    const has = (feature: bigint): boolean => (this.features & feature) !== 0n;
    const queueOptions = { size, indirect: has(INDIRECT_DESC), eventIndex: has(EVENT_IDX) };
    const queue = has(RING_PACKED)
      ? new PackedDriverQueue(this.memory, queueOptions)
      : new SplitDriverQueue(this.memory, queueOptions);
    this.queues.push(queue);
    const { descriptors, driver, device } = queue.addresses;
    this.#write(R.queueSize, size);
    this.#write(R.descriptorsLow, descriptors % 2 ** 32);
    this.#write(R.descriptorsHigh, Math.floor(descriptors / 2 ** 32));
    this.#write(R.driverLow, driver % 2 ** 32);
    this.#write(R.driverHigh, Math.floor(driver / 2 ** 32));
    this.#write(R.deviceLow, device % 2 ** 32);
    this.#write(R.deviceHigh, Math.floor(device / 2 ** 32));
    this.#write(R.queueReady, 1);
  }

  /** Device status register. */
  get status(): number {
    return this.#read(R.status);
  }

  /** Whether the device asks to be reset. */
  get needsReset(): boolean {
    return (this.status & 64) !== 0;
  }

  get interruptStatus(): number {
    return this.#read(R.interruptStatus);
  }

  /** Acknowledges and returns what was pending. */
  acknowledge(): number {
    const pending = this.interruptStatus;
    this.#write(R.interruptAck, pending);
    return pending;
  }

  /** Bytes of configuration space. */
  config(offset: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, index) => this.device.read(R.config + offset + index, 1));
  }

  config32(offset: number): number {
    return this.device.read(R.config + offset, 4);
  }

  writeConfig(offset: number, width: number, value: number): void {
    this.device.write(R.config + offset, width, value);
  }

  notify(queue: number): void {
    this.#write(R.queueNotify, queue);
  }

  /** Adds a request and notifies if the device wants it. @returns its token. */
  submit(queue: number, pieces: readonly Piece[]): number {
    const token = this.queues[queue]!.add(pieces);
    if (this.queues[queue]!.kickNeeded()) this.notify(queue);
    return token;
  }

  /** Waits, at most about a second, for the next used request. */
  async completion(queue: number): Promise<Completion> {
    for (let tries = 0; tries < 1000; tries++) {
      const completion = this.queues[queue]!.poll();
      if (completion !== undefined) return completion;
      await new Promise((resolve) => setTimeout(resolve, tries < 10 ? 0 : 1));
    }
    throw new Error('the device used nothing');
  }

  /** One request, start to end. */
  async request(queue: number, pieces: readonly Piece[]): Promise<Completion> {
    this.submit(queue, pieces);
    return this.completion(queue);
  }

  reset(): void {
    this.#write(R.status, 0);
  }
}
