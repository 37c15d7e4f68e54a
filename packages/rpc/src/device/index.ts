export type { MessageStream } from './message-stream.ts';
export { DEVICE_PROTOCOL_VERSION } from './protocol.ts';
export { attachDeviceGroup } from './owner/device-group.ts';
export type { DeviceGroup, DeviceGroupOptions, GroupDevice, GroupStatus } from './owner/device-group.ts';
export { createRegisterSlot } from './owner/register-slot.ts';
export type { RegisterSlot } from './owner/register-slot.ts';
export type { OwnerStream } from './owner/group-link.ts';
export { createDeviceHost } from './host/device-host.ts';
export type { DeviceHost, DeviceHostOptions, HostableDevice } from './host/device-host.ts';
export { openSharedHostSide, openSharedOwnerSide } from './shared/inherited.ts';
export type {
  InheritedGroup,
  SharedHostSide,
  SharedOwnerOptions,
  SharedOwnerSide,
} from './shared/inherited.ts';
export { RING_BYTES } from './shared/layout.ts';
export type { HostStream } from './host/host-link.ts';
