import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode, Extent, IoOptions, ZeroOptions } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import { PIECES_IN_FLIGHT, PIECE_BYTES, forEachParallel, piecesOf } from '../graph/parallel.ts';
import { RangeLock } from '../graph/range-lock.ts';
import type { BlockMap, Placement, SectorRange } from './block-map.ts';
import { corrupt } from './corrupt.ts';

/** Bytes that a range's blocks share a placement for. */
interface Run {
  readonly placement: Placement;
  readonly length: number;
  /** In the file, for `data` and present sectors. */
  readonly offset: number;
}

/** Where the blocks of a disk are kept. */
export interface SparseStorage {
  readonly name: string;
  /** Growable: reads beyond its end give zeroes, writes there make it longer. */
  readonly file: BlockNode;
  readonly map: BlockMap;
  readonly backing: BlockNode | undefined;
  /** The disk's byte 0 is this one of the backing node. */
  readonly backingOffset: number;
}

/**
 * Reads, writes, zeroes and discards by way of a {@link BlockMap}; ranges were checked before. New blocks: room
 * first, bytes next, the table last, with a barrier before the table wherever a power cut between could show bytes
 * that were never the disk's (the room was used before, or the block's other bytes come from a backing node).
 */
export class SparseBlocks {
  readonly #name: string;
  readonly #file: BlockNode;
  readonly #map: BlockMap;
  readonly #backingOffset: number;
  /** By block: shared for writes in place, exclusive where the table changes. */
  readonly #locks = new RangeLock();
  /** Replaceable while nothing is under way. */
  backing: BlockNode | undefined;

  constructor(storage: SparseStorage) {
    this.#name = storage.name;
    this.#file = storage.file;
    this.#map = storage.map;
    this.#backingOffset = storage.backingOffset;
    this.backing = storage.backing;
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    const first = await this.#run(offset, Math.min(target.length, PIECE_BYTES));
    if (first.length === target.length) return this.#readRun(offset, target, first, options);
    await forEachParallel(
      this.#runs(offset, target.length, first),
      PIECES_IN_FLIGHT,
      ({ at, run }) =>
        this.#readRun(at, target.subarray(at - offset, at - offset + run.length), run, options),
      options?.signal,
    );
  }

  async *#runs(offset: number, length: number, first: Run): AsyncGenerator<{ at: number; run: Run }> {
    const end = offset + length;
    for (let at = offset, run = first; ;) {
      yield { at, run };
      at += run.length;
      if (at >= end) return;
      run = await this.#run(at, Math.min(end - at, PIECE_BYTES));
    }
  }

  async #readRun(at: number, target: Uint8Array, run: Run, options: IoOptions | undefined): Promise<void> {
    switch (run.placement.kind) {
      case 'data':
      case 'sectors':
        // The file's end may cut the last block short: the rest is zeroes, as it would be in a hole.
        return this.#file.read(run.offset, target, options);
      case 'zero':
        target.fill(0);
        return;
      case 'absent':
        return this.#readBacking(at, target, options);
      case 'compressed': {
        const { blockSize } = this.#map;
        const bytes = await this.#map.readCompressed!(Math.floor(at / blockSize), options);
        const from = at % blockSize;
        target.fill(0);
        target.set(bytes.subarray(from, from + target.length));
      }
    }
  }

  async #readBacking(at: number, target: Uint8Array, options: IoOptions | undefined): Promise<void> {
    const backing = this.backing;
    const from = at + this.#backingOffset;
    const there = backing === undefined ? 0 : Math.max(0, Math.min(target.length, backing.size - from));
    target.fill(0, there);
    if (there > 0) await backing!.read(from, target.subarray(0, there), options);
  }

  /** What lies at `at`, as far as it is alike, `length` bytes at most. */
  async #run(at: number, length: number): Promise<Run> {
    const map = this.#map;
    const { blockSize } = map;
    let block = Math.floor(at / blockSize);
    const from = at % blockSize;
    const looked = map.lookup(block);
    const placement = looked instanceof Promise ? await looked : looked;
    let run = Math.min(length, blockSize - from);
    if (placement.kind === 'sectors') {
      const part = await map.sectors!(block, from, run);
      if (!part.present) return { placement: { kind: 'absent' }, length: part.length, offset: 0 };
      return { placement, length: part.length, offset: placement.offset + from };
    }
    const offset = placement.kind === 'data' ? placement.offset + from : 0;
    if (placement.kind === 'data' && placement.offset >= this.#file.size) {
      throw corrupt(this.#name, `block ${block} lies past the end of the file`, `${this.#file.size} bytes`);
    }
    while (run < length && placement.kind !== 'compressed') {
      const next = map.lookup(++block);
      const { kind, offset: nextOffset } = (next instanceof Promise ? await next : next) as Placement & {
        offset?: number;
      };
      if (kind !== placement.kind || (kind === 'data' && nextOffset !== offset + run)) break;
      run = Math.min(length, run + blockSize);
    }
    return { placement, length: run, offset };
  }

  /** What lies at `offset`, `length` bytes at most. */
  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    const { placement, length: run, offset: stored } = await this.#run(offset, length);
    switch (placement.kind) {
      case 'data':
      case 'sectors':
        return {
          length: run,
          allocated: true,
          zero: false,
          data: true,
          depth: 0,
          offset: stored,
          file: this.#file,
        };
      case 'compressed':
        return { length: run, allocated: true, zero: false, data: true, compressed: true, depth: 0 };
      case 'zero':
        return { length: run, allocated: true, zero: true, data: false, depth: 0 };
      case 'absent':
        return this.#mapBacking(offset, run, options);
    }
  }

  async #mapBacking(offset: number, length: number, options: IoOptions | undefined): Promise<Extent> {
    const backing = this.backing;
    const from = offset + this.#backingOffset;
    if (backing === undefined || from >= backing.size) {
      return { length, allocated: false, zero: true, data: false };
    }
    const below = await backing.map(from, Math.min(length, backing.size - from), options);
    return { ...below, allocated: false, depth: (below.depth ?? 0) + 1 };
  }

  async write(offset: number, source: Uint8Array, options: IoOptions | undefined): Promise<void> {
    await this.#pieces(offset, source.length, options, (at, length) =>
      this.#writePiece(at, source.subarray(at - offset, at - offset + length)),
    );
  }

  /** Small operations go at once, large ones in pieces that end where blocks do. */
  #pieces(
    offset: number,
    length: number,
    options: IoOptions | undefined,
    body: (at: number, length: number) => Promise<void>,
  ): Promise<void> {
    const granule = Math.max(PIECE_BYTES, this.#map.blockSize);
    if (Math.floor(offset / granule) === Math.floor((offset + length - 1) / granule))
      return body(offset, length);
    return forEachParallel(
      piecesOf(offset, length, granule),
      PIECES_IN_FLIGHT,
      (piece) => body(piece.offset, piece.length),
      options?.signal,
    );
  }

  async #writePiece(at: number, source: Uint8Array): Promise<void> {
    const { blockSize } = this.#map;
    for (let done = 0; done < source.length;) {
      const offset = at + done;
      const rest = source.subarray(done);
      const first = Math.floor(offset / blockSize);
      const last = Math.floor((offset + rest.length - 1) / blockSize);
      const inPlace = await this.#locked(first, last, true, () => this.#writeInPlace(offset, rest));
      done += inPlace;
      if (inPlace > 0) continue;
      done += await this.#locked(first, last, false, () => this.#writeNew(offset, rest));
    }
  }

  async #locked<T>(first: number, last: number, shared: boolean, body: () => Promise<T>): Promise<T> {
    const release =
      this.#locks.tryAcquire(first, last - first + 1, shared) ??
      (await this.#locks.acquire(first, last - first + 1, { shared }));
    try {
      return await body();
    } finally {
      release();
    }
  }

  /** @returns how many bytes had their place in the file already, and were written there. */
  async #writeInPlace(at: number, source: Uint8Array): Promise<number> {
    const { placement, length, offset } = await this.#run(at, source.length);
    if (placement.kind !== 'data' && placement.kind !== 'sectors') return 0;
    await this.#file.write(offset, source.subarray(0, length));
    return length;
  }

  /** Writes what {@link #writeInPlace} can't: into blocks without room or sectors not marked. @returns bytes done. */
  async #writeNew(at: number, source: Uint8Array): Promise<number> {
    const map = this.#map;
    const { blockSize } = map;
    const block = Math.floor(at / blockSize);
    const from = at % blockSize;
    const placement = await map.lookup(block);
    const length = Math.min(source.length, blockSize - from);
    if (placement.kind === 'data') return 0;
    if (placement.kind === 'sectors') {
      await this.#file.write(placement.offset + from, source.subarray(0, length));
      await this.#file.flush();
      await map.publishSectors!(block, { from, length });
      return length;
    }
    if (map.bySector && placement.kind === 'absent' && this.#hasBacking(block)) {
      return this.#writeNewSectors(block, { from, length }, source.subarray(0, length));
    }
    let count = 1;
    const most = Math.ceil((from + source.length) / blockSize);
    while (count < most && (await map.lookup(block + count)).kind === placement.kind) {
      count++;
    }
    return this.#writeNewBlocks(block, count, from, source, placement);
  }

  async #writeNewSectors(block: number, range: SectorRange, source: Uint8Array): Promise<number> {
    const space = await this.#map.allocate(block, 1);
    try {
      await this.#file.write(space.offset + range.from, source);
      await this.#file.flush();
    } catch (error) {
      this.#map.abandon(space.offset, 1);
      throw error;
    }
    await this.#map.publish(block, 1, space.offset, range);
    return range.length;
  }

  async #writeNewBlocks(
    block: number,
    wanted: number,
    from: number,
    source: Uint8Array,
    old: Placement,
  ): Promise<number> {
    const map = this.#map;
    const { blockSize } = map;
    const { offset, count, fresh } = await map.allocate(block, wanted);
    const length = Math.min(source.length, count * blockSize - from);
    const tail = from + length;
    const fill = old.kind === 'compressed' || (old.kind === 'absent' && this.#hasBacking(block));
    try {
      await this.#file.write(offset + from, source.subarray(0, length));
      if (fill || !fresh) {
        // What stands around the written part is what the disk had there.
        await this.#fill(block * blockSize, offset, from, fill ? old : undefined, fresh);
        const rest = count * blockSize - tail;
        await this.#fill(block * blockSize + tail, offset + tail, rest, fill ? old : undefined, fresh);
        await this.#file.flush();
      }
    } catch (error) {
      map.abandon(offset, count);
      throw error;
    }
    await map.publish(block, count, offset);
    return length;
  }

  /** Puts what the disk has at `at` into new room; undefined: zeroes. Fresh room has zeroes already. */
  async #fill(
    at: number,
    offset: number,
    length: number,
    old: Placement | undefined,
    fresh: boolean,
  ): Promise<void> {
    for (let done = 0; done < length;) {
      const rest = length - done;
      const zeroes =
        old === undefined
          ? rest
          : old.kind === 'absent'
            ? await this.#mapBacking(at + done, rest, undefined).then((extent) =>
                extent.zero ? extent.length : 0,
              )
            : 0;
      if (zeroes > 0) {
        if (!fresh) await this.#file.writeZeroes(offset + done, zeroes, { mayUnmap: true });
        done += zeroes;
        continue;
      }
      const bytes = new Uint8Array(Math.min(rest, PIECE_BYTES));
      const run = { placement: old!, length: bytes.length, offset: 0 };
      await this.#readRun(at + done, bytes, run, undefined);
      await this.#file.write(offset + done, bytes);
      done += bytes.length;
    }
  }

  /** Whether a backing node has anything at this block or after it. */
  #hasBacking(block: number): boolean {
    const backing = this.backing;
    return backing !== undefined && block * this.#map.blockSize + this.#backingOffset < backing.size;
  }

  async writeZeroes(offset: number, length: number, options: ZeroOptions, diskSize: number): Promise<void> {
    await this.#pieces(offset, length, options, async (at, size) => {
      for (const { offset: start, length: part } of piecesOf(at, size, this.#map.blockSize)) {
        checkCancelled(options.signal);
        await this.#zeroBlock(start, part, options, diskSize);
      }
    });
  }

  /** Zeroes in one block. */
  async #zeroBlock(at: number, length: number, options: ZeroOptions, diskSize: number): Promise<void> {
    const map = this.#map;
    const block = Math.floor(at / map.blockSize);
    const done = await this.#locked(block, block, false, async () => {
      const placement = await map.lookup(block);
      const backed = this.#hasBacking(block);
      if (placement.kind === 'zero' || (placement.kind === 'absent' && !backed)) return true;
      const whole = length === map.blockSize || (at % map.blockSize === 0 && at + length === diskSize);
      const stored = placement.kind === 'data';
      if (whole && (options.mayUnmap === true || !stored)) {
        const kind = this.#clearKind(block);
        if (kind !== undefined) {
          await map.clear(block, kind);
          return true;
        }
      }
      if (!stored) return false;
      const { fua: _, ...rest } = options;
      await this.#zeroStored(placement.offset + (at % map.blockSize), length, rest);
      return true;
    });
    if (done) return;
    if (options.onlyFast === true) {
      throw new PolyvisorError('unsupported', {
        what: 'zeroes are no faster than data here',
        which: this.#name,
      });
    }
    for (const piece of piecesOf(at, length))
      await this.#writePiece(piece.offset, new Uint8Array(piece.length));
  }

  async #zeroStored(offset: number, length: number, options: ZeroOptions): Promise<void> {
    const there = Math.min(length, this.#file.size - offset);
    if (there > 0) await this.#file.writeZeroes(offset, there, options);
  }

  /** How the table can say that a block is zeroes. */
  #clearKind(block: number): 'absent' | 'zero' | undefined {
    const { clears } = this.#map;
    if (clears.absent && !this.#hasBacking(block)) return 'absent';
    return clears.zero ? 'zero' : undefined;
  }

  async discard(
    offset: number,
    length: number,
    options: IoOptions | undefined,
    diskSize: number,
  ): Promise<void> {
    const { blockSize } = this.#map;
    for (const { offset: at, length: part } of piecesOf(offset, length, blockSize)) {
      checkCancelled(options?.signal);
      const block = Math.floor(at / blockSize);
      await this.#locked(block, block, false, () => this.#discardBlock(block, at, part, diskSize));
    }
  }

  async #discardBlock(block: number, at: number, length: number, diskSize: number): Promise<void> {
    const map = this.#map;
    const placement = await map.lookup(block);
    if (placement.kind === 'zero' || placement.kind === 'absent') return;
    const whole = length === map.blockSize || (at % map.blockSize === 0 && at + length === diskSize);
    const kind = this.#clearKind(block);
    if (whole && kind !== undefined) return map.clear(block, kind);
    if (placement.kind !== 'data') return;
    const offset = placement.offset + (at % map.blockSize);
    const there = Math.min(length, this.#file.size - offset);
    if (there > 0) await this.#file.discard(offset, there);
  }

  /** Runs `body` while nothing else changes: frees blocks past the new size, makes the table fit. */
  async resize(from: number, to: number): Promise<void> {
    const map = this.#map;
    await this.#locked(0, Number.MAX_SAFE_INTEGER - 1, false, async () => {
      const blocks = Math.ceil(from / map.blockSize);
      for (let block = Math.ceil(to / map.blockSize); block < blocks; block++) {
        if ((await map.lookup(block)).kind !== 'absent') await map.clear(block, 'absent');
      }
      // What the last block has past the disk's end must not show when the disk grows.
      await this.#zeroTail(Math.min(from, to));
      await map.resize!(to);
    });
  }

  async #zeroTail(end: number): Promise<void> {
    const { blockSize } = this.#map;
    const from = end % blockSize;
    if (from === 0) return;
    const placement = await this.#map.lookup(Math.floor(end / blockSize));
    if (placement.kind === 'data') await this.#zeroStored(placement.offset + from, blockSize - from, {});
  }

  /** How far, at most up to `size`, the backing node reaches. */
  backedUpTo(size: number): number {
    return Math.min(size, Math.max(0, (this.backing?.size ?? 0) - this.#backingOffset));
  }
}
