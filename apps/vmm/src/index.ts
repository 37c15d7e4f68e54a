export { AttachedDevices } from './attached-devices.ts';
export type { DeviceBundle } from './attached-devices.ts';
export { createVmmService } from './vmm-service.ts';
export type { LocalSurroundings, VmmServiceHandle, VmmServiceOptions } from './vmm-service.ts';
