import {
  emitRegion,
  formRegion,
  optimize,
  PAGE_SIZE,
  recordShift,
  type CodeSource,
  type FrontEnd,
} from '@polyvisor/tcg';
import { hostOfPage, type PhysicalRegion } from './physical-memory.ts';
import type { CompiledRegion, RegionRequest } from './region-compiler.ts';

/** All bits of a mode word. */
const WHOLE_MODE = 0xfff;
/** Regions kept for other vCPUs that warm the same code. */
const KEPT = 2048;

/** How regions are made. */
export interface TranslatorOptions {
  /** Regions count instructions exactly. */
  readonly counting: boolean;
  /** Address of the only vCPU's block: shorter address checks. */
  readonly env?: number;
}

/** Forms, optimises and compiles regions from guest code in shared memory. */
export class RegionTranslator {
  private readonly frontEnd: FrontEnd;
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly regions: readonly PhysicalRegion[];
  private readonly counting: boolean;
  private readonly place: { readonly env?: number };
  private readonly kept = new Map<string, CompiledRegion>();

  constructor(
    frontEnd: FrontEnd,
    memory: WebAssembly.Memory,
    regions: readonly PhysicalRegion[],
    options: TranslatorOptions,
  ) {
    this.frontEnd = frontEnd;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.regions = regions;
    this.counting = options.counting;
    this.place = options.env === undefined ? {} : { env: options.env };
  }

  /** The region at the place, or undefined when none can be made of it. */
  translate(request: RegionRequest): CompiledRegion | undefined {
    const { pc, mode, pages, records } = request;
    const here = pc >> 12n;
    const offset = Number(pc & 0xfffn);
    // Most code runs at one virtual address, and is faster when it knows it. What turns up at another one is translated
    // once more, for all addresses, as long as the pages around it are the same.
    const key = `${pages.get(here)}:${offset}:${mode}`;
    const known = this.kept.get(key);
    if (
      known?.further.every(({ distance, page }) => pages.get(this.pageAt(here, distance)) === page) === true
    ) {
      const serves = known.fixed === undefined || (known.fixed === pc && !request.moves);
      if (serves && this.unchanged(known)) return known;
    }
    const fixed = !request.moves && (known === undefined || known.fixed === pc);

    // The guest may change its code meanwhile: what was read is what is compared at installation.
    const copies = new Map<number, Uint8Array>();
    const source: CodeSource = {
      page: (virtual) => {
        const physical = pages.get(virtual);
        if (physical === undefined) return undefined;
        let copy = copies.get(physical);
        if (copy === undefined) {
          const host = hostOfPage(this.regions, physical);
          if (host === 0) return undefined;
          copy = this.bytes.slice(host, host + PAGE_SIZE);
          copies.set(physical, copy);
        }
        return { physical, bytes: copy };
      },
      executed: (at) => this.decoded(records.get(at >> 12n), Number(at & 0xfffn)),
    };
    const region = formRegion(this.frontEnd, source, pc, mode);
    if (region === undefined) return undefined;
    optimize(region, { everyBlock: this.counting, groups: true });
    const bytes = emitRegion(region, this.frontEnd, { counting: this.counting, fixed, ...this.place });
    const entryPage = pages.get(here) as number;
    const read = [entryPage, ...[...region.pages.values()].filter((page) => page !== entryPage)];
    const compiled: CompiledRegion = {
      offset,
      ...(fixed ? { fixed: pc } : {}),
      mode,
      modeMask: (this.frontEnd.modeMask ?? WHOLE_MODE) | (region.modeUsed ?? 0),
      pages: read,
      further: [...region.pages].flatMap(([virtual, page]) =>
        virtual === here ? [] : [{ distance: virtual - here, page }],
      ),
      sources: read.map((page) => ({ page, offset: 0, bytes: copies.get(page) as Uint8Array })),
      module: new WebAssembly.Module(bytes),
    };
    if (this.kept.size >= KEPT) this.kept.clear();
    this.kept.set(key, compiled);
    return compiled;
  }

  /** Whether the vCPU has decoded the instruction at an offset of a page with a record array. */
  private decoded(records: number | undefined, offset: number): boolean {
    if (records === undefined) return false;
    return this.words[(records + (offset << recordShift(this.frontEnd.alignmentLog2))) >>> 2] !== 0;
  }

  private pageAt(page: bigint, distance: bigint): bigint {
    return BigInt.asUintN((this.frontEnd.addressType === 'i32' ? 32 : 64) - 12, page + distance);
  }

  private unchanged(region: CompiledRegion): boolean {
    return region.sources.every(({ page, offset, bytes }) => {
      const start = hostOfPage(this.regions, page) + offset;
      return Buffer.compare(Buffer.from(this.bytes.buffer, start, bytes.length), bytes) === 0;
    });
  }
}
