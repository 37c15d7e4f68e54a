// Generated from proto/polyvisor/device/v1/goldfish_rtc.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** A Goldfish real-time clock. */
export interface GoldfishRtcState {
  /** What the guest added to the host's wall clock, in nanoseconds. */
  tickOffset: bigint;
  /** Time of the alarm, in nanoseconds since 1970. */
  alarmNext: bigint;
  /** The alarm is set and has not gone off. */
  alarmRunning: boolean;
  /** The alarm went off and was not cleared. */
  irqPending: boolean;
  /** The alarm may interrupt. */
  irqEnabled: boolean;
  /** High half of the time, latched by the last read of the low half. */
  timeHigh: number;
}

export const goldfishRtcState = defineState<GoldfishRtcState>('polyvisor.device.v1.GoldfishRtcState', [
  { name: 'tickOffset', number: 1, type: 'sint64', width: 64, reset: 0n, since: 1 },
  { name: 'alarmNext', number: 2, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'alarmRunning', number: 3, type: 'bool', reset: false, since: 1 },
  { name: 'irqPending', number: 4, type: 'bool', reset: false, since: 1 },
  { name: 'irqEnabled', number: 5, type: 'bool', reset: false, since: 1 },
  { name: 'timeHigh', number: 6, type: 'uint32', width: 32, reset: 0, since: 1 },
]);
