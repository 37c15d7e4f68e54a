/**
 * How much TCP data all connections together may hold. Beyond the limit each one still gets a small share, so that
 * nobody starves; the total is therefore bounded by the limit plus that share for each connection.
 */
export class MemoryBudget {
  readonly limit: number;
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Negative gives back. */
  take(bytes: number): void {
    this.#used += bytes;
  }

  /** What one direction of one connection may hold at most, now. */
  share(full: number): number {
    const left = this.limit - this.#used;
    return left >= full ? full : Math.max(LEAST_SHARE, Math.min(full, left));
  }
}

/** Ten full segments or so. */
const LEAST_SHARE = 16 * 1024;
