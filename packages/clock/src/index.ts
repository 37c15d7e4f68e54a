export { createClockHandle } from './handle.ts';
export type { ClockHandle } from './handle.ts';
export { createSharedClock, ICOUNT_REALTIME_BASE_NS } from './shared-clock.ts';
export type { SharedClock } from './shared-clock.ts';
