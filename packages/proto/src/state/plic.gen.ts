// Generated from proto/polyvisor/machine/v1/plic.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** A PLIC of 95 sources; contexts are M then S of each hart. Bit n of word m is source 32 m + n. */
export interface PlicState {
  /** Priority of each source; source 0 doesn't exist. */
  priority: Uint8Array;
  /** Requests that wait for a claim. */
  pending: Uint32Array;
  /** Inputs, as devices drive them. */
  level: Uint32Array;
  /** Claimed and not completed. */
  inService: Uint32Array;
  /** Enabled sources, three words a context. */
  enable: number[];
  /** Threshold of each context. */
  threshold: number[];
}

export const plicState = defineState<PlicState>('polyvisor.machine.v1.PlicState', [
  { name: 'priority', number: 1, type: 'uint32', width: 3, reset: 0, since: 1, repeated: true, count: 96 },
  { name: 'pending', number: 2, type: 'uint32', width: 32, reset: 0, since: 1, repeated: true, count: 3 },
  { name: 'level', number: 3, type: 'uint32', width: 32, reset: 0, since: 1, repeated: true, count: 3 },
  { name: 'inService', number: 4, type: 'uint32', width: 32, reset: 0, since: 1, repeated: true, count: 3 },
  { name: 'enable', number: 5, type: 'uint32', width: 32, reset: 0, since: 1, repeated: true, limit: 48 },
  { name: 'threshold', number: 6, type: 'uint32', width: 3, reset: 0, since: 1, repeated: true, limit: 16 },
]);
