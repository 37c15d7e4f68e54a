import type { BlockNode, IoOptions } from '../graph/block-node.ts';
import type { BlockMap, Placement, Space } from '../sparse/block-map.ts';
import { ABSENT, ZERO } from '../sparse/block-map.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { FileSpace } from '../sparse/file-space.ts';
import { PAGE_BYTES, TablePages } from '../sparse/table-pages.ts';
import type { TableRegion } from '../sparse/table-pages.ts';
import { randomUuid } from '../sparse/uuid.ts';
import { HEADER_BYTES, VDI_FREE, VDI_ZERO, encodeVdiHeader } from './vdi-header.ts';
import type { VdiHeader } from './vdi-header.ts';
import { compactVdi } from './compact-vdi.ts';
import { resizeVdi } from './resize-vdi.ts';
import { scanVdiTable } from './scan-vdi-table.ts';

/** Blocks that closing moves at most, so that numbers in use have no gaps. */
const MOVED_AT_CLOSE = 64;

/** The block table of a VDI image: numbers of the blocks in the data area, which follow each other without gaps. */
export class VdiMap implements BlockMap {
  readonly sectorSize = 512;
  readonly bySector = false;
  readonly clears = { absent: true, zero: true };
  readonly #file: BlockNode;
  readonly #name: string;
  readonly #pages: TablePages;
  #header: VdiHeader;
  #headerWrite: Promise<void> = Promise.resolve();
  /** Read from the table before the first change. */
  #space: FileSpace | undefined;
  #gaps = false;

  constructor(file: BlockNode, header: VdiHeader) {
    this.#file = file;
    this.#name = file.name;
    this.#header = header;
    this.#pages = new TablePages({
      load: (offset, target) => file.read(offset, target),
      store: (offset, page) => file.write(offset, page),
    });
  }

  get header(): VdiHeader {
    return this.#header;
  }

  get blockSize(): number {
    return this.#header.blockSize;
  }

  get #region(): TableRegion {
    return { offset: this.#header.tableOffset, length: this.#header.blocks * 4 };
  }

  /** Bytes from one block to the next. */
  get #stride(): number {
    return this.#header.blockSize + this.#header.blockExtra;
  }

  #indexAt(offset: number): number {
    return Math.floor((offset - this.#header.dataOffset) / this.#stride);
  }

  lookup(block: number): Placement | Promise<Placement> {
    const page = this.#pages.peek(this.#region, block * 4);
    if (page === undefined) return this.#lookupSlowly(block);
    return this.#placement(page.getUint32((block * 4) % PAGE_BYTES, true));
  }

  async #lookupSlowly(block: number): Promise<Placement> {
    const page = await this.#pages.read(this.#region, block * 4);
    return this.#placement(page.getUint32((block * 4) % PAGE_BYTES, true));
  }

  #placement(entry: number): Placement {
    if (entry === VDI_FREE) return ABSENT;
    if (entry === VDI_ZERO) return ZERO;
    const { dataOffset, blockExtra } = this.#header;
    return { kind: 'data', offset: dataOffset + entry * this.#stride + blockExtra };
  }

  /** The header says in time that the contents changed; the table is looked through for room. */
  async begin(): Promise<void> {
    await this.#prepare();
    await this.changeHeader({ modification: randomUuid() });
  }

  /** @throws PolyvisorError `corrupt`: two blocks share a place. */
  async #prepare(): Promise<FileSpace> {
    if (this.#space !== undefined) return this.#space;
    const header = this.#header;
    const table = await scanVdiTable(this.#file, header);
    if (table.problem !== undefined) throw corrupt(this.#name, table.problem);
    const stride = this.#stride;
    const space = new FileSpace(this.#file, {
      end: header.dataOffset + table.end * stride,
      // Whoever takes numbers from the header's count on must not meet one in use.
      grow: (end) => this.changeHeader({ allocated: Math.min(this.#header.blocks, this.#indexAt(end)) }),
    });
    for (const index of table.gaps()) space.seed(header.dataOffset + index * stride, stride);
    this.#gaps = table.gapCount > 0;
    this.#space = space;
    return space;
  }

  async allocate(): Promise<Space> {
    const space = this.#space!;
    const stride = this.#stride;
    // Numbers stay below the number of blocks: what was freed and isn't durably so yet must be used again.
    if (space.available(stride) === 0 && this.#indexAt(space.end) >= this.#header.blocks) await space.flush();
    const { offset, fresh } = await space.reserve(stride);
    if (this.#indexAt(offset) >= this.#header.blocks)
      throw corrupt(this.#name, 'VDI image has no block numbers left');
    return { offset: offset + this.#header.blockExtra, count: 1, fresh };
  }

  abandon(offset: number): void {
    this.#space!.unreserve(offset - this.#header.blockExtra, this.#stride);
    this.#gaps = true;
  }

  async publish(block: number, _count: number, offset: number): Promise<void> {
    await this.#setEntry(block, this.#indexAt(offset - this.#header.blockExtra));
  }

  #setEntry(block: number, entry: number): Promise<void> {
    return this.#pages.update(this.#region, block * 4, (page) =>
      page.setUint32((block * 4) % PAGE_BYTES, entry, true),
    );
  }

  async clear(block: number, kind: 'absent' | 'zero'): Promise<void> {
    const old = await this.lookup(block);
    await this.#setEntry(block, kind === 'zero' ? VDI_ZERO : VDI_FREE);
    if (old.kind !== 'data') return;
    this.#gaps = true;
    await this.#space!.free(old.offset - this.#header.blockExtra, this.#stride);
  }

  /** Writes changed fields of the header, one change after the other. Not durable by itself. */
  changeHeader(change: Partial<VdiHeader>): Promise<void> {
    const next = this.#headerWrite.then(async () => {
      const sector = new Uint8Array(HEADER_BYTES);
      await this.#file.read(0, sector);
      const header = { ...this.#header, ...change };
      encodeVdiHeader(header, sector);
      await this.#file.write(0, sector);
      this.#header = header;
    });
    this.#headerWrite = next.catch(() => {});
    return next;
  }

  async flush(options?: IoOptions): Promise<void> {
    if (this.#space === undefined) return this.#file.flush(options);
    await this.#space.flush();
  }

  async resize(size: number): Promise<void> {
    await this.close();
    this.#space = undefined;
    await resizeVdi(this.#file, this, size, {
      entryOf: async (block) => {
        const page = await this.#pages.read(this.#region, block * 4);
        return page.getUint32((block * 4) % PAGE_BYTES, true);
      },
      forget: () => this.#pages.forget(this.#region),
    });
    await this.#prepare();
  }

  /** The table or the header were changed by somebody else. Nothing may be under way. */
  async reload(): Promise<void> {
    this.#pages.forget(this.#region);
    if (this.#space === undefined) return;
    this.#space = undefined;
    await this.#prepare();
  }

  async close(): Promise<void> {
    const space = this.#space;
    if (space === undefined) return;
    if (this.#gaps) {
      await this.#file.flush();
      const end = await compactVdi(this.#file, this.#header, MOVED_AT_CLOSE);
      space.shorten(this.#header.dataOffset + end * this.#stride);
    }
    await space.close();
    const allocated = this.#indexAt(space.end);
    if (allocated !== this.#header.allocated) await this.changeHeader({ allocated });
    await this.#file.flush();
  }
}
