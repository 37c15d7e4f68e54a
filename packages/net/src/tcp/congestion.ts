/** RFC 6928. */
const INITIAL_SEGMENTS = 10;
/** Enough for any window that a guest offers. */
const GREATEST = 1 << 30;

/** How much may be in flight: NewReno (RFC 5681, RFC 6582). Byte counts. */
export class Congestion {
  #window: number;
  #threshold: number = GREATEST;
  #segment: number;
  #duplicates = 0;
  /** While a loss is repaired: everything sent when it was noticed. Signed 32-bit sequence number. */
  #recover = 0;
  #recovering = false;

  constructor(segment: number) {
    this.#segment = segment;
    this.#window = INITIAL_SEGMENTS * segment;
  }

  get window(): number {
    return this.#window;
  }

  /** The handshake is over and the segment size known. */
  start(segment: number): void {
    this.#segment = segment;
    this.#window = INITIAL_SEGMENTS * segment;
  }

  /**
   * New data was acknowledged, up to `una`.
   * @returns whether the segment at `una` is lost too and should be sent again now.
   */
  acknowledged(una: number, count: number): boolean {
    this.#duplicates = 0;
    if (this.#recovering) {
      if (((una - this.#recover) | 0) >= 0) {
        this.#recovering = false;
        this.#window = this.#threshold;
        return false;
      }
      this.#window = Math.max(this.#segment, this.#window - count + this.#segment);
      return true;
    }
    // A guest acknowledges a whole batch at once: by its bytes, not by segments (RFC 3465, without the limit).
    const growth = this.#window < this.#threshold ? count : (this.#segment * this.#segment) / this.#window;
    this.#window = Math.min(GREATEST, this.#window + growth);
    return false;
  }

  /**
   * A duplicate acknowledgment came while `inFlight` bytes, up to `next`, were out.
   * @returns whether the first unacknowledged segment should be sent again now.
   */
  duplicate(una: number, next: number, inFlight: number): boolean {
    this.#duplicates++;
    if (this.#recovering) {
      this.#window += this.#segment;
      return false;
    }
    // Not twice for one loss (RFC 6582, section 3.2, step 1).
    if (this.#duplicates !== 3 || (this.#recover !== 0 && ((una - this.#recover) | 0) < 0)) return false;
    this.#threshold = Math.max(inFlight / 2, 2 * this.#segment);
    this.#window = this.#threshold + 3 * this.#segment;
    this.#recover = next;
    this.#recovering = true;
    return true;
  }

  /** The retransmission timer ran out with `inFlight` bytes, up to `next`, out. */
  timedOut(next: number, inFlight: number): void {
    this.#threshold = Math.max(inFlight / 2, 2 * this.#segment);
    this.#window = this.#segment;
    this.#recover = next;
    this.#recovering = false;
    this.#duplicates = 0;
  }
}
