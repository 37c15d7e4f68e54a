import { PolyvisorError } from '@polyvisor/contracts';
import type { CompressionCodecs } from '../compression/compression-codecs.ts';
import type { BlockNode } from '../graph/block-node.ts';
import { isZero } from '../graph/is-zero.ts';
import { KeyedLock } from '../graph/keyed-lock.ts';
import { piecesOf } from '../graph/parallel.ts';
import { MARKER, encodeCompressedGrain, encodeMarker } from './compressed-grain.ts';
import { SECTOR_BYTES, directoryEntriesOf, encodeSparseHeader, hostedLayout } from './vmdk-header.ts';
import type { SparseHeader } from './vmdk-header.ts';

/**
 * Writes a stream-optimised extent: compressed grains in ascending order, each grain table after its grains, at the
 * end the directory, a footer that knows where it is, and the end-of-stream marker. The directory is in memory: 4
 * bytes for 32 MiB of disk. The image can be read again once this was closed.
 */
export class StreamWriter {
  readonly #file: BlockNode;
  readonly #header: SparseHeader;
  readonly #codecs: CompressionCodecs;
  readonly #directory: Uint32Array;
  readonly #table: Uint32Array;
  readonly #lock = new KeyedLock<string>();
  /** Which table {@link #table} is. */
  #tableIndex = 0;
  #tableUsed = false;
  #nextGrain = 0;
  #end: number;
  #begun = false;
  /** The grain that is being gathered. */
  #partial: { readonly start: number; readonly bytes: Uint8Array } | undefined;

  /** @param header of an empty extent whose directory stands at the end. */
  constructor(file: BlockNode, header: SparseHeader, codecs: CompressionCodecs) {
    this.#file = file;
    this.#header = header;
    this.#codecs = codecs;
    this.#directory = new Uint32Array(directoryEntriesOf(hostedLayout(header, 0)));
    this.#table = new Uint32Array(header.tableEntries);
    this.#end = header.overhead;
  }

  /**
   * Writes one grain, or the disk's last part; zeroes are left out.
   * @throws PolyvisorError `unsupported`: one that is before an earlier one.
   */
  async write(offset: number, source: Uint8Array): Promise<void> {
    const { grainSize, tableEntries, capacity } = this.#header;
    const grain = offset / grainSize;
    const whole = source.length === grainSize || offset + source.length === capacity;
    if (!Number.isInteger(grain) || !whole || source.length > grainSize) {
      throw new PolyvisorError('unsupported', {
        what: 'stream-optimised VMDK takes whole grains only',
        which: this.#file.name,
        limit: `${source.length} bytes at ${offset}, grains of ${grainSize}`,
      });
    }
    if (isZero(source)) return;
    let padded = source;
    if (source.length < grainSize) {
      padded = new Uint8Array(grainSize);
      padded.set(source);
    }
    // The order of calls is the order of grains; compressing goes on side by side.
    const compressed = this.#codecs.deflate(padded);
    compressed.catch(() => {}); // heard of below, perhaps later
    await this.#lock.run('stream', async () => {
      const data = await compressed;
      if (grain < this.#nextGrain) {
        throw new PolyvisorError('unsupported', {
          what: 'stream-optimised VMDK takes grains in ascending order, each once',
          which: this.#file.name,
          limit: `grain ${grain} after ${this.#nextGrain - 1}`,
        });
      }
      await this.#turnTo(Math.floor(grain / tableEntries));
      await this.#begin();
      this.#table[grain % tableEntries] = this.#end / SECTOR_BYTES;
      this.#tableUsed = true;
      await this.#append(encodeCompressedGrain(offset / SECTOR_BYTES, data));
      this.#nextGrain = grain + 1;
    });
  }

  /** Whether anything was written. */
  get begun(): boolean {
    return this.#begun || this.#partial !== undefined;
  }

  /** Whether nothing was written at this byte of the disk or after it. */
  isAhead(offset: number): boolean {
    const { grainSize } = this.#header;
    return offset >= Math.max(this.#nextGrain * grainSize, (this.#partial?.start ?? -grainSize) + grainSize);
  }

  /** The tables of the empty image make room. */
  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    await this.#file.resize?.(this.#end, { shrink: true });
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#file.write(this.#end, bytes);
    this.#end += bytes.length;
    if (this.#end / SECTOR_BYTES > 0xffffffff) {
      throw new PolyvisorError('limit', {
        what: 'VMDK extent file is full',
        which: this.#file.name,
        limit: '2 TiB',
      });
    }
  }

  async #turnTo(index: number): Promise<void> {
    if (index === this.#tableIndex) return;
    await this.#endTable();
    this.#tableIndex = index;
  }

  async #endTable(): Promise<void> {
    if (!this.#tableUsed) return;
    const bytes = tableBytes(this.#table);
    await this.#append(encodeMarker(MARKER.grainTable, bytes.length / SECTOR_BYTES));
    this.#directory[this.#tableIndex] = this.#end / SECTOR_BYTES;
    await this.#append(bytes);
    this.#table.fill(0);
    this.#tableUsed = false;
  }

  /**
   * Writes any range; those of one grain are gathered until one of a later grain comes.
   * @throws PolyvisorError `unsupported`: it lies in a grain before that.
   */
  async writeRange(offset: number, source: Uint8Array): Promise<void> {
    const { grainSize } = this.#header;
    await this.#lock.run('range', async () => {
      for (const piece of piecesOf(offset, source.length, grainSize)) {
        const bytes = source.subarray(piece.offset - offset, piece.offset - offset + piece.length);
        const start = piece.offset - (piece.offset % grainSize);
        if (this.#partial?.start !== start) {
          await this.#endPartial();
          this.#partial = {
            start,
            bytes: new Uint8Array(Math.min(grainSize, this.#header.capacity - start)),
          };
        }
        this.#partial!.bytes.set(bytes, piece.offset - start);
      }
    });
  }

  async #endPartial(): Promise<void> {
    const partial = this.#partial;
    this.#partial = undefined;
    if (partial !== undefined) await this.write(partial.start, partial.bytes);
  }

  /** Writes what belongs to the end. Nothing can be written afterwards. */
  async finish(): Promise<void> {
    await this.#lock.run('range', () => this.#endPartial());
    await this.#lock.run('stream', async () => {
      if (!this.#begun) return;
      await this.#endTable();
      for (const part of streamEnd(this.#header, this.#directory, this.#end)) await this.#append(part);
      await this.#file.flush();
    });
  }
}

function tableBytes(table: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((table.length * 4) / SECTOR_BYTES) * SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  table.forEach((entry, i) => view.setUint32(i * 4, entry, true));
  return bytes;
}

/** What ends a stream at `end`: the directory, the footer, the last marker. */
export function* streamEnd(header: SparseHeader, directory: Uint32Array, end: number): Generator<Uint8Array> {
  const bytes = tableBytes(directory);
  yield encodeMarker(MARKER.grainDirectory, bytes.length / SECTOR_BYTES);
  yield bytes;
  yield encodeMarker(MARKER.footer, 1);
  yield encodeSparseHeader({ ...header, directoryOffset: end + SECTOR_BYTES });
  yield encodeMarker(MARKER.endOfStream, 0);
}
