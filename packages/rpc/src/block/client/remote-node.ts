import type { BlockLimits, BlockNode, Extent, IoOptions, WriteOptions, ZeroOptions } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import { OPERATION_BYTES_LIMIT, SECTOR_BYTES } from '../protocol.ts';
import type { RemoteDisk } from './remote-disk-options.ts';

/** A disk of a block host as a node of a block graph, with which it is closed. */
export class RemoteNode implements BlockNode {
  readonly driver = 'remote';
  readonly name: string;
  readonly limits: BlockLimits = {
    alignment: SECTOR_BYTES,
    preferred: 4096,
    discardGranule: SECTOR_BYTES,
    maxTransfer: Number.MAX_SAFE_INTEGER - OPERATION_BYTES_LIMIT,
  };
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  readonly #disk: RemoteDisk;

  constructor(disk: RemoteDisk) {
    this.#disk = disk;
    this.name = disk.id;
  }

  get size(): number {
    return this.#disk.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#disk.readOnly;
  }

  read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    return givenUp(options) ?? this.#disk.read(offset, target);
  }

  write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    const early = givenUp(options);
    if (early !== undefined) return early;
    return options?.fua === true ? this.#disk.writeDurably(offset, source) : this.#disk.write(offset, source);
  }

  async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    await givenUp(options);
    if (options?.onlyFast === true) {
      throw new PolyvisorError('unsupported', {
        what: "can't tell whether zeroes are fast",
        which: this.name,
      });
    }
    await this.#disk.writeZeroes(offset, length, options?.mayUnmap === true);
    if (options?.fua === true) await this.#disk.flush();
  }

  discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    return givenUp(options) ?? this.#disk.discard(offset, length);
  }

  flush(options?: IoOptions): Promise<void> {
    return givenUp(options) ?? this.#disk.flush();
  }

  /** What stands behind is not told: all counts as data. */
  map(offset: number, length: number): Promise<Extent> {
    if (offset >= 0 && length >= 0 && offset + length <= this.size) {
      return Promise.resolve({ length, allocated: true, zero: false, data: true, depth: 0 });
    }
    const limit = `${length} bytes at ${offset} of ${this.size}`;
    return Promise.reject(
      new PolyvisorError('invalid-argument', {
        what: 'range lies outside the disk',
        which: this.name,
        limit,
      }),
    );
  }

  close(): Promise<void> {
    return this.#disk.close();
  }
}

function givenUp(options: IoOptions | undefined): Promise<void> | undefined {
  if (options?.signal?.aborted !== true) return undefined;
  return Promise.reject(new PolyvisorError('cancelled', { what: 'operation was cancelled' }));
}
