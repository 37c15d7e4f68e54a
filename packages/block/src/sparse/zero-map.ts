import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockMap, Placement, Space } from './block-map.ts';
import { ZERO } from './block-map.ts';

/** The table of a disk that is nothing but zeroes, and stays so. */
export class ZeroMap implements BlockMap {
  readonly blockSize = 2 ** 40;
  readonly sectorSize = 512;
  readonly bySector = false;
  readonly clears = { absent: false, zero: false };
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  lookup(): Placement {
    return ZERO;
  }

  allocate(): Promise<Space> {
    return this.#refuse();
  }

  publish(): Promise<void> {
    return this.#refuse();
  }

  abandon(): void {}

  clear(): Promise<void> {
    return this.#refuse();
  }

  #refuse(): Promise<never> {
    return Promise.reject(new PolyvisorError('permission', { what: 'disk is read-only', which: this.#name }));
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}
}
