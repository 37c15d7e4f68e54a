/** RFC 6298, section 2.4 asks for a second; a guest is one hop away, yet may be slow to run. */
const LEAST_MS = 300;
const GREATEST_MS = 60_000;
const INITIAL_MS = 1_000;

/** Retransmission timeout from measured round trips (RFC 6298). */
export class RtoEstimator {
  #smoothed = -1;
  #variation = 0;
  #rto = INITIAL_MS;

  /** In milliseconds, back-off included. */
  get rto(): number {
    return this.#rto;
  }

  /** A round trip of a segment that was sent once. */
  sample(ms: number): void {
    if (this.#smoothed < 0) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
    } else {
      this.#variation += (Math.abs(this.#smoothed - ms) - this.#variation) / 4;
      this.#smoothed += (ms - this.#smoothed) / 8;
    }
    this.#rto = clamp(this.#smoothed + Math.max(1, 4 * this.#variation));
  }

  /** The timer ran out. */
  backOff(): void {
    this.#rto = clamp(this.#rto * 2);
  }

  /** New data was acknowledged: the back-off ends. */
  settle(): void {
    if (this.#smoothed >= 0) this.#rto = clamp(this.#smoothed + Math.max(1, 4 * this.#variation));
    else this.#rto = Math.min(this.#rto, INITIAL_MS);
  }
}

function clamp(ms: number): number {
  return Math.min(GREATEST_MS, Math.max(LEAST_MS, ms));
}
