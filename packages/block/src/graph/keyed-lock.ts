import { cancelledError } from './check-range.ts';
import type { Release } from './range-lock.ts';

/** One holder for each key at a time, first come, first served; keys nobody holds cost nothing. */
export class KeyedLock<K> {
  /** Those who wait, by held key. */
  readonly #held = new Map<K, (() => void)[]>();

  /** @throws PolyvisorError `cancelled` when the signal comes before the lock. */
  acquire(key: K, signal?: AbortSignal): Promise<Release> {
    if (signal?.aborted === true) return Promise.reject(cancelledError(signal));
    const waiting = this.#held.get(key);
    if (waiting === undefined) {
      this.#held.set(key, []);
      return Promise.resolve(this.#releaser(key));
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        waiting.splice(waiting.indexOf(grant), 1);
        reject(cancelledError(signal));
      };
      const grant = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve(this.#releaser(key));
      };
      signal?.addEventListener('abort', abort, { once: true });
      waiting.push(grant);
    });
  }

  /** Runs `body` while holding the key. */
  async run<T>(key: K, body: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(key, signal);
    try {
      return await body();
    } finally {
      release();
    }
  }

  #releaser(key: K): Release {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      const next = this.#held.get(key)?.shift();
      if (next === undefined) this.#held.delete(key);
      else next();
    };
  }
}
