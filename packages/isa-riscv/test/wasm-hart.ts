import { GUEST_OPTIONS, instantiateSoftfloat, OPTION, probeHostFmaFused } from '@polyvisor/softfloat';
import { compileSoftfloat } from '@polyvisor/softfloat/node';
import {
  createPredecoder,
  emitRegion,
  ENV,
  EXIT,
  formRegion,
  generateInterpreter,
  optimize,
  optimizeBlock,
  PAGE_SIZE,
  pageArrayBytes,
  type Predecoder,
} from '@polyvisor/tcg';
import { compileSoftmmu } from '@polyvisor/tcg/node';
import { RISCV } from '../src/front-end.ts';
import { CAUSE, MODE } from '../src/mode.ts';
import { compileIsa } from '../src/node/index.ts';
import { F, stateOffset, X } from '../src/state.ts';
import { CASE, codeAddress } from './test-case.ts';

type Functions = Record<string, (...args: never[]) => unknown>;

const REGION_TABLE = 0x1000;
const FLAGS = 0x2000;
const ENV_AT = 0x10000;
const ARENA = 0x40000;
const RAM = 0x200000;
const RAM_SIZE = CASE.exit - CASE.base + PAGE_SIZE;
const EBREAK = 0x00100073;
/** mstatus: FS dirty. */
const FS_DIRTY = 3n << 13n;
const MACHINE_MODE = 3 | (3 << MODE.mmuShift) | MODE.fp | MODE.fpDirty;

/**
 * `interpreter`: handlers as translated; `region`: the case's code as one optimised region, what it leaves by the
 * optimised interpreter; `plain region`: not optimised.
 */
export type WasmTier = 'interpreter' | 'region' | 'plain region';

/** Runs test cases in generated WebAssembly, linked with the real helper modules: machine mode, no translation. */
export class WasmHart {
  private readonly memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  private readonly view = new DataView(this.memory.buffer);
  private readonly bytes = new Uint8Array(this.memory.buffer);
  private readonly predecoder: Predecoder = createPredecoder(RISCV, this.memory);
  private readonly records = new Map<number, number>();
  private readonly softmmu: Functions;
  private readonly isa: Functions;
  private readonly imports: WebAssembly.Imports;
  private readonly interpreter: (env: number) => number;
  private readonly optimizedInterpreter: (env: number) => number;
  private readonly fused = probeHostFmaFused() ? OPTION.HOST_FMA_FUSED : 0;
  private fault = 0;

  constructor() {
    const { memory, view } = this;
    const devices = { code_write() {}, mmio_read: () => 1, mmio_write: () => 1 };
    const isa = new WebAssembly.Instance(compileIsa(), {
      env: { memory },
      host: { ...devices, clock() {}, timer_changed() {}, fence_i() {} },
    }).exports as Functions;
    const host = {
      ...devices,
      records: (_env: number, page: number) => this.recordsOf(page),
      decode: (_env: number, record: number) => this.decode(record),
      crossing: () => this.crossing(),
      split_records: () => 0,
      private_page() {},
      private_fetch: () => 0,
      hot() {},
    };
    this.softmmu = new WebAssembly.Instance(compileSoftmmu(), {
      env: { memory },
      isa: isa as WebAssembly.ModuleImports,
      host,
    }).exports as Functions;
    const deliver = (): void => {
      this.fault = view.getInt32(ENV_AT + ENV.fault, true);
      view.setInt32(ENV_AT + ENV.fault, 0, true);
      view.setInt32(ENV_AT + ENV.hostExit, EXIT.host, true);
    };
    const softfloat = instantiateSoftfloat(compileSoftfloat(), memory);
    this.imports = {
      m: { memory, table: new WebAssembly.Table({ element: 'anyfunc', initial: 4 }) },
      isa: { ...isa, deliver } as WebAssembly.ModuleImports,
      softmmu: this.softmmu as WebAssembly.ModuleImports,
      softfloat: softfloat as WebAssembly.ModuleImports,
      host,
    };
    this.interpreter = this.link(generateInterpreter(RISCV).bytes, 'run');
    this.optimizedInterpreter = this.link(
      generateInterpreter(RISCV, { optimize: optimizeBlock }).bytes,
      'run',
    );
    this.isa = isa;

    view.setBigUint64(REGION_TABLE, BigInt(CASE.base), true);
    view.setBigUint64(REGION_TABLE + 8, BigInt(RAM_SIZE), true);
    view.setUint32(REGION_TABLE + 16, RAM, true);
    view.setUint32(RAM + CASE.exit - CASE.base, EBREAK, true);
    for (const exports of [this.softmmu, isa]) this.call(exports, 'configure', REGION_TABLE, 1, FLAGS, RAM);
  }

  /** Runs one case in place. @throws Error when it does what no case should. */
  run(bytes: Uint8Array, tier: WasmTier): void {
    const { view } = this;
    const input = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.bytes.set(bytes, RAM);
    for (let i = 0; i < 32; i++) {
      view.setBigUint64(ENV_AT + X.offset + 8 * i, input.getBigUint64(CASE.x + 8 * i, true), true);
      view.setBigUint64(ENV_AT + F.offset + 8 * i, input.getBigUint64(CASE.f + 8 * i, true), true);
    }
    const fcsr = input.getUint32(CASE.fcsr, true);
    this.set32('frm', fcsr >> 5);
    this.set32('privilege', 3);
    view.setBigUint64(ENV_AT + stateOffset('mstatus'), FS_DIRTY, true);
    this.call(this.isa, 'refresh', ENV_AT);
    view.setUint32(ENV_AT + ENV.fpFlags, fcsr & 31, true);
    view.setUint32(ENV_AT + ENV.fpOptions, GUEST_OPTIONS.riscv | this.fused, true);
    if (view.getUint32(ENV_AT + ENV.mode, true) !== MACHINE_MODE) throw new Error('unexpected mode word');
    this.forgetCode();

    view.setBigUint64(ENV_AT + ENV.pc, BigInt(codeAddress), true);
    view.setInt32(ENV_AT + ENV.budget, 100_000, true);
    if (tier !== 'interpreter') this.region(tier === 'region')(ENV_AT);
    const exit = (tier === 'interpreter' ? this.interpreter : this.optimizedInterpreter)(ENV_AT);
    const pc = view.getBigUint64(ENV_AT + ENV.pc, true);
    if (exit !== EXIT.host || this.fault !== CAUSE.breakpoint + 1 || pc !== BigInt(CASE.exit)) {
      throw new Error(`ended with ${exit}, fault ${this.fault - 1} at ${pc.toString(16)}`);
    }

    bytes.set(this.bytes.subarray(RAM, RAM + CASE.size));
    for (let i = 0; i < 32; i++) {
      input.setBigUint64(CASE.x + 8 * i, view.getBigUint64(ENV_AT + X.offset + 8 * i, true), true);
      input.setBigUint64(CASE.f + 8 * i, view.getBigUint64(ENV_AT + F.offset + 8 * i, true), true);
    }
    const flags = view.getUint32(ENV_AT + ENV.fpFlags, true);
    input.setUint32(CASE.fcsr, flags | (view.getUint32(ENV_AT + stateOffset('frm'), true) << 5), true);
  }

  private link(bytes: Uint8Array<ArrayBuffer>, name: string): (env: number) => number {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
    return instance.exports[name] as (env: number) => number;
  }

  /** The code at the case's start, compiled. */
  private region(optimized: boolean): (env: number) => number {
    const page = (number: bigint): { physical: number; bytes: Uint8Array } => {
      const physical = Number(number);
      const at = RAM + physical * PAGE_SIZE - CASE.base;
      return { physical, bytes: this.bytes.subarray(at, at + PAGE_SIZE) };
    };
    const region = formRegion(RISCV, { page }, BigInt(codeAddress), MACHINE_MODE);
    if (region === undefined) throw new Error('no region');
    return this.link(emitRegion(optimized ? optimize(region) : region, RISCV), 'region');
  }

  private set32(field: string, value: number): void {
    this.view.setUint32(ENV_AT + stateOffset(field), value, true);
  }

  private call(exports: Functions, name: string, ...args: number[]): void {
    (exports[name] as (...args: number[]) => void)(...args);
  }

  /** The next case brings other code to the same place. */
  private forgetCode(): void {
    for (const at of this.records.values()) {
      this.bytes.fill(0, at, at + pageArrayBytes(1));
      this.predecoder.initialize(at);
    }
    this.call(this.softmmu, 'flush_fetch', ENV_AT);
  }

  private recordsOf(page: number): number {
    let at = this.records.get(page);
    if (at === undefined) {
      at = ARENA + this.records.size * ((pageArrayBytes(1) + 63) & ~63);
      this.records.set(page, at);
      this.predecoder.initialize(at);
    }
    return at;
  }

  private pc(): bigint {
    return this.view.getBigUint64(ENV_AT + ENV.pc, true);
  }

  private decode(record: number): void {
    const pc = this.pc();
    const page = Number(pc >> 12n);
    const code = RAM + page * PAGE_SIZE - CASE.base;
    this.predecoder.decodePage(this.recordsOf(page), code, record, pc, MACHINE_MODE);
  }

  private crossing(): void {
    const pc = this.pc();
    const at = RAM + Number(pc) - CASE.base;
    this.predecoder.decodeCrossing(ENV_AT + ENV.crossing, this.bytes.subarray(at, at + 4), pc, MACHINE_MODE);
  }
}
