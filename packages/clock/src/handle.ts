import { hostTime } from './host-time.ts';

/**
 * What a thread needs to open the machine's clock; structured-cloneable. Made by {@link createClockHandle},
 * opened by `createSharedClock`.
 */
export interface ClockHandle {
  /** `wall`: guest time runs with the host's clock. `icount`: guest time is what the one vCPU publishes. */
  readonly kind: 'wall' | 'icount';
  readonly cells: SharedArrayBuffer;
  /** Where the cells begin, bytes, a multiple of 8. Absent: 0. */
  readonly offset?: number;
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

/** Where a clock's cells lie: {@link CELLS_SIZE} bytes at a multiple of 8. */
export interface ClockPlace {
  readonly buffer: SharedArrayBuffer;
  readonly offset: number;
}

/**
 * A new clock, standing at 0 until its owner resumes it.
 * @param place Memory that another process of this host has, too; default: new memory of this process.
 * @throws RangeError when the cells don't fit there.
 */
export function createClockHandle(kind: ClockHandle['kind'], place?: ClockPlace): ClockHandle {
  const handle =
    place === undefined
      ? { kind, cells: new SharedArrayBuffer(CELLS_SIZE) }
      : { kind, cells: place.buffer, offset: place.offset };
  const { values, words } = openCells(handle);
  const epoch = hostTime();
  values.fill(0);
  values[CELL_EPOCH_SECONDS] = epoch[0];
  values[CELL_EPOCH_NANOSECONDS] = epoch[1];
  values[CELL_NEXT_DEADLINE] = Infinity;
  Atomics.store(words, WORD_RUNNING, 0);
  return handle;
}

/**
 * A clock that another process of this host made there. A `wall` clock that is only read may lie in memory that is
 * mapped for reading: then this process's peers can't stop or set it.
 */
export function clockHandleAt(kind: ClockHandle['kind'], place: ClockPlace): ClockHandle {
  return { kind, cells: place.buffer, offset: place.offset };
}

/** The cells as both kinds of numbers. @throws RangeError when they don't fit their buffer. */
export function openCells({ cells, offset = 0 }: ClockHandle): {
  readonly values: Float64Array;
  readonly words: Int32Array;
} {
  return {
    values: new Float64Array(cells, offset, CELLS_SIZE / 8),
    words: new Int32Array(cells, offset, CELLS_SIZE / 4),
  };
}
