export { deviceConfigs } from './device-config.ts';
export type { DeviceConfig } from './device-config.ts';
export { openDevice, openLocalDisk } from './open-device.ts';
export type { DeviceSurroundings, OpenedDevice } from './open-device.ts';
