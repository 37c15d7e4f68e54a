/**
 * Counts operations under way, so that some work can wait for them: all of them before the image as a whole is
 * changed, those begun before a moment until clusters freed then are used again.
 */
export class OperationGate {
  readonly #counts: [number, number] = [0, 0];
  #epoch: 0 | 1 = 0;
  #closed: Promise<void> | undefined;
  #waiting: (() => void)[] = [];

  /** Whether {@link enter} may be called right away. */
  get isOpen(): boolean {
    return this.#closed === undefined;
  }

  async whenOpen(): Promise<void> {
    while (this.#closed !== undefined) await this.#closed;
  }

  /** @returns what {@link leave} wants. */
  enter(): 0 | 1 {
    this.#counts[this.#epoch]++;
    return this.#epoch;
  }

  leave(epoch: 0 | 1): void {
    if (--this.#counts[epoch] === 0 && this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    }
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves once the operations that were under way have ended. One call at a time. */
  async settle(): Promise<void> {
    const old = this.#epoch;
    // Operations of the epoch before that one are gone: the last call waited for them.
    this.#epoch = old === 0 ? 1 : 0;
    await this.#until(() => this.#counts[old] === 0);
  }

  /** Runs `body` with no operation under way; those that come meanwhile wait. */
  async exclusive<T>(body: () => Promise<T>): Promise<T> {
    await this.whenOpen();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    try {
      await this.#until(() => this.#counts[0] === 0 && this.#counts[1] === 0);
      return await body();
    } finally {
      this.#closed = undefined;
      resolve();
    }
  }
}
