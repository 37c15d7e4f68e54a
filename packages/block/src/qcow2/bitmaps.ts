import { PolyvisorError } from '@polyvisor/contracts';
import type { BitmapCapability, BitmapInfo } from '../graph/format-node.ts';
import {
  BITMAP_AUTO,
  BITMAP_EXTRA_COMPATIBLE,
  BITMAP_IN_USE,
  BITMAP_TYPE_DIRTY,
  readBitmapDirectory,
  readBitmapTable,
  serializeBitmapDirectory,
} from './bitmap-directory.ts';
import type { StoredBitmap } from './bitmap-directory.ts';
import { DirtyBits } from './dirty-bits.ts';
import { AUTOCLEAR_BITMAPS, MAX_BITMAP_BYTES, MAX_BITMAPS, set64, viewOf } from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';

interface Bitmap {
  readonly name: string;
  readonly granularity: number;
  recording: boolean;
  /** Undefined: not usable, kept as stored. */
  readonly bits: DirtyBits | undefined;
  stored: StoredBitmap | undefined;
}

type Exclusively = <T>(body: () => Promise<T>) => Promise<T>;

const MIN_GRANULARITY = 512;
const MAX_GRANULARITY = 2 ** 31;
const MAX_NAME_BYTES = 1023;

/**
 * Persistent dirty bitmaps: read when the image is opened, kept in memory, marked as in use in the file before the
 * first write, and stored when the image is closed.
 */
export class Qcow2Bitmaps {
  readonly #image: Qcow2Image;
  #bitmaps: Bitmap[] = [];
  #changed = false;

  constructor(image: Qcow2Image) {
    this.#image = image;
    image.beforeFirstWrite = () => this.#markInUse();
  }

  async load(): Promise<void> {
    const { file, header, clusterSize } = this.#image;
    // Somebody who knows nothing of bitmaps wrote to the image: they say nothing any more.
    if ((header.autoclear & AUTOCLEAR_BITMAPS) === 0) return;
    if (header.bitmaps === undefined) {
      throw new PolyvisorError('corrupt', { what: 'bitmaps extension is missing', which: file.name });
    }
    for (const stored of await readBitmapDirectory(file, header)) {
      const granularity = 2 ** stored.granularityBits;
      const unusable =
        (stored.flags & BITMAP_IN_USE) !== 0 ||
        stored.type !== BITMAP_TYPE_DIRTY ||
        (stored.extra.length > 0 && (stored.flags & BITMAP_EXTRA_COMPATIBLE) === 0);
      let bits: DirtyBits | undefined;
      if (!unusable) {
        bits = new DirtyBits(header.size, granularity);
        if (Math.ceil(bits.byteLength / clusterSize) !== stored.tableSize) {
          throw new PolyvisorError('corrupt', {
            what: "bitmap's size does not fit the disk",
            which: `${file.name}: ${stored.name}`,
          });
        }
        await this.#loadBits(bits, stored);
      }
      const recording = (stored.flags & BITMAP_AUTO) !== 0;
      this.#bitmaps.push({ name: stored.name, granularity, recording, bits, stored });
    }
    this.#track();
  }

  async #loadBits(bits: DirtyBits, stored: StoredBitmap): Promise<void> {
    const { file, clusterSize } = this.#image;
    const table = await readBitmapTable(file, stored, clusterSize);
    const buffer = new Uint8Array(clusterSize);
    const bitsPerCluster = clusterSize * 8;
    for (let i = 0; i < table.length; i++) {
      const entry = table[i]!;
      if (entry === 1) bits.setBits(i * bitsPerCluster, (i + 1) * bitsPerCluster);
      else if (entry !== 0) {
        await file.read(entry, buffer);
        bits.load(i * clusterSize, buffer);
      }
    }
  }

  /** Writes are noted from now on where a bitmap wants it. */
  #track(): void {
    const recording = this.#bitmaps.filter((each) => each.recording && each.bits !== undefined);
    this.#image.onChange =
      recording.length === 0
        ? undefined
        : (offset, length) => {
            for (const { bits } of recording) bits!.setRange(offset, length);
          };
  }

  async #markInUse(): Promise<void> {
    const { file, header } = this.#image;
    const usable = this.#bitmaps.filter(({ bits, stored }) => bits !== undefined && stored !== undefined);
    if (usable.length === 0 || header.bitmaps === undefined) return;
    for (const { stored } of usable) {
      const flags = new Uint8Array(4);
      viewOf(flags).setUint32(0, stored!.flags | BITMAP_IN_USE);
      await file.write(header.bitmaps.directoryOffset + stored!.flagsAt, flags);
    }
    await file.flush();
    this.#changed = true;
  }

  /** @throws PolyvisorError `unsupported`: bitmaps that can't be adjusted stand in the way of another size. */
  checkResizable(size?: number): void {
    if (size === this.#image.header.size) return;
    if (this.#bitmaps.some(({ bits }) => bits === undefined)) {
      throw new PolyvisorError('unsupported', {
        what: 'Cannot resize qcow2 images with inconsistent bitmaps',
        which: this.#image.name,
        hint: 'remove them first',
      });
    }
  }

  resize(size: number): void {
    for (const { bits } of this.#bitmaps) bits?.resize(size);
    if (this.#bitmaps.length > 0) this.#changed = true;
  }

  get count(): number {
    return this.#bitmaps.length;
  }

  /** Bytes of clusters that the bitmaps take when stored, at most. */
  get storedBytes(): number {
    const { clusterSize } = this.#image;
    return this.#bitmaps.reduce((sum, { bits }) => {
      const clusters = Math.ceil((bits?.byteLength ?? 0) / clusterSize);
      return sum + clusters * clusterSize + Math.ceil((clusters * 8) / clusterSize) * clusterSize;
    }, 0);
  }

  /** Writes all bitmaps; nothing else is under way. */
  async store(): Promise<void> {
    if (!this.#changed) return;
    const image = this.#image;
    const { header, allocator, file, clusterSize } = image;
    const old = await this.#storedClusters();
    const entries: Omit<StoredBitmap, 'flagsAt'>[] = [];
    for (const bitmap of this.#bitmaps) entries.push(await this.#storeBitmap(bitmap));
    if (entries.length > 0) {
      const { bytes, flagsAt } = serializeBitmapDirectory(entries);
      const clusters = Math.ceil(bytes.length / clusterSize);
      const run = await allocator.allocateAdjacent(clusters);
      const padded = new Uint8Array(clusters * clusterSize);
      padded.set(bytes);
      await file.write(run.offset, padded);
      header.bitmaps = { count: entries.length, directorySize: bytes.length, directoryOffset: run.offset };
      header.autoclear |= AUTOCLEAR_BITMAPS;
      this.#bitmaps.forEach((bitmap, i) => (bitmap.stored = { ...entries[i]!, flagsAt: flagsAt[i]! }));
    } else {
      header.bitmaps = undefined;
      header.autoclear &= ~AUTOCLEAR_BITMAPS;
    }
    await image.writer.sync();
    await image.writeHeader();
    for (const offset of old) allocator.free(offset, 1, 'other');
    this.#changed = false;
    image.forgetMetadata();
  }

  /** Clusters of what is stored now and will be replaced. */
  async #storedClusters(): Promise<number[]> {
    const { header, file, clusterSize } = this.#image;
    const clusters: number[] = [];
    const add = (offset: number, length: number): void => {
      for (let at = offset; at < offset + length; at += clusterSize) clusters.push(at);
    };
    if (header.bitmaps === undefined || (header.autoclear & AUTOCLEAR_BITMAPS) === 0) return clusters;
    add(header.bitmaps.directoryOffset, header.bitmaps.directorySize);
    const kept = new Set(this.#bitmaps.filter(({ bits }) => bits === undefined).map(({ name }) => name));
    for (const stored of await readBitmapDirectory(file, header)) {
      if (kept.has(stored.name)) continue;
      add(stored.tableOffset, stored.tableSize * 8);
      for (const offset of await readBitmapTable(file, stored, clusterSize))
        if (offset > 1) clusters.push(offset);
    }
    return clusters;
  }

  async #storeBitmap({
    name,
    granularity,
    recording,
    bits,
    stored,
  }: Bitmap): Promise<Omit<StoredBitmap, 'flagsAt'>> {
    if (bits === undefined) return stored!;
    const { allocator, file, data, clusterSize, writer } = this.#image;
    void data;
    const tableSize = Math.max(1, Math.ceil(bits.byteLength / clusterSize));
    const tableClusters = Math.ceil((tableSize * 8) / clusterSize);
    const table = new Uint8Array(tableClusters * clusterSize);
    const view = viewOf(table);
    for (let i = 0; i < tableSize; i++) {
      const buffer = new Uint8Array(clusterSize);
      const alike = bits.store(i * clusterSize, buffer);
      if (alike === 255) view.setUint32(i * 8 + 4, 1);
      else if (alike === undefined) {
        const run = await allocator.allocate(1);
        writer.dependOn(run.generation);
        await file.write(run.offset, buffer);
        set64(view, i * 8, run.offset);
      }
    }
    const place = await allocator.allocateAdjacent(tableClusters);
    await file.write(place.offset, table);
    return {
      tableOffset: place.offset,
      tableSize,
      flags: recording ? BITMAP_AUTO : 0,
      type: BITMAP_TYPE_DIRTY,
      granularityBits: Math.log2(granularity),
      extra: new Uint8Array(0),
      name,
    };
  }

  #find(name: string): Bitmap {
    const bitmap = this.#bitmaps.find((each) => each.name === name);
    if (bitmap === undefined) {
      throw new PolyvisorError('not-found', {
        what: `Dirty bitmap '${name}' not found`,
        which: this.#image.name,
      });
    }
    return bitmap;
  }

  #usable(name: string): Bitmap & { readonly bits: DirtyBits } {
    const bitmap = this.#find(name);
    if (bitmap.bits === undefined) {
      throw new PolyvisorError('corrupt', {
        what: `Bitmap '${name}' is inconsistent and cannot be used`,
        which: this.#image.name,
        hint: 'remove it',
      });
    }
    return bitmap as Bitmap & { readonly bits: DirtyBits };
  }

  #add(name: string, granularity: number | undefined, recording: boolean): void {
    const { header, clusterSize, name: image } = this.#image;
    const refuse = (what: string): never => {
      throw new PolyvisorError('invalid-argument', { what, which: image });
    };
    const size = granularity ?? Math.max(4096, clusterSize);
    if (header.version === 2) refuse('Cannot store dirty bitmaps in qcow2 v2 files');
    const length = new TextEncoder().encode(name).length;
    if (length === 0) refuse('Bitmap name cannot be empty');
    if (length > MAX_NAME_BYTES) refuse('Bitmap name too long');
    if (this.#bitmaps.some((each) => each.name === name)) {
      throw new PolyvisorError('already-exists', { what: `Bitmap already exists: ${name}`, which: image });
    }
    if (Math.log2(size) % 1 !== 0) refuse('Granularity must be power of 2');
    if (size < MIN_GRANULARITY || size > MAX_GRANULARITY) refuse('Granularity must be between 512 and 2 GiB');
    if (this.#bitmaps.length >= MAX_BITMAPS)
      refuse('Maximum number of persistent bitmaps is already reached');
    const bits = new DirtyBits(header.size, size);
    if (bits.byteLength > MAX_BITMAP_BYTES)
      refuse('Too much space will be occupied by the bitmap; use larger granularity');
    this.#bitmaps.push({ name, granularity: size, recording, bits, stored: undefined });
  }

  /** What users see. @param exclusively runs a change with nothing else under way. */
  capability(exclusively: Exclusively): BitmapCapability {
    const change = (body: () => void | Promise<void>): Promise<void> =>
      exclusively(async () => {
        await body();
        this.#changed = true;
        this.#track();
      });
    return {
      list: (): readonly BitmapInfo[] =>
        this.#bitmaps.map(({ name, granularity, recording, bits }) => ({
          name,
          granularity,
          recording,
          inconsistent: bits === undefined,
        })),
      add: (name, granularity, recording) => change(() => this.#add(name, granularity, recording)),
      remove: (name) =>
        change(() => {
          const bitmap = this.#find(name);
          this.#bitmaps = this.#bitmaps.filter((each) => each !== bitmap);
        }),
      clear: (name) => change(() => this.#usable(name).bits.clear()),
      setRecording: (name, recording) =>
        change(() => {
          this.#usable(name).recording = recording;
        }),
      dirty: (name, offset, length) => {
        const { bits, granularity } = this.#usable(name);
        const first = Math.floor(offset / granularity);
        const dirty = bits.isSet(first);
        const end = bits.next(first, Math.ceil((offset + length) / granularity), !dirty);
        return { length: Math.min(length, end * granularity - offset), dirty };
      },
      setDirty: (name, offset, length) => change(() => this.#usable(name).bits.setRange(offset, length)),
      merge: (name, from) =>
        change(() => {
          const { bits } = this.#usable(name);
          if (from.size !== this.#image.header.size) {
            throw new PolyvisorError('invalid-argument', {
              what: 'Bitmaps are of different sizes and cannot be merged',
              which: this.#image.name,
            });
          }
          for (let at = 0; at < from.size;) {
            const run = from.bitmaps.dirty(from.name, at, from.size - at);
            if (run.dirty) bits.setRange(at, run.length);
            at += run.length;
          }
        }),
    };
  }
}
