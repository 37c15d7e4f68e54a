import { PAGE_SIZE } from '@polyvisor/tcg';
import { REGION_ENTRY_BYTES, writeRegionTable, type PhysicalRegion } from './physical-memory.ts';
import { PRIVATE_PAGES } from './vm-layout.ts';

/**
 * Copies of pages of RAM that a vCPU works on instead of the pages themselves (lockstep), so that what it stores can't
 * be seen by devices and need not be undone. They are found through a region table of the vCPU's own, in which they
 * stand before the memory that they stand for.
 */
export class PrivatePages {
  /** The region table and its length; for the softmmu and everything else that looks for guest memory. */
  readonly table: number;
  readonly entries: number;
  /** Copies lie at this address and above, guest memory below. */
  readonly from: number;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly regions: readonly PhysicalRegion[];
  private readonly originals: number[] = [];

  /** @param at behind guest memory; `PRIVATE_BYTES`. */
  constructor(memory: WebAssembly.Memory, at: number, regions: readonly PhysicalRegion[]) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.regions = regions;
    this.table = at;
    this.entries = PRIVATE_PAGES + regions.length;
    this.from = at + PAGE_SIZE;
    writeRegionTable(memory, at + PRIVATE_PAGES * REGION_ENTRY_BYTES, regions);
    for (let slot = 0; slot < PRIVATE_PAGES; slot++) {
      this.view.setUint32(this.entry(slot) + 16, this.from + slot * PAGE_SIZE, true);
    }
    this.drop(PRIVATE_PAGES);
  }

  private entry(slot: number): number {
    return this.table + slot * REGION_ENTRY_BYTES;
  }

  /** Copies a page of RAM; at most `PRIVATE_PAGES`. Flush the TLBs before memory is used. */
  copy(page: number): void {
    const slot = this.originals.length;
    this.bytes.copyWithin(this.from + slot * PAGE_SIZE, page, page + PAGE_SIZE);
    this.originals.push(page);
    const region = this.regions.find((r) => page >= r.host && page < r.host + r.size) as PhysicalRegion;
    this.view.setBigUint64(this.entry(slot), BigInt(region.gpa + (page - region.host)), true);
    this.view.setBigUint64(this.entry(slot) + 8, BigInt(PAGE_SIZE), true);
  }

  /** Address in guest memory of a byte that may lie in a copy. */
  original(host: number): number {
    if (host < this.from) return host;
    const inside = host - this.from;
    return (this.originals[Math.floor(inside / PAGE_SIZE)] as number) + (inside % PAGE_SIZE);
  }

  /** Address of the copy of a page of guest memory, or the page's own. */
  current(page: number): number {
    const slot = this.originals.indexOf(page);
    return slot < 0 ? page : this.from + slot * PAGE_SIZE;
  }

  /** Forgets all copies. */
  drop(count = this.originals.length): void {
    for (let slot = 0; slot < count; slot++) this.view.setBigUint64(this.entry(slot) + 8, 0n, true);
    this.originals.length = 0;
  }
}
