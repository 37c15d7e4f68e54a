import type { BlockNode, IoOptions } from '../graph/block-node.ts';
import type { BlockMap, Placement, SectorRange, Space } from '../sparse/block-map.ts';
import { ABSENT } from '../sparse/block-map.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { FileSpace } from '../sparse/file-space.ts';
import { bitRun, setBits } from '../sparse/sector-bits.ts';
import { PAGE_BYTES, TablePages } from '../sparse/table-pages.ts';
import type { TableRegion } from '../sparse/table-pages.ts';
import { bitmapBytesOf, scanVhdTable } from './scan-vhd-table.ts';
import type { FileRange } from './scan-vhd-table.ts';
import { SECTOR_BYTES, VHD_FREE } from './vhd-header.ts';
import type { VhdDynamic } from './vhd-header.ts';

/** What a {@link VhdMap} stands on. */
export interface VhdMapParts {
  readonly file: BlockNode;
  readonly header: VhdDynamic;
  /** The footer's bytes: they stand at the file's end, too. */
  readonly footer: Uint8Array;
  readonly differencing: boolean;
  /** Where headers, table and parent's names stand. */
  readonly metadata: readonly FileRange[];
}

/** The block table of a dynamic or differencing VHD: sectors where blocks begin, each with its sector bitmap first. */
export class VhdMap implements BlockMap {
  readonly sectorSize = SECTOR_BYTES;
  readonly blockSize: number;
  readonly bySector: boolean;
  readonly clears = { absent: true, zero: false };
  readonly #file: BlockNode;
  readonly #parts: VhdMapParts;
  readonly #table: TableRegion;
  readonly #bitmapBytes: number;
  readonly #stride: number;
  readonly #pages: TablePages;
  #footer: Uint8Array;
  #space: FileSpace | undefined;

  constructor(parts: VhdMapParts) {
    const { file, header } = parts;
    this.#file = file;
    this.#parts = parts;
    this.#footer = parts.footer;
    this.blockSize = header.blockSize;
    this.bySector = parts.differencing;
    this.#table = { offset: header.tableOffset, length: header.entries * 4 };
    this.#bitmapBytes = bitmapBytesOf(header.blockSize);
    this.#stride = this.#bitmapBytes + header.blockSize;
    this.#pages = new TablePages({
      load: (offset, target) => file.read(offset, target),
      store: (offset, page) => file.write(offset, page),
    });
  }

  lookup(block: number): Placement | Promise<Placement> {
    const page = this.#pages.peek(this.#table, block * 4);
    if (page === undefined) return this.#lookupSlowly(block);
    return this.#placement(page.getUint32((block * 4) % PAGE_BYTES));
  }

  async #lookupSlowly(block: number): Promise<Placement> {
    const page = await this.#pages.read(this.#table, block * 4);
    return this.#placement(page.getUint32((block * 4) % PAGE_BYTES));
  }

  #placement(entry: number): Placement {
    if (entry === VHD_FREE) return ABSENT;
    const offset = entry * SECTOR_BYTES + this.#bitmapBytes;
    if (!this.bySector) return { kind: 'data', offset };
    if (offset < this.#file.size) return { kind: 'sectors', offset };
    throw corrupt(this.#file.name, 'VHD block lies past the end of the file', `at ${offset}`);
  }

  async #bitmap(block: number): Promise<TableRegion> {
    const placement = await this.lookup(block);
    if (placement.kind !== 'sectors') throw corrupt(this.#file.name, `VHD block ${block} vanished`);
    return { offset: placement.offset - this.#bitmapBytes, length: this.#bitmapBytes };
  }

  async sectors(block: number, from: number, length: number): Promise<{ present: boolean; length: number }> {
    const bitmap = await this.#bitmap(block);
    return bitRun(this.#pages, bitmap, { from, length, sectorSize: SECTOR_BYTES, order: 'msb-first' });
  }

  async begin(): Promise<void> {
    await this.#prepare();
  }

  /** @throws PolyvisorError `corrupt`: blocks on each other or on metadata. */
  async #prepare(): Promise<void> {
    const { file, header, metadata } = this.#parts;
    const { end, problem } = await scanVhdTable(file, header, metadata);
    if (problem !== undefined) throw corrupt(file.name, problem);
    this.#space = new FileSpace(file, { end, trailer: () => this.#footer });
  }

  async allocate(): Promise<Space> {
    const { offset, fresh } = await this.#space!.reserve(this.#stride);
    const bitmap = { offset, length: this.#bitmapBytes };
    this.#pages.forget(bitmap);
    // Sectors of a reused room are absent until they are marked, whatever was there before.
    if (this.bySector && !fresh) await this.#file.write(offset, new Uint8Array(this.#bitmapBytes));
    return { offset: offset + this.#bitmapBytes, count: 1, fresh };
  }

  abandon(offset: number): void {
    this.#space!.unreserve(offset - this.#bitmapBytes, this.#stride);
  }

  async publish(block: number, _count: number, offset: number, range?: SectorRange): Promise<void> {
    const start = offset - this.#bitmapBytes;
    if (range === undefined) await this.#file.write(start, new Uint8Array(this.#bitmapBytes).fill(0xff));
    else await this.#mark({ offset: start, length: this.#bitmapBytes }, range);
    await this.#setEntry(block, start / SECTOR_BYTES);
  }

  #mark(bitmap: TableRegion, { from, length }: SectorRange): Promise<void> {
    return setBits(this.#pages, bitmap, { from, length, sectorSize: SECTOR_BYTES, order: 'msb-first' });
  }

  async publishSectors(block: number, range: SectorRange): Promise<void> {
    await this.#mark(await this.#bitmap(block), range);
  }

  #setEntry(block: number, entry: number): Promise<void> {
    return this.#pages.update(this.#table, block * 4, (page) =>
      page.setUint32((block * 4) % PAGE_BYTES, entry),
    );
  }

  async clear(block: number): Promise<void> {
    const old = await this.lookup(block);
    await this.#setEntry(block, VHD_FREE);
    if (old.kind !== 'data' && old.kind !== 'sectors') return;
    await this.#space!.free(old.offset - this.#bitmapBytes, this.#stride);
  }

  async flush(options?: IoOptions): Promise<void> {
    if (this.#space === undefined) return this.#file.flush(options);
    await this.#space.flush();
  }

  /**
   * Writes something new (a header, a parent's name) into room of its own, durably.
   * @returns where it is.
   */
  async append(bytes: Uint8Array): Promise<number> {
    if (this.#space === undefined) await this.#prepare();
    const { offset } = await this.#space!.reserve(bytes.length);
    await this.#file.write(offset, bytes);
    await this.#file.flush();
    return offset;
  }

  /** Changes both copies of the footer, the first one first, durably. */
  async setFooter(footer: Uint8Array): Promise<void> {
    this.#footer = footer;
    await this.#file.write(0, footer);
    await this.#file.flush();
    await this.#file.write(this.#file.size - footer.length, footer);
    await this.#file.flush();
  }

  /** Cuts the file after `end`, and writes both copies of the footer anew, durably. */
  async writeFooters(end: number): Promise<void> {
    await this.#file.write(0, this.#footer);
    await this.#file.flush();
    await this.#file.write(end, this.#footer);
    await this.#file.resize?.(end + this.#footer.length, { shrink: true });
    await this.#file.flush();
  }

  /** The image was changed by somebody else. */
  async reload(): Promise<void> {
    this.#pages.forget(this.#table);
    if (this.#space !== undefined) await this.#prepare();
  }

  async close(): Promise<void> {
    await this.#space?.close();
  }
}
