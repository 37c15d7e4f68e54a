import type { CompressionCodecs } from '../compression/compression-codecs.ts';
import type { BlockNode, IoOptions } from '../graph/block-node.ts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockMap, Placement, Space } from '../sparse/block-map.ts';
import { ABSENT, COMPRESSED, ZERO } from '../sparse/block-map.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { FileSpace } from '../sparse/file-space.ts';
import { PAGE_BYTES, TablePages } from '../sparse/table-pages.ts';
import type { TableRegion } from '../sparse/table-pages.ts';
import { readCompressedGrain } from './compressed-grain.ts';
import { SECTOR_BYTES, directoryEntriesOf } from './vmdk-header.ts';
import type { GrainLayout } from './vmdk-header.ts';

/** Table entry of a grain of zeroes, where the header allows it. */
const ZEROED = 1;
/** Decompressed grains that are kept: neighbours are read next. */
const KEPT_GRAINS = 4;

/** Directory and tables of a sparse extent: grains by sector in the file. */
export class GrainMap implements BlockMap {
  readonly sectorSize = SECTOR_BYTES;
  readonly blockSize: number;
  readonly bySector = false;
  readonly clears: { readonly absent: boolean; readonly zero: boolean };
  readonly layout: GrainLayout;
  readonly #file: BlockNode;
  readonly #codecs: CompressionCodecs;
  readonly #pages: TablePages;
  readonly #directory: TableRegion;
  readonly #redundant: TableRegion | undefined;
  readonly #tableBytes: number;
  readonly #kept = new Map<number, Promise<Uint8Array>>();
  readonly #makingTables = new Map<number, Promise<void>>();
  #space: FileSpace | undefined;

  constructor(file: BlockNode, layout: GrainLayout, codecs: CompressionCodecs) {
    this.#file = file;
    this.#codecs = codecs;
    this.layout = layout;
    this.blockSize = layout.grainSize;
    this.clears = { absent: true, zero: layout.zeroedGrains };
    const length = directoryEntriesOf(layout) * (layout.kind === 'sesparse' ? 8 : 4);
    this.#directory = { offset: layout.directoryOffset, length };
    this.#redundant = layout.redundantOffset === 0 ? undefined : { offset: layout.redundantOffset, length };
    this.#tableBytes = layout.tableEntries * (layout.kind === 'sesparse' ? 8 : 4);
    this.#pages = new TablePages({
      load: (offset, target) => file.read(offset, target),
      store: (offset, page) => file.write(offset, page),
    });
  }

  lookup(grain: number): Placement | Promise<Placement> {
    if (this.layout.kind === 'sesparse') return this.#lookupSeSparse(grain);
    const { tableEntries } = this.layout;
    const index = Math.floor(grain / tableEntries);
    const directory = this.#pages.peek(this.#directory, index * 4);
    if (directory === undefined) return this.#lookupSlowly(grain);
    const table = directory.getUint32((index * 4) % PAGE_BYTES, true);
    if (table === 0) return ABSENT;
    const at = (grain % tableEntries) * 4;
    const page = this.#pages.peek(this.#table(table), at);
    return page === undefined
      ? this.#lookupSlowly(grain)
      : this.#placement(page.getUint32(at % PAGE_BYTES, true));
  }

  async #lookupSlowly(grain: number): Promise<Placement> {
    const table = await this.#tableOf(this.#directory, Math.floor(grain / this.layout.tableEntries));
    if (table === undefined) return ABSENT;
    return this.#placement(await this.#entry(table, grain % this.layout.tableEntries));
  }

  #table(sector: number): TableRegion {
    return { offset: sector * SECTOR_BYTES, length: this.#tableBytes };
  }

  /** The table that an entry of a directory names; undefined: none. @throws PolyvisorError `corrupt` */
  async #tableOf(directory: TableRegion, index: number): Promise<TableRegion | undefined> {
    const sector = await this.#entry(directory, index);
    if (sector === 0) return undefined;
    const table = this.#table(sector);
    if (table.offset + table.length <= this.#file.size) return table;
    throw corrupt(
      this.#file.name,
      `VMDK grain table ${index} lies past the end of the file`,
      `at ${table.offset}`,
    );
  }

  async #entry(region: TableRegion, index: number): Promise<number> {
    const page = await this.#pages.read(region, index * 4);
    return page.getUint32((index * 4) % PAGE_BYTES, true);
  }

  #placement(entry: number): Placement {
    if (entry === 0) return ABSENT;
    if (entry === ZEROED && this.layout.zeroedGrains) return ZERO;
    return this.layout.compressed ? COMPRESSED : { kind: 'data', offset: entry * SECTOR_BYTES };
  }

  /** Directory entries carry 1 in the top half and a table's number below; table entries their kind in 4 bits. */
  async #lookupSeSparse(grain: number): Promise<Placement> {
    const { tableEntries, tablesOffset, grainsOffset, grainSize } = this.layout;
    const u64 = async (region: TableRegion, index: number): Promise<{ high: number; low: number }> => {
      const page = await this.#pages.read(region, index * 8);
      const at = (index * 8) % PAGE_BYTES;
      return { low: page.getUint32(at, true), high: page.getUint32(at + 4, true) };
    };
    const directory = await u64(this.#directory, Math.floor(grain / tableEntries));
    if (directory.high === 0 && directory.low === 0) return ABSENT;
    const offset = tablesOffset + directory.low * this.#tableBytes;
    if (directory.high !== 0x10000000 || offset + this.#tableBytes > this.#file.size) {
      throw corrupt(
        this.#file.name,
        'seSparse grain directory',
        `entry ${directory.high.toString(16)}:${directory.low}`,
      );
    }
    const { high, low } = await u64({ offset, length: this.#tableBytes }, grain % tableEntries);
    const kind = high >>> 28;
    if (kind === 0 && high === 0 && low === 0) return ABSENT;
    if (kind === 1 || kind === 2) return ZERO;
    if (kind !== 3)
      throw corrupt(this.#file.name, 'seSparse grain table', `entry ${high.toString(16)}:${low}`);
    // Bits 48 to 59 are the low bits of the grain's number, bits 0 to 47 the others.
    const number = ((high >>> 16) & 0xfff) + ((high & 0xffff) * 2 ** 32 + low) * 4096;
    return { kind: 'data', offset: grainsOffset + number * grainSize };
  }

  readCompressed(grain: number, options?: IoOptions): Promise<Uint8Array> {
    const kept = this.#kept.get(grain);
    if (kept !== undefined) return kept;
    const reading = this.#readCompressed(grain, options);
    this.#kept.set(grain, reading);
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_GRAINS) break;
      this.#kept.delete(old);
    }
    reading.catch(() => this.#kept.delete(grain));
    return reading;
  }

  async #readCompressed(grain: number, options: IoOptions | undefined): Promise<Uint8Array> {
    const { tableEntries } = this.layout;
    const table = await this.#tableOf(this.#directory, Math.floor(grain / tableEntries));
    const entry = table === undefined ? 0 : await this.#entry(table, grain % tableEntries);
    return readCompressedGrain(
      this.#file,
      this.layout,
      { grain, offset: entry * SECTOR_BYTES },
      this.#codecs,
      options,
    );
  }

  async begin(): Promise<void> {
    if (this.layout.kind !== 'hosted' || this.layout.compressed) {
      throw new PolyvisorError('unsupported', {
        what: 'writing into VMDK extents of this kind',
        which: this.#file.name,
        limit: this.layout.compressed ? 'compressed' : this.layout.kind,
        hint: 'convert the image',
      });
    }
    this.#space ??= new FileSpace(this.#file, { end: this.#file.size, alignment: this.blockSize });
  }

  async allocate(grain: number, count: number): Promise<Space> {
    await this.#makeTable(Math.floor(grain / this.layout.tableEntries));
    // Those that follow go together as far as one table reaches.
    const most = this.layout.tableEntries - (grain % this.layout.tableEntries);
    const space = await this.#space!.reserve(this.blockSize, Math.min(count, most));
    if ((space.offset + space.count * this.blockSize) / SECTOR_BYTES <= 0xffffffff) return space;
    throw new PolyvisorError('limit', {
      what: 'VMDK extent file is full',
      which: this.#file.name,
      limit: '2 TiB',
    });
  }

  /** A directory may have no table yet. */
  async #makeTable(index: number): Promise<void> {
    if ((await this.#tableOf(this.#directory, index)) !== undefined) return;
    const making = this.#makingTables.get(index) ?? this.#newTable(index);
    this.#makingTables.set(index, making);
    await making.finally(() => this.#makingTables.delete(index));
  }

  async #newTable(index: number): Promise<void> {
    for (const directory of this.#redundant === undefined
      ? [this.#directory]
      : [this.#redundant, this.#directory]) {
      const { offset, fresh } = await this.#space!.reserve(this.#tableBytes);
      if (!fresh) {
        await this.#file.writeZeroes(offset, this.#tableBytes);
        await this.#file.flush();
      }
      this.#pages.forget({ offset, length: this.#tableBytes });
      await this.#setEntry(directory, index, offset / SECTOR_BYTES);
    }
  }

  #setEntry(region: TableRegion, index: number, value: number): Promise<void> {
    return this.#pages.update(region, index * 4, (page) =>
      page.setUint32((index * 4) % PAGE_BYTES, value, true),
    );
  }

  abandon(offset: number, count: number): void {
    for (let i = 0; i < count; i++) this.#space!.unreserve(offset + i * this.blockSize, this.blockSize);
  }

  async publish(grain: number, count: number, offset: number): Promise<void> {
    await this.#setGrains(grain, count, (i) => (offset + i * this.blockSize) / SECTOR_BYTES);
  }

  /** Both copies of the table say so when it resolves; the redundant one first. */
  async #setGrains(grain: number, count: number, valueOf: (i: number) => number): Promise<void> {
    const { tableEntries } = this.layout;
    const index = Math.floor(grain / tableEntries);
    const tables = [await this.#redundantTable(index), await this.#tableOf(this.#directory, index)];
    for (const table of tables) {
      if (table === undefined) continue;
      await Promise.all(
        Array.from({ length: count }, (_, i) =>
          this.#setEntry(table, (grain % tableEntries) + i, valueOf(i)),
        ),
      );
    }
  }

  async #redundantTable(index: number): Promise<TableRegion | undefined> {
    return this.#redundant === undefined ? undefined : this.#tableOf(this.#redundant, index);
  }

  async clear(grain: number, kind: 'absent' | 'zero'): Promise<void> {
    const old = await this.lookup(grain);
    await this.#makeTable(Math.floor(grain / this.layout.tableEntries));
    await this.#setGrains(grain, 1, () => (kind === 'zero' ? ZEROED : 0));
    if (old.kind === 'data') await this.#space!.free(old.offset, this.blockSize);
  }

  async flush(options?: IoOptions): Promise<void> {
    if (this.#space === undefined) return this.#file.flush(options);
    await this.#space.flush();
  }

  async close(): Promise<void> {
    await this.#space?.close();
  }
}
