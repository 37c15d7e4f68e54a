/**
 * Guest clusters whose entries are being changed by operations under way; others that touch them wait, as they could
 * otherwise allocate the same cluster twice.
 */
export class InFlight {
  readonly #ranges: { readonly first: number; readonly end: number; readonly done: Promise<void> }[] = [];

  /** What to wait for before touching clusters `first` to below `end`; undefined: nothing. Ask again afterwards. */
  blocking(first: number, end: number): Promise<void> | undefined {
    for (const range of this.#ranges) if (range.first < end && range.end > first) return range.done;
    return undefined;
  }

  /** @returns to be called once the entries have been changed. */
  begin(first: number, end: number): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const range = { first, end, done: promise };
    this.#ranges.push(range);
    return () => {
      this.#ranges.splice(this.#ranges.indexOf(range), 1);
      resolve();
    };
  }
}
