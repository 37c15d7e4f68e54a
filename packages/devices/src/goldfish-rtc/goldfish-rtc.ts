import type { Clock, InterruptLine, MmioDevice, StateSection, Timer } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { goldfishRtcState } from '@polyvisor/proto/state/goldfish-rtc';
import * as reg from './registers.ts';

/** How a {@link createGoldfishRtc} is made. */
export interface GoldfishRtcOptions {
  /** Unique in its machine: `rtc0`. */
  readonly name: string;
}

export interface GoldfishRtcDependencies {
  readonly line: InterruptLine;
  readonly clock: Clock;
}

const WINDOW_BYTES = 0x1000;
const LOW_MASK = 0xffff_ffffn;
/** Longest single wait; the alarm looks at the wall clock again after it, which may have been set meanwhile. */
const LONGEST_WAIT_NS = 3_600_000_000_000;

/**
 * A Goldfish real-time clock: nanoseconds since 1970 in two halves, and one alarm.
 * Register-compatible with the clock of QEMU's `virt` board.
 */
export function createGoldfishRtc(
  options: GoldfishRtcOptions,
  dependencies: GoldfishRtcDependencies,
): MmioDevice {
  return new GoldfishRtc(options, dependencies);
}

class GoldfishRtc implements MmioDevice {
  readonly name: string;
  readonly size = WINDOW_BYTES;
  readonly #line: InterruptLine;
  readonly #clock: Clock;
  readonly #state = goldfishRtcState.create();
  #timer: Timer | undefined;
  #quiesced = false;

  constructor(options: GoldfishRtcOptions, { line, clock }: GoldfishRtcDependencies) {
    this.name = options.name;
    this.#line = line;
    this.#clock = clock;
  }

  #now(): bigint {
    return BigInt.asUintN(64, this.#clock.realtimeNs() + this.#state.tickOffset);
  }

  read(offset: number, width: number): number {
    if (width !== 4) return 0;
    const state = this.#state;
    switch (offset) {
      case reg.RTC_TIME_LOW: {
        const now = this.#now();
        state.timeHigh = Number(now >> 32n);
        return Number(now & LOW_MASK);
      }
      case reg.RTC_TIME_HIGH:
        return state.timeHigh;
      case reg.RTC_ALARM_LOW:
        return Number(state.alarmNext & LOW_MASK);
      case reg.RTC_ALARM_HIGH:
        return Number(state.alarmNext >> 32n);
      case reg.RTC_IRQ_ENABLED:
        return state.irqEnabled ? 1 : 0;
      case reg.RTC_ALARM_STATUS:
        return state.alarmRunning ? 1 : 0;
      default:
        return 0;
    }
  }

  write(offset: number, width: number, value: number): void {
    if (width !== 4) return;
    const state = this.#state;
    switch (offset) {
      case reg.RTC_TIME_LOW:
        this.#setTime((this.#now() & ~LOW_MASK) | BigInt(value));
        break;
      case reg.RTC_TIME_HIGH:
        this.#setTime((this.#now() & LOW_MASK) | (BigInt(value) << 32n));
        break;
      case reg.RTC_ALARM_LOW:
        state.alarmNext = (state.alarmNext & ~LOW_MASK) | BigInt(value);
        state.alarmRunning = true;
        this.#arm();
        break;
      case reg.RTC_ALARM_HIGH:
        state.alarmNext = (state.alarmNext & LOW_MASK) | (BigInt(value) << 32n);
        break;
      case reg.RTC_IRQ_ENABLED:
        state.irqEnabled = (value & 1) !== 0;
        this.#updateLine();
        break;
      case reg.RTC_CLEAR_ALARM:
        state.alarmRunning = false;
        this.#disarm();
        break;
      case reg.RTC_CLEAR_INTERRUPT:
        state.irqPending = false;
        this.#updateLine();
        break;
      default: // read-only or unknown
    }
  }

  #setTime(time: bigint): void {
    this.#state.tickOffset = BigInt.asIntN(64, time - this.#clock.realtimeNs());
    if (this.#state.alarmRunning) this.#arm();
  }

  #arm(): void {
    this.#disarm();
    if (this.#quiesced) return;
    const wait = this.#state.alarmNext - this.#now();
    if (wait <= 0n) {
      this.#state.alarmRunning = false;
      this.#state.irqPending = true;
      this.#updateLine();
      return;
    }
    const waitNs = wait > BigInt(LONGEST_WAIT_NS) ? LONGEST_WAIT_NS : Number(wait);
    this.#timer = this.#clock.at(this.#clock.nowNs() + waitNs, () => {
      this.#timer = undefined;
      if (this.#state.alarmRunning) this.#arm();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #updateLine(): void {
    this.#line.set(this.#state.irqPending && this.#state.irqEnabled);
  }

  reset(): void {
    this.#disarm();
    goldfishRtcState.reset(this.#state);
    this.#updateLine();
  }

  save(): StateSection {
    return saveSection(goldfishRtcState, this.#state);
  }

  load(section: StateSection): void {
    this.reset();
    loadSection(goldfishRtcState, this.#state, section);
    this.#updateLine();
    if (this.#state.alarmRunning) this.#arm();
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    this.#disarm();
    return Promise.resolve();
  }

  resume(): void {
    this.#quiesced = false;
    if (this.#state.alarmRunning) this.#arm();
  }

  close(): Promise<void> {
    this.#disarm();
    return Promise.resolve();
  }
}
