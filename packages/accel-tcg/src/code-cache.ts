import { ENV, HANDLER, PAGE_SIZE, RECORD, pageArrayBytes, recordBytes, TAIL_RECORDS } from '@polyvisor/tcg';
import type { RegionPage } from './region-compiler.ts';

/** A page of guest code with a record array. */
export interface CodePage {
  /** Guest-physical page number. */
  readonly page: number;
  /** Mode word that its decoding depends on. */
  readonly mode: number;
  /** Address of the page's bytes in linear memory. */
  readonly host: number;
  /** Address of its record array. */
  readonly records: number;
  /** Something was decoded since it was last wiped, and stores to the page are watched. */
  live: boolean;
  /** Stores that met the page without hitting a record. */
  misses: number;
  /** Regions that contain code of this page. */
  readonly regions: Set<InstalledRegion>;
}

/** A compiled region in the vCPU's table. */
export interface InstalledRegion {
  readonly index: number;
  /** Address of the record that leads to it. */
  readonly record: number;
  /** What it was translated for: pages mapped around its own, its only address if it has one, and mode word as far as the mask goes. */
  readonly further: readonly RegionPage[];
  readonly fixed: bigint | undefined;
  readonly mode: number;
  readonly modeMask: number;
  readonly pages: readonly CodePage[];
  dropped: boolean;
}

/** What the cache needs of the engine around it. */
export interface CodeCacheHost {
  /** Address of a guest-physical page in linear memory; 0: not memory. */
  hostAddress(page: number): number;
  /** From now on stores to the page take the slow path, on every vCPU. */
  watch(page: number, host: number): void;
  /** The page was dropped with everything else. */
  forgot(page: number, host: number): void;
  /** Frees a region's place in the table. */
  release(region: InstalledRegion): void;
  /** All fetch TLB entries are to be dropped: record arrays move. */
  flushFetch(): void;
}

/** Wipes of a data-like page before it is given up as code: see {@link CodeCache.wrote}. */
const PATIENCE = 64;

/**
 * The code cache of one vCPU: record arrays by (physical page, mode) in its arena, and which compiled regions
 * hang on which page. Dropping a page wipes its array but keeps its place: the interpreter may stand in it.
 */
export class CodeCache {
  private readonly byKey = new Map<number, CodePage>();
  private readonly byPage = new Map<number, CodePage[]>();
  private readonly pagesInOrder: CodePage[] = [];
  private next: number;
  private readonly stride: number;
  private readonly recordArea: number;
  private readonly u8: Uint8Array;
  private readonly words: Int32Array;
  private readonly start: number;
  private readonly end: number;
  private readonly alignmentLog2: number;
  private readonly maxLength: number;
  private readonly host: CodeCacheHost;
  /** Times that everything was dropped for lack of room. */
  flushes = 0;

  constructor(
    memory: WebAssembly.Memory,
    arena: { readonly start: number; readonly bytes: number },
    code: { readonly alignmentLog2: number; readonly maxLength: number },
    host: CodeCacheHost,
  ) {
    this.u8 = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.start = arena.start;
    this.end = arena.start + arena.bytes;
    this.next = arena.start;
    this.alignmentLog2 = code.alignmentLog2;
    this.maxLength = code.maxLength;
    this.stride = (pageArrayBytes(code.alignmentLog2) + 63) & ~63;
    this.recordArea = recordBytes(code.alignmentLog2);
    this.host = host;
  }

  /** Record array of a page, made if needed. The page must be memory. */
  records(page: number, mode: number): number {
    return (this.byKey.get(page * 4096 + mode) ?? this.add(page, mode)).records;
  }

  /** Whether record arrays of all these pages are there or can be made without dropping others. */
  hasRoom(pages: readonly number[], mode: number): boolean {
    const missing = pages.filter((page) => !this.byKey.has(page * 4096 + mode)).length;
    return this.next + missing * this.stride <= this.end;
  }

  /** The page whose record array holds an address. */
  pageAt(record: number): CodePage | undefined {
    return this.pagesInOrder[Math.floor((record - this.start) / this.stride)];
  }

  /** Pages with translations of a guest-physical page, in any mode. */
  pagesOf(page: number): readonly CodePage[] {
    return this.byPage.get(page) ?? [];
  }

  /** Before something is decoded into a page: its stores are watched from now on. */
  revive(code: CodePage): void {
    if (code.live) return;
    code.live = true;
    code.misses = 0;
    this.host.watch(code.page, code.host);
  }

  install(region: InstalledRegion): void {
    for (const code of region.pages) {
      this.revive(code);
      code.regions.add(region);
    }
  }

  /**
   * The guest stored `width` bytes at `offset` of a page. Drops what was translated from them: the whole page if
   * they were decoded, or if the page gets many stores and so is rather data.
   * @returns whether nothing of the page is translated now, so that its stores need no watching.
   */
  wrote(page: number, offset: number, width: number): boolean {
    const all = this.byPage.get(page);
    if (all === undefined) return true;
    const hit = all.some(
      (code) => code.live && (code.misses++ > PATIENCE || this.decoded(code, offset, width)),
    );
    if (hit) this.drop(page);
    return !all.some((code) => code.live);
  }

  /** Drops all translations of a guest-physical page. */
  drop(page: number): void {
    const all = this.byPage.get(page);
    if (all === undefined) return;
    for (const code of all) if (code.live) this.wipe(code);
  }

  /** Drops all translations; the record arrays stay where they are. */
  dropAll(): void {
    for (const code of this.pagesInOrder) if (code.live) this.wipe(code);
  }

  /** Drops everything. Call only where no code stands in a record array. */
  flush(): void {
    for (const code of this.pagesInOrder) {
      if (!code.live) continue;
      for (const region of [...code.regions]) this.dropRegion(region);
      this.host.forgot(code.page, code.host);
    }
    this.u8.fill(0, this.start, this.next);
    this.byKey.clear();
    this.byPage.clear();
    this.pagesInOrder.length = 0;
    this.next = this.start;
    this.flushes++;
    this.host.flushFetch();
  }

  /** Takes a region out: its entry is decoded anew when it is reached. */
  dropRegion(region: InstalledRegion): void {
    if (region.dropped) return;
    region.dropped = true;
    for (const code of region.pages) code.regions.delete(region);
    this.u8.fill(0, region.record, region.record + RECORD.size);
    this.host.release(region);
  }

  /** A place has to become hot again from the beginning. */
  forgetCount(code: CodePage, record: number): void {
    const at =
      code.records + this.recordArea + TAIL_RECORDS * RECORD.size + ((record - code.records) >> 4) * 2;
    this.u8.fill(0, at, at + 2);
  }

  get pageCount(): number {
    return this.pagesInOrder.length;
  }

  private add(page: number, mode: number): CodePage {
    if (this.next + this.stride > this.end) this.flush();
    const records = this.next;
    this.next += this.stride;
    const code: CodePage = {
      page,
      mode,
      host: this.host.hostAddress(page),
      records,
      live: false,
      misses: 0,
      regions: new Set(),
    };
    this.writeTail(code);
    this.byKey.set(page * 4096 + mode, code);
    const all = this.byPage.get(page);
    if (all === undefined) this.byPage.set(page, [code]);
    else all.push(code);
    this.pagesInOrder.push(code);
    return code;
  }

  /** Records behind the page lead out of it. */
  private writeTail(code: CodePage): void {
    const tail = code.records + this.recordArea;
    for (let at = tail; at < tail + TAIL_RECORDS * RECORD.size; at += RECORD.size)
      this.words[at >>> 2] = HANDLER.pageExit;
  }

  private wipe(code: CodePage): void {
    for (const region of [...code.regions]) this.dropRegion(region);
    this.u8.fill(0, code.records, code.records + this.recordArea);
    code.live = false;
  }

  /** Whether one of the bytes belongs to something decoded. Instructions before it may reach into them. */
  private decoded(code: CodePage, offset: number, width: number): boolean {
    if (code.regions.size > 0) return true;
    const reach = offset - this.maxLength + 1 + ((1 << this.alignmentLog2) - 1);
    const first = Math.max(0, reach) >> this.alignmentLog2;
    const last = Math.min(PAGE_SIZE - 1, offset + width - 1) >> this.alignmentLog2;
    for (let i = first; i <= last; i++) {
      if (this.words[(code.records + i * RECORD.size) >>> 2] !== 0) return true;
    }
    return false;
  }
}

/** Address of the record at which an instruction that crosses a page is executed. */
export const crossingRecord = (env: number): number => env + ENV.crossing;
