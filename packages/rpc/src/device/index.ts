export type { MessageStream } from './message-stream.ts';
export { DEVICE_PROTOCOL_VERSION } from './protocol.ts';
export { attachDeviceGroup } from './owner/device-group.ts';
export type { DeviceGroup, DeviceGroupOptions, GroupDevice, GroupStatus } from './owner/device-group.ts';
export type { OwnerStream } from './owner/group-link.ts';
export { createDeviceHost } from './host/device-host.ts';
export type { DeviceHost, DeviceHostOptions, HostableDevice } from './host/device-host.ts';
export type { HostStream } from './host/host-link.ts';
