import type { Clock, Timer } from '@polyvisor/contracts';

interface Waiting {
  readonly deadlineNs: number;
  readonly callback: () => void;
}

/** A clock that moves when the test says so. */
export class FakeClock implements Clock {
  #nowNs = 0;
  #realtimeNs: bigint;
  readonly #waiting = new Set<Waiting>();

  constructor(realtimeNs = 1_700_000_000_000_000_000n) {
    this.#realtimeNs = realtimeNs;
  }

  nowNs(): number {
    return this.#nowNs;
  }

  realtimeNs(): bigint {
    return this.#realtimeNs;
  }

  at(deadlineNs: number, callback: () => void): Timer {
    const waiting = { deadlineNs, callback };
    this.#waiting.add(waiting);
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  /** Timers that have neither fired nor been cancelled. */
  get timers(): number {
    return this.#waiting.size;
  }

  /** Lets time pass and fires what is due, in order. */
  advance(ns: number): void {
    const end = this.#nowNs + ns;
    for (;;) {
      const next = [...this.#waiting].sort((a, b) => a.deadlineNs - b.deadlineNs)[0];
      if (next === undefined || next.deadlineNs > end) break;
      this.#waiting.delete(next);
      this.#moveTo(Math.max(this.#nowNs, next.deadlineNs));
      next.callback();
    }
    this.#moveTo(end);
  }

  #moveTo(ns: number): void {
    this.#realtimeNs += BigInt(Math.round(ns - this.#nowNs));
    this.#nowNs = ns;
  }
}
