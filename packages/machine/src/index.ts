export * from './accelerated.ts';
export * from './config.ts';
export { createMachine } from './create-machine.ts';
export type { MachineDependencies } from './create-machine.ts';
export type { DevicePlace, DeviceSource } from './boards/riscv-virt/devices.ts';
export { regionsOf } from './boards/riscv-virt/memory-map.ts';
export type { DeviceSurroundings, OpenedDevice } from './devices/open-device.ts';
