export { createConsoleHub } from './console-hub.ts';
export type { ConsoleHub, ConsoleReader } from './console-hub.ts';
export { createDeviceService } from './device-service.ts';
export type { DeviceServiceHandle, DeviceServiceOptions } from './device-service.ts';
export { consoleKey, deviceConfigOf, noDisks } from './device-spec.ts';
export type { ConsoleHubs, OpenDisk } from './device-spec.ts';
