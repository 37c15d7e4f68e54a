import type { HartSignals } from './signals.ts';

/** Hart inputs that only remember their levels: for tests of interrupt controllers and boards. */
export interface RecordingSignals extends HartSignals {
  /** mip of each hart, as driven. */
  readonly mip: number[];
  /** mtimecmp of each hart, `[low, high]`. */
  readonly timers: [number, number][];
}

export function createRecordingSignals(harts: number): RecordingSignals {
  const mip = new Array<number>(harts).fill(0);
  const timers = Array.from({ length: harts }, (): [number, number] => [0, 0]);
  return {
    mip,
    timers,
    setInterrupt(hart, bit, level) {
      const before = mip[hart] as number;
      mip[hart] = level ? before | (1 << bit) : before & ~(1 << bit);
    },
    setTimer(hart, low, high) {
      timers[hart] = [low, high];
    },
  };
}
