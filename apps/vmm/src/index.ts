export { createLocalDevices } from './local-devices.ts';
export type { LocalDevicesOptions } from './local-devices.ts';
export { AttachedDevices } from './attached-devices.ts';
export type { DeviceBundle, PlacedDevice } from './attached-devices.ts';
export { createVmmService } from './vmm-service.ts';
export type { LocalSurroundings, VmmServiceHandle, VmmServiceOptions } from './vmm-service.ts';
