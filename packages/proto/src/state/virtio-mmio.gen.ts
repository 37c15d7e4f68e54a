// Generated from proto/polyvisor/device/v1/virtio_mmio.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** One virtqueue: its registers, and where the device is in its rings. */
export interface VirtioQueueState {
  /** QueueNum: number of descriptors; 0 until the driver sets it. */
  size: number;
  /** QueueReady. */
  ready: boolean;
  /** QueueDescLow. */
  descriptorsLow: number;
  /** QueueDescHigh. */
  descriptorsHigh: number;
  /** QueueDriverLow. */
  driverLow: number;
  /** QueueDriverHigh. */
  driverHigh: number;
  /** QueueDeviceLow. */
  deviceLow: number;
  /** QueueDeviceHigh. */
  deviceHigh: number;
  /** Next available entry to take. Packed: position, wrap counter in bit 15. */
  nextAvail: number;
  /** Next used entry to write. Packed: position, wrap counter in bit 15. */
  nextUsed: number;
}

export const virtioQueueState = defineState<VirtioQueueState>('polyvisor.device.v1.VirtioQueueState', [
  { name: 'size', number: 1, type: 'uint32', width: 16, reset: 0, since: 1 },
  { name: 'ready', number: 2, type: 'bool', reset: false, since: 1 },
  { name: 'descriptorsLow', number: 3, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'descriptorsHigh', number: 4, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'driverLow', number: 5, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'driverHigh', number: 6, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'deviceLow', number: 7, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'deviceHigh', number: 8, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'nextAvail', number: 9, type: 'uint32', width: 16, reset: 0, since: 1 },
  { name: 'nextUsed', number: 10, type: 'uint32', width: 16, reset: 0, since: 1 },
]);

/** A virtio device on the memory-mapped transport: registers, queues, and the device model's own state. */
export interface VirtioMmioState {
  /** Status. */
  status: number;
  /** InterruptStatus. */
  interruptStatus: number;
  /** DeviceFeaturesSel. */
  deviceFeaturesSel: number;
  /** DriverFeaturesSel. */
  driverFeaturesSel: number;
  /** Bits 0-31 of the features that the driver wrote. */
  driverFeaturesLow: number;
  /** Bits 32-63 of the features that the driver wrote. */
  driverFeaturesHigh: number;
  /** QueueSel. */
  queueSel: number;
  /** ConfigGeneration. */
  configGeneration: number;
  /** In order of their numbers. */
  queues: VirtioQueueState[];
  /** Full name of the message in backend_bytes. */
  backendType: string;
  /** Version of that message. */
  backendVersion: number;
  /** State of the device model. */
  backendBytes: Uint8Array;
}

export const virtioMmioState = defineState<VirtioMmioState>('polyvisor.device.v1.VirtioMmioState', [
  { name: 'status', number: 1, type: 'uint32', width: 8, reset: 0, since: 1 },
  { name: 'interruptStatus', number: 2, type: 'uint32', width: 2, reset: 0, since: 1 },
  { name: 'deviceFeaturesSel', number: 3, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'driverFeaturesSel', number: 4, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'driverFeaturesLow', number: 5, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'driverFeaturesHigh', number: 6, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'queueSel', number: 7, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'configGeneration', number: 8, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'queues', number: 9, type: 'message', since: 1, repeated: true, limit: 64, message: virtioQueueState },
  { name: 'backendType', number: 10, type: 'string', since: 1 },
  { name: 'backendVersion', number: 11, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'backendBytes', number: 12, type: 'bytes', since: 1 },
]);
