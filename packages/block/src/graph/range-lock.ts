import { cancelledError } from './check-range.ts';

/** Gives up what was locked; calling it again does nothing. */
export type Release = () => void;

interface Holder {
  readonly start: number;
  readonly end: number;
  readonly shared: boolean;
  /** Present while it waits. */
  grant?: () => void;
}

/**
 * Locks on ranges of numbers: exclusive ones keep out all that overlap, shared ones only exclusive ones. First
 * come, first served among those that overlap, so nobody starves. Costs a scan of what is held or waiting.
 */
export class RangeLock {
  /** In order of arrival, waiting ones too: a waiting one keeps out later ones that overlap it. */
  readonly #holders: Holder[] = [];

  /** Locks at once if nothing overlaps; undefined otherwise. */
  tryAcquire(offset: number, length: number, shared = false): Release | undefined {
    const holder: Holder = { start: offset, end: offset + length, shared };
    if (this.#blocked(holder, this.#holders.length)) return undefined;
    this.#holders.push(holder);
    return () => this.#release(holder);
  }

  /**
   * Waits for `length` numbers from `offset` on.
   * @throws PolyvisorError `cancelled` when the signal comes first.
   */
  acquire(
    offset: number,
    length: number,
    options: { readonly shared?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Release> {
    const { shared = false, signal } = options;
    if (signal?.aborted === true) return Promise.reject(cancelledError(signal));
    const release = this.tryAcquire(offset, length, shared);
    if (release !== undefined) return Promise.resolve(release);
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#release(holder);
        reject(cancelledError(signal));
      };
      const holder: Holder = {
        start: offset,
        end: offset + length,
        shared,
        grant: () => {
          signal?.removeEventListener('abort', abort);
          resolve(() => this.#release(holder));
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#holders.push(holder);
    });
  }

  #blocked(holder: Holder, before: number): boolean {
    for (let i = 0; i < before; i++) {
      const other = this.#holders[i]!;
      if (other.start < holder.end && holder.start < other.end && !(other.shared && holder.shared))
        return true;
    }
    return false;
  }

  #release(holder: Holder): void {
    const index = this.#holders.indexOf(holder);
    if (index < 0) return;
    this.#holders.splice(index, 1);
    for (let i = index; i < this.#holders.length; i++) {
      const next = this.#holders[i]!;
      if (next.grant === undefined || this.#blocked(next, i)) continue;
      const { grant } = next;
      delete next.grant;
      grant();
    }
  }
}
