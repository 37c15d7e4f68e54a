/**
 * What a thread needs to open the machine's clock; structured-cloneable. Made by `createClockHandle`,
 * opened by `createSharedClock`.
 */
export interface ClockHandle {
  /** `wall`: guest time runs with the host's clock. `icount`: guest time is what the one vCPU publishes. */
  readonly kind: 'wall' | 'icount';
  readonly cells: SharedArrayBuffer;
}
