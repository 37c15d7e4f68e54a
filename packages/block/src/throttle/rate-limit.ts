import { cancelledError } from '../graph/check-range.ts';

/** How much may be saved up: an idle second. */
const BURST_SECONDS = 1;

/** A bucket that fills with `perSecond` units a second: who takes more than there is waits. In order of arrival. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  #level: number;
  #at = performance.now();

  constructor(perSecond: number, burst: number = perSecond * BURST_SECONDS) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#level = burst;
  }

  /** Resolves when `units` may be used. @throws PolyvisorError `cancelled`; the units are then given back. */
  take(units: number, signal?: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#level = Math.min(this.#burst, this.#level + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    // Debt makes those who come later wait longer.
    this.#level -= units;
    if (this.#level >= 0) return Promise.resolve();
    const waitMs = (-this.#level / this.#perSecond) * 1000;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        clearTimeout(timer);
        this.#level += units;
        reject(cancelledError(signal));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort);
        resolve();
      }, waitMs);
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted === true) abort();
    });
  }
}
