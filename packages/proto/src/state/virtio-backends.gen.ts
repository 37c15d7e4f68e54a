// Generated from proto/polyvisor/device/v1/virtio_backends.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** Entropy device. It remembers nothing. */
export interface VirtioRngState {
}

export const virtioRngState = defineState<VirtioRngState>('polyvisor.device.v1.VirtioRngState', [
]);

/** Block device. */
export interface VirtioBlkState {
  /** Size of the disk in sectors, to notice that another one was put in its place. */
  capacitySectors: bigint;
  /** config.writeback: a completed write may still be in a cache. */
  writeback: boolean;
}

export const virtioBlkState = defineState<VirtioBlkState>('polyvisor.device.v1.VirtioBlkState', [
  { name: 'capacitySectors', number: 1, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'writeback', number: 2, type: 'bool', reset: true, since: 1 },
]);

/** Network device. */
export interface VirtioNetState {
  /** Receive everything. */
  promiscuous: boolean;
  /** Receive every multicast frame. */
  allMulticast: boolean;
  /** Receive every unicast frame. */
  allUnicast: boolean;
  /** Receive no multicast frame. */
  noMulticast: boolean;
  /** Receive no unicast frame. */
  noUnicast: boolean;
  /** Receive no broadcast frame. */
  noBroadcast: boolean;
  /** Own address. */
  mac: Uint8Array;
  /** Further unicast addresses, six bytes each. */
  unicast: Uint8Array;
  /** Multicast addresses, six bytes each. */
  multicast: Uint8Array;
  /** config.status: bit 0 link up, bit 1 announce. */
  status: number;
  /** The driver has more unicast addresses than fit: receive all. */
  unicastOverflow: boolean;
  /** The driver has more multicast addresses than fit: receive all. */
  multicastOverflow: boolean;
}

export const virtioNetState = defineState<VirtioNetState>('polyvisor.device.v1.VirtioNetState', [
  { name: 'promiscuous', number: 1, type: 'bool', reset: true, since: 1 },
  { name: 'allMulticast', number: 2, type: 'bool', reset: false, since: 1 },
  { name: 'allUnicast', number: 3, type: 'bool', reset: false, since: 1 },
  { name: 'noMulticast', number: 4, type: 'bool', reset: false, since: 1 },
  { name: 'noUnicast', number: 5, type: 'bool', reset: false, since: 1 },
  { name: 'noBroadcast', number: 6, type: 'bool', reset: false, since: 1 },
  { name: 'mac', number: 7, type: 'bytes', since: 1, count: 6 },
  { name: 'unicast', number: 8, type: 'bytes', since: 1, limit: 384 },
  { name: 'multicast', number: 9, type: 'bytes', since: 1, limit: 384 },
  { name: 'status', number: 10, type: 'uint32', width: 2, reset: 1, since: 1 },
  { name: 'unicastOverflow', number: 11, type: 'bool', reset: false, since: 1 },
  { name: 'multicastOverflow', number: 12, type: 'bool', reset: false, since: 1 },
]);

/** One port of a console device. */
export interface VirtioConsolePortState {
  /** The driver has found the port. */
  ready: boolean;
  /** A program in the guest has it open. */
  open: boolean;
  /** Bytes already taken of the next buffer from the guest. */
  taken: number;
}

export const virtioConsolePortState = defineState<VirtioConsolePortState>('polyvisor.device.v1.VirtioConsolePortState', [
  { name: 'ready', number: 1, type: 'bool', reset: false, since: 1 },
  { name: 'open', number: 2, type: 'bool', reset: false, since: 1 },
  { name: 'taken', number: 3, type: 'uint32', width: 32, reset: 0, since: 1 },
]);

/** Console device. */
export interface VirtioConsoleState {
  /** The driver has taken up the control queues. */
  ready: boolean;
  /** In order of their numbers. */
  ports: VirtioConsolePortState[];
  /** Control messages that wait for a buffer, each with a length of two bytes before it. */
  control: Uint8Array;
}

export const virtioConsoleState = defineState<VirtioConsoleState>('polyvisor.device.v1.VirtioConsoleState', [
  { name: 'ready', number: 1, type: 'bool', reset: false, since: 1 },
  { name: 'ports', number: 2, type: 'message', since: 1, repeated: true, limit: 31, message: virtioConsolePortState },
  { name: 'control', number: 3, type: 'bytes', since: 1, limit: 65536 },
]);

/** Memory balloon. */
export interface VirtioBalloonState {
  /** config.num_pages: what the host asks for, in pages of 4096 bytes. */
  numPages: number;
  /** config.actual: what the driver has given, in pages of 4096 bytes. */
  actual: number;
  /** config.poison_val: what free pages hold. */
  poison: number;
}

export const virtioBalloonState = defineState<VirtioBalloonState>('polyvisor.device.v1.VirtioBalloonState', [
  { name: 'numPages', number: 1, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'actual', number: 2, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'poison', number: 3, type: 'uint32', width: 32, reset: 0, since: 1 },
]);

/** 9P transport. */
export interface VirtioNinePState {
  /** Mount tag, to notice that another share was put in its place. */
  tag: string;
  /** The file server's session, in a form of its own. */
  session: Uint8Array;
}

export const virtioNinePState = defineState<VirtioNinePState>('polyvisor.device.v1.VirtioNinePState', [
  { name: 'tag', number: 1, type: 'string', since: 1 },
  { name: 'session', number: 2, type: 'bytes', since: 1, limit: 67108864 },
]);
