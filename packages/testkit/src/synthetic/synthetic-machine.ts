import {
  emitRegion,
  ENV,
  EXIT,
  formRegion,
  HANDLER,
  optimize,
  PAGE_SIZE,
  RECORD,
  verifyRegion,
  type Region,
} from '@polyvisor/tcg';
import { FlatMachine } from '@polyvisor/tcg/testing';
import { CAUSE } from './encoding.ts';
import { syntheticFrontEnd } from './front-end.ts';
import { readState, syntheticModules, writeState, type SyntheticState } from './host.ts';
import { Ports } from './ports.ts';
import type { SyntheticProgram } from './random-program.ts';
import { SYNTHETIC_BASE } from './reference.ts';

/** How a program is executed. `optimized`: the passes run before a region is compiled. */
export interface SyntheticMachineOptions {
  readonly tier: 'interpreter' | 'regions';
  readonly optimized?: boolean;
  /** Entries until a place is compiled; default 2. */
  readonly hotThreshold?: number;
  /** Regions count instructions, so that runs end exactly; default true. */
  readonly counting?: boolean;
}

/** A synthetic guest on the engine's generated code, over flat memory with a JavaScript softmmu. */
export class SyntheticMachine {
  readonly ports = new Ports();
  readonly flat: FlatMachine;
  /** Regions compiled so far. */
  readonly regions: Region[] = [];
  halted = false;
  private readonly options: SyntheticMachineOptions;
  private nextIndex = 1;

  constructor(program: SyntheticProgram, initial: SyntheticState, options: SyntheticMachineOptions) {
    this.options = options;
    const compile = options.tier === 'regions';
    this.flat = new FlatMachine({
      frontEnd: syntheticFrontEnd,
      base: BigInt(SYNTHETIC_BASE),
      interpreter: { exact: true, ...(compile ? { hotThreshold: options.hotThreshold ?? 2 } : {}) },
      ...(compile ? { hot: (_, record) => this.compile(record) } : {}),
    });
    const fetchFault = 12;
    const modules = syntheticModules(this.flat.memory, this.ports, {
      causes: (f) => (f === fetchFault ? CAUSE.fetch : f),
    });
    Object.assign(this.flat.imports['isa'] as object, modules.isa);
    Object.assign(this.flat.imports['host'] as object, modules.host);
    this.flat.write(BigInt(program.base), program.code);
    writeState(this.flat.view, this.flat.env, initial);
  }

  /** Executes `count` instructions, or fewer when the guest halts. */
  run(count: number): void {
    const code = this.flat.run(count);
    if (code === EXIT.host) this.halted = true;
    else if (code !== EXIT.budget) throw new Error(`run returned ${code}`);
  }

  /** Instructions that the last run left undone. */
  get left(): number {
    return this.flat.i32(ENV.budget);
  }
  state(): SyntheticState {
    return readState(this.flat.view, this.flat.env);
  }
  /** RAM as it is now. */
  ram(): Uint8Array {
    return this.flat.bytes.subarray(this.flat.ram, this.flat.ram + 64 * PAGE_SIZE);
  }

  private compile(record: number): void {
    const { flat } = this;
    const pc = flat.u64(ENV.pc);
    const mode = flat.i32(ENV.mode);
    const region = formRegion(
      syntheticFrontEnd,
      {
        page: (page) => {
          const host = flat.hostOf(page << 12n);
          if (host < 0) return undefined;
          return {
            physical: (host - flat.ram) / PAGE_SIZE,
            bytes: flat.bytes.subarray(host, host + PAGE_SIZE),
          };
        },
      },
      pc,
      mode,
    );
    if (region === undefined) return;
    const counting = this.options.counting ?? true;
    const check = (): void => {
      const problems = verifyRegion(region, { addressType: 'i32' });
      if (problems.length > 0) throw new Error(problems.slice(0, 3).join('; '));
    };
    check();
    if (this.options.optimized === true) {
      optimize(region, { everyBlock: counting });
      check();
    }
    this.regions.push(region);
    const module = new WebAssembly.Module(emitRegion(region, syntheticFrontEnd, { counting }));
    const instance = new WebAssembly.Instance(module, flat.imports);
    const index = this.nextIndex++;
    if (index >= flat.table.length) flat.table.grow(256);
    flat.table.set(index, instance.exports['region']);
    flat.view.setUint16(record + RECORD.handler, HANDLER.region, true);
    flat.view.setUint16(record + RECORD.a, 0, true);
    flat.view.setUint32(record + RECORD.b, 0, true);
    flat.view.setInt32(record + RECORD.low, index, true);
  }
}
