export * from './accelerated.ts';
export * from './config.ts';
export { createMachine } from './create-machine.ts';
export type { MachineDependencies } from './create-machine.ts';
export type { DeviceProvider } from './boards/riscv-virt/devices.ts';
