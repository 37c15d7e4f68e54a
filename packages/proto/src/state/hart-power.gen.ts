// Generated from proto/polyvisor/machine/v1/hart_power.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** Which harts run, and where those begin that were started and have not run yet; one element a hart. */
export interface HartPowerState {
  /** 0 started, 1 stopped, 2 start pending. */
  state: number[];
  /** First instruction of a hart whose start is pending. */
  start: bigint[];
  /** Its argument (a1). */
  opaque: bigint[];
}

export const hartPowerState = defineState<HartPowerState>('polyvisor.machine.v1.HartPowerState', [
  { name: 'state', number: 1, type: 'uint32', width: 2, reset: 0, since: 1, repeated: true, limit: 8 },
  { name: 'start', number: 2, type: 'uint64', width: 64, reset: 0n, since: 1, repeated: true, limit: 8 },
  { name: 'opaque', number: 3, type: 'uint64', width: 64, reset: 0n, since: 1, repeated: true, limit: 8 },
]);
