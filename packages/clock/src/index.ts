export { CELLS_SIZE as CLOCK_BYTES, clockHandleAt, createClockHandle } from './handle.ts';
export type { ClockHandle, ClockPlace } from './handle.ts';
export { createSharedClock, ICOUNT_REALTIME_BASE_NS } from './shared-clock.ts';
export type { ClockRole, SharedClock } from './shared-clock.ts';
