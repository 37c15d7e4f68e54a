// Generated from proto/polyvisor/machine/v1/machine_clock.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** Guest time. The real-time clock is the host's and isn't saved. */
export interface MachineClockState {
  /** Nanoseconds since the machine was switched on, pauses left out. */
  nowNs: bigint;
}

export const machineClockState = defineState<MachineClockState>('polyvisor.machine.v1.MachineClockState', [
  { name: 'nowNs', number: 1, type: 'uint64', width: 64, reset: 0n, since: 1 },
]);
