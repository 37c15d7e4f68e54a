import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode, IoOptions } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import type { CompressionCapability, FormatNode, WorkOptions } from '../graph/format-node.ts';
import { isZero, zeroRun } from '../graph/is-zero.ts';
import { readPadded } from '../graph/pad-range.ts';
import { forEachParallel, PIECE_BYTES } from '../graph/parallel.ts';
import { blockStatus } from './block-status.ts';
import { BufferPool } from './buffer-pool.ts';
import { RateLimit } from '../throttle/rate-limit.ts';

/** How a disk is copied. */
export interface ConvertOptions extends WorkOptions {
  /** The target is new: it reads as zeroes, which needn't be written. */
  readonly targetIsZero?: boolean;
  /** The target's backing file has what the source's top image has not. */
  readonly targetHasBacking?: boolean;
  /** Shortest run of zeroes that isn't written, in bytes; 0: everything is written. Default 4096. */
  readonly sparseBytes?: number;
  /** Compresses clusters; the target must be able to. */
  readonly compressed?: boolean;
  /** Writes may happen in any order: faster, and the target's clusters may lie out of order. */
  readonly outOfOrder?: boolean;
  /** Operations under way. Default 3, or 8 when compressing. */
  readonly parallel?: number;
  /** Bytes a second. */
  readonly rate?: number;
  /** Reads that fail become zeroes; told of each. */
  readonly salvage?: (offset: number, length: number, error: unknown) => void;
  /** Goes on where an earlier copy stopped: what lies before is in the target already. */
  readonly from?: number;
  /** Told where a later copy may go on, each time that everything before it is durable; not with `outOfOrder`. */
  readonly onCheckpoint?: (offset: number) => Promise<void> | void;
}

const CHECKPOINT_BYTES = 256 * 1024 * 1024;
/** More large buffers than this only push each other out of the CPU's cache. */
const PARALLEL = 3;
/** Clusters being compressed. */
const PARALLEL_COMPRESSED = 8;
const SPARSE_BYTES = 4096;
const SECTOR_BYTES = 512;

interface Part {
  readonly node: BlockNode;
  /** Where it begins in the target. */
  readonly start: number;
}

interface Chunk {
  readonly kind: 'data' | 'zero' | 'keep';
  readonly offset: number;
  readonly length: number;
}

/**
 * Copies one disk, or several after each other, to another. Holes and zeroes stay so. Takes `parallel` buffers of 2
 * MiB (of one cluster when compressing).
 * @throws PolyvisorError `cancelled`, `unsupported` (compressing), `limit` (the target is too small), or what a node throws.
 */
export async function convertImage(
  sources: readonly BlockNode[],
  target: FormatNode,
  options: ConvertOptions = {},
): Promise<void> {
  const total = sources.reduce((sum, { size }) => sum + size, 0);
  if (total > target.size) {
    throw new PolyvisorError('limit', {
      what: 'target is too small',
      which: target.name,
      limit: `${target.size} bytes for ${total}`,
    });
  }
  await new Conversion(sources, target, total, options).run();
}

class Conversion {
  readonly #parts: readonly Part[];
  readonly #target: FormatNode;
  readonly #total: number;
  readonly #options: ConvertOptions;
  readonly #compression: CompressionCapability | undefined;
  readonly #pieceBytes: number;
  readonly #buffers: BufferPool;
  readonly #rate: RateLimit | undefined;
  readonly #io: IoOptions;
  /** Settles when all that was begun before was written. */
  #tail: Promise<void> = Promise.resolve();
  #failed = false;
  #done: number;
  #checkpoint: number;

  constructor(sources: readonly BlockNode[], target: FormatNode, total: number, options: ConvertOptions) {
    let start = 0;
    this.#parts = sources.map((node) => {
      const part = { node, start };
      start += node.size;
      return part;
    });
    this.#target = target;
    this.#total = total;
    this.#options = options;
    this.#done = this.#checkpoint = options.from ?? 0;
    if (options.compressed === true) {
      this.#compression = target.compression;
      if (this.#compression === undefined) {
        throw new PolyvisorError('unsupported', {
          what: 'compression not supported for this file format',
          which: target.driver,
        });
      }
    }
    // Clusters are compressed side by side, so that one is a piece.
    this.#pieceBytes = this.#compression?.clusterSize ?? PIECE_BYTES;
    this.#buffers = new BufferPool(this.#pieceBytes);
    if (options.rate !== undefined && options.rate > 0) this.#rate = new RateLimit(options.rate);
    this.#io = options.signal === undefined ? {} : { signal: options.signal };
  }

  async run(): Promise<void> {
    const { signal, progress } = this.#options;
    const { parallel = this.#compression === undefined ? PARALLEL : PARALLEL_COMPRESSED } = this.#options;
    progress?.(this.#done, this.#total);
    await forEachParallel(this.#chunks(), parallel, (chunk) => this.#copy(chunk), signal);
    await this.#fillTarget();
    progress?.(this.#total, this.#total);
  }

  /** What is to do, in order of offsets. */
  async *#chunks(): AsyncGenerator<Chunk> {
    for (let at = this.#done; at < this.#total;) {
      const inPiece = this.#pieceBytes - (at % this.#pieceBytes);
      const { kind, length } = await this.#status(at);
      let end = at + length;
      if (this.#compression !== undefined && end < this.#total) {
        // Clusters are compressed whole: one that is zero in part is data.
        if (kind === 'data' || length < inPiece)
          end = at + Math.min(Math.max(length, inPiece), this.#total - at);
        if (kind !== 'data' && length < inPiece) {
          yield { kind: 'data', offset: at, length: end - at };
          at = end;
          continue;
        }
        end -= end % this.#pieceBytes;
      }
      while (at < end) {
        const left = end - at;
        const size = kind === 'data' ? Math.min(left, this.#pieceBytes - (at % this.#pieceBytes)) : left;
        yield { kind, offset: at, length: size };
        at += size;
      }
    }
  }

  async #status(at: number): Promise<{ readonly kind: Chunk['kind']; readonly length: number }> {
    const { targetHasBacking = false, sparseBytes = SPARSE_BYTES } = this.#options;
    const { node, start } = this.#parts.findLast((part) => part.start <= at)!;
    const rest = start + node.size - at;
    if (!targetHasBacking) {
      const { length, zero } = await blockStatus(node, at - start, rest, this.#io);
      return { kind: zero && sparseBytes > 0 ? 'zero' : 'data', length };
    }
    const { length, zero, allocated } = await node.map(at - start, rest, this.#io);
    return { kind: !allocated ? 'keep' : zero ? 'zero' : 'data', length };
  }

  async #copy(chunk: Chunk): Promise<void> {
    const before = this.#tail;
    let settle = (): void => {};
    this.#tail = new Promise((resolve) => (settle = resolve));
    try {
      await this.#rate?.take(chunk.kind === 'data' ? chunk.length : 0, this.#options.signal);
      if (chunk.kind === 'data') await this.#copyData(chunk, before);
      else {
        if (this.#options.outOfOrder !== true) await before;
        if (chunk.kind === 'zero') await this.#writeZeroes(chunk.offset, chunk.length);
      }
      if (this.#options.outOfOrder !== true) await before;
      // What comes after a gap is no place to go on from.
      if (this.#failed) return;
      this.#done += chunk.length;
      this.#options.progress?.(this.#done, this.#total);
      if (this.#options.outOfOrder !== true) await this.#reachCheckpoint(chunk.offset + chunk.length);
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      settle();
    }
  }

  async #copyData({ offset, length }: Chunk, before: Promise<void>): Promise<void> {
    const buffer = this.#buffers.take();
    const bytes = buffer.subarray(0, length);
    try {
      await this.#read(offset, bytes);
      // Clusters are compressed by several threads; where they end up is the format's affair.
      const ordered =
        this.#compression === undefined
          ? this.#options.outOfOrder !== true
          : this.#compression.sequential === true;
      if (ordered) await before;
      if (this.#failed) return;
      checkCancelled(this.#options.signal);
      await this.#writeData(offset, bytes);
    } finally {
      this.#buffers.give(buffer);
    }
  }

  async #read(offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length;) {
      const { node, start } = this.#parts.findLast((part) => part.start <= offset + done)!;
      const at = offset + done - start;
      const part = target.subarray(done, done + Math.min(target.length - done, node.size - at));
      try {
        await readPadded(node, at, part, this.#io);
      } catch (error) {
        if (this.#options.salvage === undefined || this.#options.signal?.aborted === true) throw error;
        await this.#salvage(node, at, part);
      }
      done += part.length;
    }
  }

  /** Sector by sector, as far as they can be read. */
  async #salvage(node: BlockNode, offset: number, target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.length; at += SECTOR_BYTES) {
      const sector = target.subarray(at, at + SECTOR_BYTES);
      try {
        await readPadded(node, offset + at, sector, this.#io);
      } catch (error) {
        sector.fill(0);
        this.#options.salvage?.(offset + at, sector.length, error);
      }
    }
  }

  async #writeData(offset: number, bytes: Uint8Array): Promise<void> {
    const { sparseBytes = SPARSE_BYTES } = this.#options;
    if (this.#compression !== undefined) {
      if (sparseBytes > 0 && isZero(bytes)) return this.#writeZeroes(offset, bytes.length);
      return this.#compression.write(offset, bytes, this.#io);
    }
    if (sparseBytes === 0) return this.#target.write(offset, bytes, this.#io);
    for (let at = 0; at < bytes.length;) {
      // Granules lie at multiples in the disk.
      const first = sparseBytes - ((offset + at) % sparseBytes);
      const run =
        first === sparseBytes
          ? zeroRun(bytes, at, sparseBytes)
          : zeroRun(bytes.subarray(0, at + first), at, first);
      if (run.zero) await this.#writeZeroes(offset + at, run.length);
      else await this.#target.write(offset + at, bytes.subarray(at, at + run.length), this.#io);
      at += run.length;
    }
  }

  async #writeZeroes(offset: number, length: number): Promise<void> {
    const { targetIsZero = false, targetHasBacking = false } = this.#options;
    if (targetIsZero && !targetHasBacking) return;
    if (length > 0) await this.#target.writeZeroes(offset, length, { mayUnmap: true, ...this.#io });
  }

  /** What the target has beyond the source reads as zeroes. */
  async #fillTarget(): Promise<void> {
    const rest = this.#target.size - this.#total;
    if (rest > 0) await this.#writeZeroes(this.#total, rest);
  }

  async #reachCheckpoint(offset: number): Promise<void> {
    const { onCheckpoint } = this.#options;
    if (onCheckpoint === undefined || offset - this.#checkpoint < CHECKPOINT_BYTES) return;
    this.#checkpoint = offset;
    await this.#target.flush(this.#io);
    await onCheckpoint(offset);
  }
}
