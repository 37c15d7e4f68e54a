import { PolyvisorError } from '@polyvisor/contracts';
import {
  createPredecoder,
  ENV,
  EXIT,
  FETCH,
  FETCH_ENTRIES,
  HANDLER,
  PAGE_SIZE,
  RECORD,
  type FrontEnd,
  type Predecoder,
} from '@polyvisor/tcg';
import { CodeCache, type InstalledRegion } from './code-cache.ts';
import type { CodeLog } from './code-log.ts';
import { CONTROL } from './control.ts';
import type { Deferral } from './deferral.ts';
import { hostOfPage, pageOfHost, type PhysicalRegion } from './physical-memory.ts';
import type { PrivatePages } from './private-pages.ts';
import { SingleFetch, splitBytes, type FetchHelpers } from './single-fetch.ts';
import type { CompiledRegion, RegionCompiler, RegionPage, RegionSource } from './region-compiler.ts';

/** Wasm functions by name, as a module's exports or a set of host functions. */
export type Functions = Readonly<Record<string, (...args: never[]) => unknown>>;

/** What the guest's CPU brings, beside its front end. `walk`, `deliver` and `poll` are required. */
export interface GuestLink {
  readonly frontEnd: FrontEnd;
  /** Import namespaces for generated code: `isa` and whatever else the front end's helpers name. */
  readonly modules: Readonly<Record<string, Functions>>;
}

/** What the engine asks of the vCPU around it, beside {@link GuestLink}. */
export interface EngineHost {
  /** Reads a device; stores the value at ENV.mmioValue. 0, or 1 when nothing answers. */
  mmioRead(gpa: number, width: number): number;
  mmioWrite(gpa: number, width: number, low: number, high: number): number;
  /** A region was installed: the timer thread has to make it leave now and then while it is young. */
  installed(): void;
}

export interface EngineOptions {
  readonly memory: WebAssembly.Memory;
  readonly env: number;
  readonly arena: { readonly start: number; readonly bytes: number };
  readonly regions: readonly PhysicalRegion[];
  readonly regionTable: number;
  readonly flags: number;
  /** Address of the first page that has a flag. */
  readonly flagsBase: number;
  readonly softmmu: WebAssembly.Module;
  readonly interpreter: WebAssembly.Module;
  readonly codeLog: CodeLog;
  readonly vcpus: number;
  /** Absent: the interpreter runs everything. */
  readonly compiler?: RegionCompiler;
  /** Lockstep: runs may store to pages of their own, see {@link Engine.keepPrivate}. */
  readonly lockstep?: { readonly pages: PrivatePages; readonly deferral: Deferral };
}

/** Times that an instruction is executed by itself because the region at it fits another mode, before the region has to go. */
const PATIENCE = 32;

/** Regions at one record, at most. */
const VARIANTS = 4;

const fitsMode = (region: InstalledRegion, mode: number): boolean =>
  ((region.mode ^ mode) & region.modeMask) === 0;
const sameFurther = (a: readonly RegionPage[], b: readonly RegionPage[]): boolean =>
  a.length === b.length &&
  a.every(({ distance, page }) => b.some((other) => other.distance === distance && other.page === page));

const FLAG_CODE = 1;
const FLAG_STALE = 2;
/** First part of an arena: where the softmmu keeps record arrays' addresses (2048 pairs of words). */
const RECORD_CACHE_BYTES = 2048 * 8;
/** Table entries to begin with; it grows. Index 0 stays empty. */
const TABLE_ENTRIES = 1024;

/** What a fetch entry without a physical page has as its number. */
const NO_PAGE = -1;

interface SoftmmuExports {
  configure(regions: number, count: number, flags: number, base: number): void;
  fetch(env: number): number;
  fetch_check(env: number, va: bigint, page: number): number;
  flush_all(env: number): void;
  flush_fetch(env: number): void;
  flush_page(env: number, va: bigint): void;
  drop_write_entries(env: number, pa: bigint): number;
  journal_start(at: number, entries: number): void;
  journal_position(): number;
  keep_private(from: number): void;
  keep_records(at: number): void;
  forget_records(): void;
}

/**
 * The engine of one vCPU: links the generated interpreter, the softmmu, the guest's helpers and the compiled
 * regions over the VM's memory, and keeps the code cache. Knows no particular guest.
 */
export class Engine {
  readonly env: number;
  readonly words: Int32Array;
  readonly cache: CodeCache;
  /** Another engine of the same vCPU (lockstep): it must drop what this one's stores overwrite. */
  peer: Engine | undefined;
  private readonly options: EngineOptions;
  private readonly guest: GuestLink;
  private readonly host: EngineHost;
  private readonly softmmu: SoftmmuExports;
  private readonly predecoder: Predecoder;
  private readonly single: SingleFetch;
  private readonly runInterpreter: (env: number) => number;
  private readonly table: WebAssembly.Table;
  private readonly freeIndices: number[] = [];
  private nextIndex = 1;
  /** Regions by the address of their record: more than one where the same code runs in several modes or beside other pages. */
  private readonly variants = new Map<number, InstalledRegion[]>();
  /** Records whose active region did not fit, and how often. */
  private readonly mismatches = new Map<number, number>();
  private readonly regionImports: WebAssembly.Imports;
  private readonly bigWords: BigUint64Array;
  private readonly bytes: Uint8Array;
  private codeLogTail: number;
  private lastTranslated: number;
  /** Lockstep: this run is of one instruction, which may store to a page with translated code. */
  alone = false;
  /** Lockstep: the page of RAM that the last run would have stored to next, by its address; 0: none. */
  wantedPage = 0;
  /** Lockstep: the last run ended in front of an instruction that must run alone. */
  wantsAlone = false;
  /** Statistics. */
  readonly counts = {
    regionsInstalled: 0,
    regionsDropped: 0,
    regionsRefused: 0,
    regionsSwapped: 0,
    codeStores: 0,
  };

  constructor(options: EngineOptions, guest: GuestLink, host: EngineHost) {
    const { memory, env } = options;
    this.options = options;
    this.guest = guest;
    this.host = host;
    this.env = env;
    this.words = new Int32Array(memory.buffer);
    this.bigWords = new BigUint64Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.codeLogTail = options.codeLog.head();
    this.lastTranslated = this.codeLogTail;
    Atomics.store(this.words, (env + CONTROL.codeLogTail) >>> 2, this.codeLogTail);
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_ENTRIES });
    this.predecoder = createPredecoder(guest.frontEnd, memory);
    const { start, bytes } = options.arena;
    const taken = RECORD_CACHE_BYTES + splitBytes(guest.frontEnd.alignmentLog2);
    this.single = new SingleFetch({
      memory,
      env,
      frontEnd: guest.frontEnd,
      predecoder: this.predecoder,
      helpers: guest.modules['isa'] as unknown as FetchHelpers,
      records: start + RECORD_CACHE_BYTES,
      hostOfPage: (page) => {
        const host = hostOfPage(options.regions, page);
        return options.lockstep?.pages.current(host) ?? host;
      },
    });
    const arena = { start: start + taken, bytes: bytes - taken };
    this.cache = new CodeCache(memory, arena, guest.frontEnd, {
      hostAddress: (page) => hostOfPage(options.regions, page),
      watch: (page, address) => this.watch(page, address),
      forgot: (_page, address) => {
        if (options.vcpus === 1) this.unwatch(address);
      },
      release: (region) => this.release(region),
      flushFetch: () => {
        this.softmmu.forget_records();
        this.softmmu.flush_fetch(env);
      },
    });

    const hostFunctions = {
      records: (_env: number, page: number, mode: number) =>
        this.cache.records(page, this.decodeMode(mode)) | 0,
      code_write: (_env: number, address: number, width: number) => this.codeWritten(address >>> 0, width),
      private_page: (_env: number, address: number) => this.privatePage(address >>> 0),
      private_fetch: () => this.privateFetch(),
      decode: (_env: number, record: number) => this.decode(record >>> 0),
      split_records: () => this.single.splitRecords() | 0,
      crossing: (_env: number, record: number) => this.crossing(record >>> 0),
      hot: (_env: number, record: number) => this.hot(record >>> 0),
      mmio_read: (_env: number, gpa: number, width: number) => host.mmioRead(gpa, width),
      mmio_write: (_env: number, gpa: number, width: number, low: number, high: number) =>
        host.mmioWrite(gpa, width, low, high),
    };
    const modules = { ...guest.modules, host: { ...guest.modules['host'], ...hostFunctions } };
    const softmmu = new WebAssembly.Instance(options.softmmu, {
      env: { memory },
      ...(modules as WebAssembly.Imports),
    }).exports;
    this.softmmu = softmmu as unknown as SoftmmuExports;
    const { table = options.regionTable, entries = options.regions.length } = options.lockstep?.pages ?? {};
    this.softmmu.configure(table, entries, options.flags, options.flagsBase);
    // Where a page's records don't depend on the mode, the softmmu finds them by itself.
    if (this.decodeMode(-1) === 0) this.softmmu.keep_records(start);
    this.regionImports = {
      ...(modules as WebAssembly.Imports),
      softmmu: softmmu as WebAssembly.ModuleImports,
      m: { memory, table: this.table },
    };
    const interpreter = new WebAssembly.Instance(options.interpreter, this.regionImports);
    this.runInterpreter = interpreter.exports['run'] as (env: number) => number;
  }

  /** Runs guest code until something asks for attention. Returns an `EXIT` code. */
  run(): number {
    for (;;) {
      const code = this.runInterpreter(this.env);
      if (code !== EXIT.stale) return code;
      // Nothing was executed: the run goes on as if the region had never been there.
      this.dropStale();
    }
  }

  /** At a safe point: takes in compiled regions and what others did to code pages. */
  safePoint(): void {
    this.readCodeLog();
    this.installReady();
  }

  /** Position in the code log behind the last page that this vCPU began to translate. */
  translatedUpTo(): number {
    return this.lastTranslated;
  }

  private installReady(): void {
    const compiler = this.options.compiler;
    while (compiler !== undefined && compiler.pending > 0) {
      const compiled = compiler.take();
      if (compiled === undefined) return;
      this.install(compiled);
    }
  }

  flushTlb(): void {
    this.softmmu.flush_all(this.env);
  }

  /** Drops what the TLBs have of one page. */
  flushPage(va: bigint): void {
    this.softmmu.flush_page(this.env, va);
  }

  /** Stores log what they overwrite at address `at`, `entries` at most; 0 ends it. Flushes the TLBs. */
  journal(at: number, entries: number): void {
    this.softmmu.journal_start(at, entries);
    this.softmmu.flush_all(this.env);
  }

  /** Address behind the journal's last entry. */
  journalPosition(): number {
    return this.softmmu.journal_position();
  }

  /** Lockstep: whether stores go to private copies of pages, until those are dropped. Flush the TLBs after. */
  keepPrivate(on: boolean): void {
    this.softmmu.keep_private(on ? (this.options.lockstep?.pages.from ?? 0) | 0 : 0);
  }

  /** Whether the page at an address holds translated code. */
  holdsCode(host: number): boolean {
    return ((this.bytes[this.flagIndex(host)] as number) & FLAG_CODE) !== 0;
  }

  /** A store to a page that has no copy: the run must begin anew with one, or run this instruction alone. */
  private privatePage(host: number): void {
    if (this.holdsCode(host) && !this.alone) return this.putOffAlone();
    this.wantedPage = host - (host % PAGE_SIZE);
    this.options.lockstep?.deferral.begin();
  }

  /** An instruction of a page that has a copy. One alone is in both alike. */
  private privateFetch(): number {
    if (this.alone) return 0;
    this.putOffAlone();
    return 1;
  }

  /** Code is read from memory itself, never from a copy: what mixes the two waits until the stores are really done. */
  private putOffAlone(): void {
    this.wantsAlone = true;
    this.options.lockstep?.deferral.begin();
  }

  /** Drops all translations. */
  flushCode(): void {
    this.cache.flush();
  }

  /** Exact instruction count. */
  instructionCount(): number {
    return (
      Number(this.bigWords[(this.env + ENV.icount) >>> 3]) -
      (this.words[(this.env + ENV.budget) >>> 2] as number)
    );
  }

  /** Lets `run` execute `budget` more instructions. */
  setBudget(budget: number): void {
    const now = this.instructionCount();
    this.bigWords[(this.env + ENV.icount) >>> 3] = BigInt(now + budget);
    this.words[(this.env + ENV.budget) >>> 2] = budget;
  }

  private decodeMode(mode: number): number {
    return this.guest.frontEnd.decodeMode?.(mode) ?? mode;
  }

  private pc(): bigint {
    return this.bigWords[(this.env + ENV.pc) >>> 3] as bigint;
  }

  private mode(): number {
    return this.words[(this.env + ENV.mode) >>> 2] as number;
  }

  // --- decoding

  private decode(record: number): void {
    const page = this.cache.pageAt(record);
    if (page === undefined)
      throw new PolyvisorError('internal', { what: 'record outside the arena', which: `${record}` });
    this.cache.revive(page);
    this.predecoder.decodePage(page.records, page.host, record, this.pc(), this.mode());
  }

  /** Fills the crossing record with the instruction at pc, or leaves a fault raised at pc. */
  private crossing(record: number): void {
    const pc = this.pc();
    if (this.isRegion(record) && !this.fits(record)) this.mismatch(record, PATIENCE, false);
    this.single.decode(pc, this.mode());
  }

  // --- stores to code

  private flagIndex(host: number): number {
    return this.options.flags + Math.floor((host - this.options.flagsBase) / PAGE_SIZE);
  }

  private watch(page: number, host: number): void {
    Atomics.or(this.bytes, this.flagIndex(host), FLAG_CODE);
    this.softmmu.drop_write_entries(this.env, BigInt(page) << 12n);
    if (this.options.vcpus > 1) this.lastTranslated = this.options.codeLog.append(page, 'translated');
  }

  private unwatch(host: number): void {
    Atomics.and(this.bytes, this.flagIndex(host), ~(FLAG_CODE | FLAG_STALE));
  }

  /** The guest stored `width` bytes into a page that holds translated code, at an address in linear memory. */
  codeWritten(host: number, width: number): void {
    const page = pageOfHost(this.options.regions, host);
    if (page < 0) return;
    this.counts.codeStores++;
    this.peer?.cache.drop(page);
    if (this.options.vcpus === 1) {
      if (this.cache.wrote(page, host % PAGE_SIZE, width)) this.unwatch(host);
      return;
    }
    // What others have translated from the page can't be seen from here: all of it goes. The flag goes first,
    // so that whoever translates the page after reading the log sets it anew.
    this.cache.drop(page);
    this.unwatch(host);
    this.options.codeLog.append(page, 'overwritten');
  }

  /**
   * What others did: pages that they overwrote are dropped, pages that they execute lose their write entries.
   * Call at safe points only.
   * @param stoodStill this vCPU has executed nothing since it read the log last, so it has overwritten nothing either.
   */
  readCodeLog(stoodStill = false): void {
    const { codeLog, vcpus } = this.options;
    if (codeLog.head() === this.codeLogTail) return;
    const { tail, complete } = codeLog.read(this.codeLogTail, (page, event) => {
      if (event === 'overwritten') this.cache.drop(page);
      else if (event === 'lost') this.cache.dropAll();
      else if (this.softmmu.drop_write_entries(this.env, BigInt(page) << 12n) !== 0 && !stoodStill) {
        // Between the translation and now stores may have gone to the page without anybody noticing.
        codeLog.append(page, 'overwritten');
      }
    });
    this.codeLogTail = tail;
    if (!complete) {
      this.softmmu.flush_all(this.env);
      this.cache.dropAll();
      if (vcpus > 1 && !stoodStill) codeLog.append(0, 'lost');
    }
    Atomics.store(this.words, (this.env + CONTROL.codeLogTail) >>> 2, tail);
  }

  // --- regions

  private hot(record: number): void {
    const compiler = this.options.compiler;
    const page = this.cache.pageAt(record);
    if (compiler === undefined || page === undefined) return;
    const variant = this.findVariant(record, true);
    if (variant !== undefined) return this.activate(variant);
    const moves = this.variants.get(record)?.some(({ fixed }) => fixed !== this.pc()) ?? false;
    compiler.request({ pc: this.pc(), mode: this.mode(), moves, ...this.visiblePages() });
    this.installReady();
  }

  /** Virtual pages around pc whose mapping the fetch TLB knows: what a region may be made of. */
  private visiblePages(): { pages: Map<bigint, number>; records: Map<bigint, number> } {
    const pages = new Map<bigint, number>();
    const records = new Map<bigint, number>();
    const here = this.pc() >> 12n;
    const mode = BigInt(this.mode());
    for (let delta = -2n; delta <= 2n; delta++) {
      const page = BigInt.asUintN(52, here + delta);
      const entry = this.env + ENV.fetch + (Number(page) & (FETCH_ENTRIES - 1)) * FETCH.size;
      const physical = this.words[(entry + FETCH.page) >>> 2] as number;
      if (this.bigWords[(entry + FETCH.tag) >>> 3] === ((page << 12n) | mode) && physical !== NO_PAGE) {
        pages.set(page, physical);
        records.set(page, (this.words[(entry + FETCH.records) >>> 2] as number) >>> 0);
      }
    }
    return { pages, records };
  }

  private install(compiled: CompiledRegion): void {
    const { module, mode, modeMask, pages, further, fixed } = compiled;
    const decodeMode = this.decodeMode(mode);
    // Making room drops all record arrays, and the interpreter may stand in one of them.
    if (!this.cache.hasRoom(pages, decodeMode)) return;
    const codePages = pages.map((page) => {
      this.cache.records(page, decodeMode);
      return this.cache.pagesOf(page).find((code) => code.mode === decodeMode);
    });
    const entryPage = codePages[0];
    if (entryPage === undefined || codePages.includes(undefined)) return;
    for (const code of codePages) if (code !== undefined) this.cache.revive(code);
    // The code may have changed after the compiler read it.
    if (!compiled.sources.every((source) => this.sourceUnchanged(source))) {
      this.counts.regionsRefused++;
      return;
    }
    const offset = (compiled.offset >> this.guest.frontEnd.alignmentLog2) * RECORD.size;
    const record = entryPage.records + offset;
    const before = this.variants.get(record) ?? [];
    const alike = before.filter((region) => fitsMode(region, mode) && sameFurther(region.further, further));
    if (alike.some((region) => region.fixed === undefined || region.fixed === fixed)) return;
    // What runs at all addresses takes the place of what ran at one.
    for (const region of alike) this.cache.dropRegion(region);
    if (alike.length === 0 && before.length >= VARIANTS) this.cache.dropRegion(before[0] as InstalledRegion);
    this.counts.regionsInstalled++;
    const index = this.freeIndices.pop() ?? this.nextIndex++;
    if (index >= this.table.length) this.table.grow(this.table.length);
    const instance = new WebAssembly.Instance(module, this.regionImports);
    this.table.set(index, instance.exports['region'] as CallableFunction);
    const region: InstalledRegion = {
      index,
      record,
      further,
      fixed,
      mode,
      modeMask,
      pages: codePages as InstalledRegion['pages'],
      dropped: false,
    };
    const variants = this.variants.get(record);
    if (variants === undefined) this.variants.set(record, [region]);
    else variants.push(region);
    this.cache.install(region);
    this.activate(region);
    Atomics.add(this.words, (this.env + CONTROL.regions) >>> 2, 1);
    this.host.installed();
  }

  /** The region at a record that fits the mode in force and, when asked for, what is mapped around pc; active or not. */
  private findVariant(record: number, mapped: boolean): InstalledRegion | undefined {
    const fits = this.variants.get(record)?.find((r) => this.fitsHere(r) && (!mapped || this.isMapped(r)));
    // Looking at the mapping can make room in the cache, and so drop everything.
    return fits?.dropped === false ? fits : undefined;
  }

  private fitsHere(region: InstalledRegion): boolean {
    return fitsMode(region, this.mode()) && (region.fixed === undefined || region.fixed === this.pc());
  }

  /**
   * Whether the further pages of a region that is entered at pc are mapped as they were for its translation. May move
   * record arrays: call only where the interpreter looks its own up anew.
   */
  private isMapped(region: InstalledRegion): boolean {
    const wide = this.guest.frontEnd.addressType === 'i64';
    const page = this.pc() & ~0xfffn;
    return region.further.every(({ distance, page: physical }) => {
      const va = page + (distance << 12n);
      return (
        this.softmmu.fetch_check(
          this.env,
          wide ? BigInt.asIntN(64, va) : BigInt.asUintN(32, va),
          physical,
        ) !== 0
      );
    });
  }

  private activate({ record, index, mode, modeMask }: InstalledRegion): void {
    this.words[(record >>> 2) + 2] = index;
    this.words[(record >>> 2) + 1] = modeMask;
    this.words[record >>> 2] = HANDLER.region | (mode << 16);
    this.mismatches.delete(record);
  }

  /**
   * The region at a record doesn't fit what is in force (another floating-point state, a neighbouring page that this
   * process has not touched yet): the one that does takes its place, or after some patience none, until it is hot again.
   */
  private mismatch(record: number, patience: number, mapped: boolean): void {
    const fitting = this.findVariant(record, mapped);
    if (fitting !== undefined) {
      this.counts.regionsSwapped++;
      this.activate(fitting);
      return;
    }
    const seen = (this.mismatches.get(record) ?? 0) + 1;
    if (seen < patience) {
      this.mismatches.set(record, seen);
      return;
    }
    this.mismatches.delete(record);
    this.bytes.fill(0, record, record + RECORD.size);
    const page = this.cache.pageAt(record);
    if (page !== undefined) this.cache.forgetCount(page, record);
  }

  private isRegion(record: number): boolean {
    return ((this.words[record >>> 2] as number) & 0xffff) === HANDLER.region;
  }

  private sourceUnchanged(source: RegionSource): boolean {
    const host = hostOfPage(this.options.regions, source.page);
    if (host === 0) return false;
    const start = host + source.offset;
    return Buffer.compare(Buffer.from(this.bytes.buffer, start, source.bytes.length), source.bytes) === 0;
  }

  private release(region: InstalledRegion): void {
    this.counts.regionsDropped++;
    this.table.set(region.index, null);
    this.freeIndices.push(region.index);
    const others = this.variants.get(region.record)?.filter((other) => other !== region) ?? [];
    if (others.length > 0) this.variants.set(region.record, others);
    else this.variants.delete(region.record);
  }

  /** Whether the active region at a record was made for the mode in force. */
  private fits(record: number): boolean {
    const mode = (this.words[record >>> 2] as number) >>> 16;
    return ((mode ^ this.mode()) & (this.words[(record >>> 2) + 1] as number)) === 0;
  }

  /** The region at pc said that it or its further pages are mapped elsewhere here: others may still want it. */
  private dropStale(): void {
    const page = this.fetchedPage();
    if (page === undefined) return;
    const pc = this.pc();
    const record = page.records + (Number(pc & 0xfffn) >> this.guest.frontEnd.alignmentLog2) * RECORD.size;
    if (this.isRegion(record)) this.mismatch(record, 1, true);
  }

  private fetchedPage(): ReturnType<CodeCache['pageAt']> {
    if (this.softmmu.fetch(this.env) === 0) {
      this.words[(this.env + ENV.fault) >>> 2] = 0;
      return undefined;
    }
    const entry = this.env + ENV.fetch + Number((this.pc() >> 12n) & BigInt(FETCH_ENTRIES - 1)) * FETCH.size;
    return this.cache.pageAt((this.words[(entry + FETCH.records) >>> 2] as number) >>> 0);
  }
}
