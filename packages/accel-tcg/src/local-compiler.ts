import type { CompiledRegion, RegionCompiler, RegionRequest } from './region-compiler.ts';
import type { RegionTranslator } from './region-translator.ts';

/** Compiles on the vCPU's own thread, at once: for `tier=translator` and lockstep, where runs must not depend on timing. */
export class LocalCompiler implements RegionCompiler {
  private readonly ready: CompiledRegion[] = [];
  private readonly translator: RegionTranslator;

  constructor(translator: RegionTranslator) {
    this.translator = translator;
  }

  get pending(): number {
    return this.ready.length;
  }

  request(request: RegionRequest): void {
    const region = this.translator.translate(request);
    if (region !== undefined) this.ready.push(region);
  }

  take(): CompiledRegion | undefined {
    return this.ready.shift();
  }
}
