import type { SharedClock } from '@polyvisor/clock';
import { createClockHandle, createSharedClock } from '@polyvisor/clock';
import type { ClockReading } from '@polyvisor/proto/service/device';

/** Readings that differ by less are the way of the message. */
const TOLERANCE_NS = 20e6;

/** The guest's time in a process that can't see its clock: goes on from the last reading. */
export interface HostClock extends SharedClock {
  read(reading: ClockReading): void;
}

/** A clock that stands at 0 until the first reading. */
export function createHostClock(): HostClock {
  const clock = createSharedClock(createClockHandle('wall'));
  return {
    ...clock,
    read({ nowNs, running }) {
      const drift = Math.abs(clock.nowNs() - nowNs);
      if (running === clock.running() && drift < TOLERANCE_NS) return;
      if (clock.running()) clock.pause();
      clock.set(nowNs);
      if (running) clock.resume();
    },
  };
}
