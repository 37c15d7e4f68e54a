// Generated from proto/polyvisor/machine/v1/aclint.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** Machine software interrupts and timer compare values, one of each a hart. */
export interface AclintState {
  /** Machine software interrupt pending. */
  msip: number[];
  /** Timer compare value, in ticks. */
  mtimecmp: bigint[];
}

export const aclintState = defineState<AclintState>('polyvisor.machine.v1.AclintState', [
  { name: 'msip', number: 1, type: 'uint32', width: 1, reset: 0, since: 1, repeated: true, limit: 8 },
  { name: 'mtimecmp', number: 2, type: 'uint64', width: 64, reset: 0n, since: 1, repeated: true, limit: 8 },
]);
