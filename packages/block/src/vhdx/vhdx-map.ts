import type { BlockNode, IoOptions } from '../graph/block-node.ts';
import type { BlockMap, Placement, SectorRange, Space } from '../sparse/block-map.ts';
import { ABSENT, ZERO } from '../sparse/block-map.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { FileSpace } from '../sparse/file-space.ts';
import { bitRun, setBits } from '../sparse/sector-bits.ts';
import { PAGE_BYTES, TablePages } from '../sparse/table-pages.ts';
import type { TableRegion } from '../sparse/table-pages.ts';
import { randomUuid } from '../sparse/uuid.ts';
import { resizeVhdx } from './resize-vhdx.ts';
import { STATE, batEntriesOf, chunkRatioOf, scanBat } from './scan-bat.ts';
import type { BatLayout } from './scan-bat.ts';
import { MIB } from './vhdx-header.ts';
import type { VhdxHeaders } from './vhdx-header.ts';
import { VhdxLog } from './vhdx-log.ts';
import type { ReadVhdxMetadata } from './vhdx-metadata.ts';
import type { VhdxRegions } from './vhdx-regions.ts';

/** What a {@link VhdxMap} stands on. */
export interface VhdxMapParts {
  readonly file: BlockNode;
  readonly readOnly: boolean;
  readonly headers: VhdxHeaders;
  readonly regions: VhdxRegions;
  readonly metadata: ReadVhdxMetadata;
}

/** The block allocation table of a VHDX, with the sector bitmaps of a differencing one; changes go through the log. */
export class VhdxMap implements BlockMap {
  readonly sectorSize: number;
  readonly blockSize: number;
  readonly bySector: boolean;
  readonly clears: { readonly absent: boolean; readonly zero: boolean };
  readonly #file: BlockNode;
  readonly #parts: VhdxMapParts;
  readonly #ratio: number;
  #regions: VhdxRegions;
  #layout: BatLayout;
  #log: VhdxLog | undefined;
  #pages: TablePages;
  #space: FileSpace | undefined;
  /** Sector bitmaps that are being given room, by chunk. */
  readonly #makingBitmaps = new Map<number, Promise<void>>();

  constructor(parts: VhdxMapParts) {
    const { file, metadata } = parts;
    this.#file = file;
    this.#parts = parts;
    this.#regions = parts.regions;
    this.sectorSize = metadata.logicalSector;
    this.blockSize = metadata.blockSize;
    this.bySector = metadata.hasParent;
    this.clears = { absent: true, zero: true };
    this.#layout = layoutOf(metadata, metadata.size);
    this.#ratio = chunkRatioOf(this.#layout);
    const entries = batEntriesOf(this.#layout);
    if (entries * 8 > parts.regions.bat.length) {
      throw corrupt(
        file.name,
        'VHDX block table is too short',
        `${parts.regions.bat.length} bytes, ${entries} entries`,
      );
    }
    this.#pages = new TablePages({
      load: (offset, target) => file.read(offset, target),
      store: () => Promise.reject(corrupt(file.name, 'VHDX log is not open')),
    });
  }

  get name(): string {
    return this.#file.name;
  }

  get layout(): BatLayout {
    return this.#layout;
  }

  get regions(): VhdxRegions {
    return this.#regions;
  }

  get #table(): TableRegion {
    return this.#regions.bat;
  }

  #entryOf(block: number): number {
    return block + Math.floor(block / this.#ratio);
  }

  lookup(block: number): Placement | Promise<Placement> {
    const at = this.#entryOf(block) * 8;
    const page = this.#pages.peek(this.#table, at);
    return page === undefined ? this.#lookupSlowly(block, at) : this.#placement(block, page, at % PAGE_BYTES);
  }

  async #lookupSlowly(block: number, at: number): Promise<Placement> {
    return this.#placement(block, await this.#pages.read(this.#table, at), at % PAGE_BYTES);
  }

  #placement(block: number, page: DataView, at: number): Placement {
    const low = page.getUint32(at, true);
    const state = low & 7;
    if (state === STATE.notPresent) return ABSENT;
    if (state <= STATE.unmapped) return ZERO;
    const offset = (page.getUint32(at + 4, true) * 4096 + (low >>> 20)) * MIB;
    const wrong = state < STATE.present || (state === STATE.partial && !this.bySector);
    if (wrong || offset < MIB || offset >= this.#file.size) {
      throw corrupt(this.#file.name, `VHDX block ${block} is misplaced`, `state ${state}, at ${offset}`);
    }
    return { kind: state === STATE.partial ? 'sectors' : 'data', offset };
  }

  async #readEntry(entry: number): Promise<{ readonly state: number; readonly offset: number }> {
    const page = await this.#pages.read(this.#table, entry * 8);
    const at = (entry * 8) % PAGE_BYTES;
    const low = page.getUint32(at, true);
    return { state: low & 7, offset: (page.getUint32(at + 4, true) * 4096 + (low >>> 20)) * MIB };
  }

  #setEntry(entry: number, state: number, offset: number): Promise<void> {
    const units = offset / MIB;
    return this.#pages.update(this.#table, entry * 8, (page) => {
      const at = (entry * 8) % PAGE_BYTES;
      page.setUint32(at, (((units % 4096) << 20) | state) >>> 0, true);
      page.setUint32(at + 4, Math.floor(units / 4096), true);
    });
  }

  #chunkOf(block: number): number {
    return Math.floor(block / this.#ratio);
  }

  #bitmapEntryOf(chunk: number): number {
    return (chunk + 1) * this.#ratio + chunk;
  }

  /** Where a block's sectors stand in its chunk's bitmap. */
  #bits(block: number, range: SectorRange): Parameters<typeof bitRun>[2] {
    const base = (block % this.#ratio) * (this.blockSize / this.sectorSize);
    return { ...range, sectorSize: this.sectorSize, order: 'lsb-first', base };
  }

  /** The chunk's bitmap; undefined: it has none. */
  async #bitmap(chunk: number): Promise<TableRegion | undefined> {
    const { state, offset } = await this.#readEntry(this.#bitmapEntryOf(chunk));
    if (state !== STATE.present) return undefined;
    if (offset >= MIB && offset + MIB <= this.#file.size) return { offset, length: MIB };
    throw corrupt(this.#file.name, `VHDX sector bitmap ${chunk} is misplaced`, `at ${offset}`);
  }

  async sectors(block: number, from: number, length: number): Promise<{ present: boolean; length: number }> {
    const bitmap = await this.#bitmap(this.#chunkOf(block));
    if (bitmap === undefined) return { present: false, length };
    return bitRun(this.#pages, bitmap, this.#bits(block, { from, length }));
  }

  /** The headers say in time that file and contents change; the log is opened. */
  async begin(): Promise<void> {
    const { headers } = this.#parts;
    await headers.update({ fileWriteGuid: randomUuid(), dataWriteGuid: randomUuid() });
    await this.#prepare();
  }

  /** @throws PolyvisorError `corrupt`: the table contradicts itself. */
  async #prepare(): Promise<void> {
    const file = this.#file;
    const { logOffset, logLength } = this.#parts.headers.current;
    if (logLength === 0) throw corrupt(file.name, 'VHDX image has no log');
    const regions = [...this.#regions.all, { offset: logOffset, length: logLength }];
    const { end, problem } = await scanBat(file, this.#table, this.#layout, regions);
    if (problem !== undefined) throw corrupt(file.name, problem);
    const log = new VhdxLog(file, this.#parts.headers);
    this.#log = log;
    this.#pages = new TablePages(log);
    this.#space = new FileSpace(file, { end, alignment: MIB });
  }

  async allocate(_block: number, count: number): Promise<Space> {
    return this.#space!.reserve(this.blockSize, this.bySector ? 1 : count);
  }

  abandon(offset: number, count: number): void {
    for (let i = 0; i < count; i++) this.#space!.unreserve(offset + i * this.blockSize, this.blockSize);
  }

  async publish(block: number, count: number, offset: number, range?: SectorRange): Promise<void> {
    if (range === undefined) {
      await Promise.all(
        Array.from({ length: count }, (_, i) =>
          this.#setEntry(this.#entryOf(block + i), STATE.present, offset + i * this.blockSize),
        ),
      );
      return;
    }
    const chunk = this.#chunkOf(block);
    await this.#makeBitmap(chunk);
    const bitmap = (await this.#bitmap(chunk))!;
    // Bits of a former life of this block must not show.
    await setBits(this.#pages, bitmap, this.#bits(block, { from: 0, length: this.blockSize }), false);
    await setBits(this.#pages, bitmap, this.#bits(block, range));
    await this.#setEntry(this.#entryOf(block), STATE.partial, offset);
  }

  async #makeBitmap(chunk: number): Promise<void> {
    if ((await this.#bitmap(chunk)) !== undefined) return;
    const making = this.#makingBitmaps.get(chunk) ?? this.#newBitmap(chunk);
    this.#makingBitmaps.set(chunk, making);
    await making.finally(() => this.#makingBitmaps.delete(chunk));
  }

  async #newBitmap(chunk: number): Promise<void> {
    const { offset, fresh } = await this.#space!.reserve(MIB);
    if (!fresh) {
      await this.#file.writeZeroes(offset, MIB);
      await this.#file.flush();
    }
    this.#pages.forget({ offset, length: MIB });
    await this.#setEntry(this.#bitmapEntryOf(chunk), STATE.present, offset);
  }

  async publishSectors(block: number, range: SectorRange): Promise<void> {
    const bitmap = await this.#bitmap(this.#chunkOf(block));
    if (bitmap === undefined) throw corrupt(this.#file.name, `VHDX sector bitmap of block ${block} vanished`);
    await setBits(this.#pages, bitmap, this.#bits(block, range));
  }

  async clear(block: number, kind: 'absent' | 'zero'): Promise<void> {
    const old = await this.lookup(block);
    await this.#setEntry(this.#entryOf(block), kind === 'zero' ? STATE.zero : STATE.notPresent, 0);
    if (old.kind === 'data' || old.kind === 'sectors') await this.#space!.free(old.offset, this.blockSize);
  }

  async flush(options?: IoOptions): Promise<void> {
    const log = this.#log;
    if (log === undefined) return this.#file.flush(options);
    await this.#space!.flush(() => log.flush());
  }

  async resize(size: number): Promise<void> {
    await this.close();
    const { file, metadata } = this.#parts;
    const layout = layoutOf(metadata, size);
    this.#regions = await resizeVhdx(file, this.#regions, metadata, {
      size,
      tableBytes: batEntriesOf(layout) * 8,
      oldTableBytes: batEntriesOf(this.#layout) * 8,
    });
    this.#layout = layout;
    await this.#prepare();
  }

  /** Writes the metadata region anew, as one entry of the log; durable when it resolves. */
  async writeMetadata(bytes: Uint8Array): Promise<void> {
    const { region } = this.#parts.metadata;
    if (bytes.length > region.length) throw corrupt(this.name, 'VHDX metadata region is too short');
    if (this.#log === undefined) await this.begin();
    const log = this.#log!;
    const pages = Array.from({ length: bytes.length / PAGE_BYTES }, (_, i) =>
      log.store(region.offset + i * PAGE_BYTES, bytes.slice(i * PAGE_BYTES, (i + 1) * PAGE_BYTES)),
    );
    await Promise.all(pages);
    await this.flush();
  }

  /** The file was changed by somebody else. Nothing may be under way. */
  async reload(): Promise<void> {
    if (this.#space !== undefined) await this.#prepare();
  }

  async close(): Promise<void> {
    // The log names the file's length: it is emptied before the file is cut.
    await this.#log?.close();
    await this.#space?.close();
  }
}

function layoutOf(metadata: ReadVhdxMetadata, size: number): BatLayout {
  const { blockSize, logicalSector, hasParent } = metadata;
  return { blockSize, logicalSector, hasParent, blocks: Math.ceil(size / blockSize) };
}
