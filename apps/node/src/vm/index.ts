/** Whether `shared` is possible on this host. */
export { probeOverlay } from '@polyvisor/shared-memory';
export { createSplitMachine } from './split-machine.ts';
export type { SplitMachine, SplitMachineOptions } from './split-machine.ts';
export { createSplitVm } from './split-vm.ts';
export type { SplitVm, SplitVmOptions, VmEvent, VmProcessInfo } from './split-vm.ts';
export { planOf } from './vm-plan.ts';
export type { SplitMode, VmPlan } from './vm-plan.ts';
