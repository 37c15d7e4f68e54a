import type { BlockNode } from '../graph/block-node.ts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockMap, Placement, Space } from './block-map.ts';

/** Long enough that no operation is cut by it. */
const BLOCK_BYTES = 2 ** 40;

/** The table of a disk that needs none: its bytes lie in the file one after the other. */
export class FlatMap implements BlockMap {
  readonly blockSize = BLOCK_BYTES;
  readonly sectorSize = 512;
  readonly bySector = false;
  readonly clears = { absent: false, zero: false };
  readonly #file: BlockNode;
  readonly #offset: number;

  /** @param offset where in the file the disk begins. */
  constructor(file: BlockNode, offset = 0) {
    this.#file = file;
    this.#offset = offset;
  }

  lookup(block: number): Placement {
    return { kind: 'data', offset: this.#offset + block * BLOCK_BYTES };
  }

  allocate(): Promise<Space> {
    return Promise.reject(this.#error());
  }

  publish(): Promise<void> {
    return Promise.reject(this.#error());
  }

  abandon(): void {}

  clear(): Promise<void> {
    return Promise.reject(this.#error());
  }

  #error(): PolyvisorError {
    return new PolyvisorError('internal', { what: 'a flat disk has no table', which: this.#file.name });
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  close(): Promise<void> {
    return this.#file.flush();
  }
}
