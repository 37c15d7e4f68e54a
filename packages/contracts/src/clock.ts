/** A running timer. */
export interface Timer {
  /** Idempotent. */
  cancel(): void;
}

/** Guest time: stands still while the machine is paused. */
export interface Clock {
  /** Nanoseconds of guest run time since power-on. */
  nowNs(): number;
  /** Wall-clock time as the guest's RTC shows it, in nanoseconds since 1970 (bigint: exceeds 2^53). */
  realtimeNs(): bigint;
  /** Calls back once, at or after `deadlineNs` of {@link nowNs}. */
  at(deadlineNs: number, callback: () => void): Timer;
}
