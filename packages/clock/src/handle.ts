import { hostTime } from './host-time.ts';

/**
 * What a thread needs to open the machine's clock; structured-cloneable. Made by {@link createClockHandle},
 * opened by `createSharedClock`.
 */
export interface ClockHandle {
  /** `wall`: guest time runs with the host's clock. `icount`: guest time is what the one vCPU publishes. */
  readonly kind: 'wall' | 'icount';
  readonly cells: SharedArrayBuffer;
}

/** Index of a `Float64Array` over the cells: the host's monotonic time that guest time is counted from, seconds. */
export const CELL_EPOCH_SECONDS = 0;
/** ... and the nanoseconds below a second. */
export const CELL_EPOCH_NANOSECONDS = 1;
/** Nanoseconds since the epoch during which guest time stood still. Valid while running. */
export const CELL_SKEW = 2;
/** Guest time while paused, nanoseconds. */
export const CELL_FROZEN = 3;
/** icount: guest time, nanoseconds. */
export const CELL_PUBLISHED = 4;
/** icount: deadline of the earliest timer, nanoseconds, or Infinity. */
export const CELL_NEXT_DEADLINE = 5;
/** Index of an `Int32Array` over the cells: 1 while guest time runs. */
export const WORD_RUNNING = 16;
/** Bytes of the cells. */
export const CELLS_SIZE = 128;

/** A new clock, standing at 0 until its owner resumes it. */
export function createClockHandle(kind: ClockHandle['kind']): ClockHandle {
  const cells = new SharedArrayBuffer(CELLS_SIZE);
  const values = new Float64Array(cells);
  const epoch = hostTime();
  values[CELL_EPOCH_SECONDS] = epoch[0];
  values[CELL_EPOCH_NANOSECONDS] = epoch[1];
  values[CELL_NEXT_DEADLINE] = Infinity;
  return { kind, cells };
}
