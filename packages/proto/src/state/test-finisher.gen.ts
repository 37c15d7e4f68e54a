// Generated from proto/polyvisor/device/v1/test_finisher.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** A test finisher. */
export interface TestFinisherState {
  /** How the guest ended the machine, if it did: 0x3333 fail, 0x5555 pass, 0x7777 reset. */
  finish: number;
  /** Exit code that came with a failure. */
  code: number;
}

export const testFinisherState = defineState<TestFinisherState>('polyvisor.device.v1.TestFinisherState', [
  { name: 'finish', number: 1, type: 'uint32', width: 16, reset: 0, since: 1 },
  { name: 'code', number: 2, type: 'uint32', width: 16, reset: 0, since: 1 },
]);
