import { ENV, EXIT, FETCH, FETCH_ENTRIES, PAGE_SIZE, TLB, TLB_ENTRIES } from '../env.ts';
import type { FrontEnd } from '../front-end.ts';
import { generateInterpreter, type InterpreterOptions } from '../interpreter/generate-interpreter.ts';
import { createPredecoder, type Predecoder } from '../interpreter/predecoder.ts';
import { RMW_OPS } from '../lower/access-descriptor.ts';
import type { CodeSource } from '../former/code-source.ts';
import { formRegion, type FormerLimits } from '../former/form-region.ts';
import type { Region } from '../ir/ir.ts';
import { HANDLER, pageArrayBytes, RECORD } from '../record.ts';
import { emitRegion, type RegionOptions } from '../region/emit-region.ts';

const ENV_AT = 0x10000;
const ARENA_AT = 0x40000;
const RAM_AT = 0x400000;
const RAM_PAGES = 64;

export interface FlatMachineOptions {
  readonly frontEnd: FrontEnd;
  /**
   * Guest address of RAM, a multiple of the page size. Undefined: RAM is mapped at every address, again and again,
   * but for every fourth page.
   */
  readonly base: bigint | undefined;
  readonly interpreter?: InterpreterOptions;
  /** Called for `host.hot`. */
  readonly hot?: (machine: FlatMachine, record: number) => void;
  /** Further or other functions for module `isa`. */
  readonly isa?: Record<string, (...args: never[]) => unknown>;
}

/**
 * Linear memory, one vCPU block, RAM mapped at one place, and the engine functions in JavaScript: what generated
 * code needs to run in tests. A fault halts: `run` returns EXIT.host with the fault in {@link faults}.
 */
export class FlatMachine {
  readonly memory = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true });
  readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: 256 });
  readonly view = new DataView(this.memory.buffer);
  readonly bytes = new Uint8Array(this.memory.buffer);
  readonly env = ENV_AT;
  readonly ram = RAM_AT;
  private madePredecoder: Predecoder | undefined;
  /** Where faults lead; undefined: they halt. */
  vector: bigint | undefined;
  readonly faults: { fault: number; pc: bigint; value: bigint }[] = [];
  readonly counts = { load: 0, store: 0, fetch: 0, decode: 0, crossing: 0, hot: 0, poll: 0 };
  readonly imports: WebAssembly.Imports;
  private readonly options: FlatMachineOptions;
  private readonly arrays = new Map<bigint, number>();
  private nextArray = ARENA_AT;
  private interpreter: ((env: number) => number) | undefined;

  constructor(options: FlatMachineOptions) {
    this.options = options;
    this.flushTlb();
    const isa = {
      deliver: () => {
        this.faults.push({
          fault: this.i32(ENV.fault),
          pc: this.u64(ENV.pc),
          value: this.u64(ENV.faultValue),
        });
        this.setI32(ENV.fault, 0);
        if (this.vector === undefined) this.setI32(ENV.hostExit, EXIT.host);
        else this.setU64(ENV.pc, this.vector);
      },
      poll: () => void this.counts.poll++,
      ...options.isa,
    };
    const softmmu = {
      load: (_env: number, va: bigint, desc: number) => this.load(va, desc),
      store: (_env: number, va: bigint, value: bigint, desc: number) => this.store(va, value, desc),
      rmw: (_env: number, va: bigint, value: bigint, desc: number) => this.rmw(va, value, desc),
      cas: (_env: number, va: bigint, expected: bigint, replacement: bigint, desc: number) => {
        const old = this.load(va, desc);
        const mask = (1n << BigInt(8 << (desc & 3))) - 1n;
        if (this.i32(ENV.fault) === 0 && (old & mask) === (expected & mask))
          this.store(va, replacement, desc);
        return old;
      },
      fetch: () => this.fetch(),
      fetch_check: (_env: number, va: bigint, page: number) =>
        this.hostOf(this.address(va)) === RAM_AT + page * PAGE_SIZE ? 1 : 0,
    };
    const host = {
      decode: (_env: number, record: number) => {
        this.counts.decode++;
        const pc = this.u64(ENV.pc);
        const records = this.arrays.get(this.arrayKey(pc))!;
        this.predecoder.decodePage(records, this.hostOf(pc & ~0xfffn), record, pc, this.i32(ENV.mode));
      },
      crossing: () => {
        this.counts.crossing++;
        const pc = this.u64(ENV.pc);
        const at = this.hostOf(pc);
        const bytes = this.bytes.subarray(at, Math.min(at + 16, RAM_AT + RAM_PAGES * PAGE_SIZE));
        if (this.predecoder.decodeCrossing(this.env + ENV.crossing, bytes, pc, this.i32(ENV.mode))) return;
        this.raise(12, pc);
      },
      hot: (_env: number, record: number) => {
        this.counts.hot++;
        options.hot?.(this, record);
      },
    };
    this.imports = {
      m: { memory: this.memory, table: this.table },
      isa,
      softmmu,
      host,
    } as WebAssembly.Imports;
  }

  get predecoder(): Predecoder {
    return (this.madePredecoder ??= createPredecoder(this.options.frontEnd, this.memory));
  }

  i32(offset: number): number {
    return this.view.getInt32(ENV_AT + offset, true);
  }
  setI32(offset: number, value: number): void {
    this.view.setInt32(ENV_AT + offset, value, true);
  }
  u64(offset: number): bigint {
    return this.view.getBigUint64(ENV_AT + offset, true);
  }
  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(ENV_AT + offset, value, true);
  }

  write(pc: bigint, code: Uint8Array): void {
    this.bytes.set(code, this.hostOf(pc));
  }

  /** Runs the interpreter from env.pc. */
  run(budget = 1 << 30): number {
    if (this.interpreter === undefined) {
      const { bytes } = generateInterpreter(this.options.frontEnd, this.options.interpreter);
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
      this.interpreter = instance.exports['run'] as (env: number) => number;
    }
    this.setI32(ENV.budget, budget);
    return this.interpreter(ENV_AT);
  }

  /** Address of the record of a place that has been executed. */
  record(pc: bigint): number {
    const { alignmentLog2 } = this.options.frontEnd;
    return this.arrays.get(this.arrayKey(pc))! + (Number(pc & 0xfffn) << (4 - alignmentLog2));
  }

  /**
   * Forms, compiles and enters a region at `pc`, as if it were mapped `distance` bytes further on while it is translated.
   * @returns its module's bytes, undefined when nothing was formed.
   */
  installRegion(
    pc: bigint,
    options: RegionOptions & FormerLimits & { optimize?: (region: Region) => void; distance?: bigint } = {},
  ): Uint8Array | undefined {
    const { frontEnd } = this.options;
    const distance = options.distance ?? 0n;
    const source: CodeSource = {
      page: (page) => {
        const host = this.hostOf(this.address((page << 12n) - distance));
        if (host < 0) return undefined;
        return { physical: (host - RAM_AT) >>> 12, bytes: this.bytes.subarray(host, host + PAGE_SIZE) };
      },
    };
    const region = formRegion(frontEnd, source, this.address(pc + distance), this.i32(ENV.mode), options);
    if (region === undefined) return undefined;
    options.optimize?.(region);
    const bytes = emitRegion(region, frontEnd, options);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
    const index = this.nextRegion++;
    if (index >= this.table.length) this.table.grow(256);
    this.table.set(index, instance.exports['region'] as CallableFunction);
    const record = this.record(pc);
    this.view.setUint32(record, HANDLER.region | (this.i32(ENV.mode) << 16), true);
    this.view.setUint32(record + 4, 0xfff, true);
    this.view.setUint32(record + RECORD.low, index, true);
    return bytes;
  }
  private nextRegion = 1;

  flushTlb(): void {
    for (let i = 0; i < TLB_ENTRIES; i++) {
      this.setU64(ENV.tlb + i * TLB.size + TLB.read, ~0n);
      this.setU64(ENV.tlb + i * TLB.size + TLB.write, ~0n);
    }
    for (let i = 0; i < FETCH_ENTRIES; i++) this.setU64(ENV.fetch + i * FETCH.size, ~0n);
  }

  /** Host address of a guest address, or -1. */
  hostOf(va: bigint): number {
    if (this.options.base === undefined)
      return (va & 0x3000n) === 0x1000n ? -1 : RAM_AT + Number(va & BigInt(RAM_PAGES * PAGE_SIZE - 1));
    const offset = va - this.options.base;
    return offset < 0n || offset >= BigInt(RAM_PAGES * PAGE_SIZE) ? -1 : RAM_AT + Number(offset);
  }
  private address(va: bigint): bigint {
    return BigInt.asUintN(this.options.frontEnd.addressType === 'i32' ? 32 : 64, va);
  }
  private arrayKey(pc: bigint): bigint {
    return ((pc >> 12n) << 12n) | BigInt(this.i32(ENV.mode));
  }
  private raise(fault: number, value: bigint): void {
    this.setI32(ENV.fault, fault);
    this.setU64(ENV.faultValue, value);
  }

  private fetch(): number {
    this.counts.fetch++;
    const pc = this.u64(ENV.pc);
    const host = this.hostOf(pc);
    if (host < 0) {
      this.raise(1, pc);
      return 0;
    }
    const key = this.arrayKey(pc);
    let array = this.arrays.get(key);
    if (array === undefined) {
      array = this.nextArray;
      this.nextArray = (array + pageArrayBytes(this.options.frontEnd.alignmentLog2) + 63) & ~63;
      if (this.nextArray > RAM_AT) throw new Error('record arena is full');
      this.arrays.set(key, array);
      this.predecoder.initialize(array);
    }
    const entry = ENV.fetch + Number((pc >> 12n) & BigInt(FETCH_ENTRIES - 1)) * FETCH.size;
    this.setU64(entry + FETCH.tag, key);
    this.setI32(entry + FETCH.records, array);
    this.setI32(entry + FETCH.page, (host - RAM_AT) >>> 12);
    return 1;
  }

  /** Fills a TLB entry. */
  private touch(va: bigint): void {
    const entry =
      ENV.tlb +
      this.i32(ENV.mmuIndex) * TLB_ENTRIES * TLB.size +
      Number((va >> 12n) & BigInt(TLB_ENTRIES - 1)) * TLB.size;
    this.setU64(entry + TLB.read, va & ~0xfffn);
    this.setU64(entry + TLB.write, va & ~0xfffn);
    this.setI32(
      entry + TLB.addend,
      (this.hostOf(va & ~0xfffn) - Number(BigInt.asIntN(32, va & ~0xfffn))) | 0,
    );
  }
  private span(va: bigint, desc: number): number {
    const width = 1 << (desc & 3);
    if (this.hostOf(va) < 0 || this.hostOf(va + BigInt(width - 1)) < 0) {
      this.raise(5, va);
      return -1;
    }
    if (((desc >> 4) & 3) === 2 && (va & BigInt(width - 1)) !== 0n) {
      this.raise(4, va);
      return -1;
    }
    this.touch(va);
    return this.hostOf(va);
  }
  private read(at: number, desc: number): bigint {
    const width = 1 << (desc & 3);
    let value = 0n;
    for (let i = 0; i < width; i++)
      value |= BigInt(this.bytes[at + i]!) << BigInt(8 * (desc & 8 ? width - 1 - i : i));
    return value;
  }
  private load(va: bigint, desc: number): bigint {
    this.counts.load++;
    const at = this.span(this.address(va), desc);
    if (at < 0) return 0x5555n;
    const value = this.read(at, desc);
    return desc & 4 ? BigInt.asIntN(8 << (desc & 3), value) : value;
  }
  private store(va: bigint, value: bigint, desc: number): void {
    this.counts.store++;
    const at = this.span(this.address(va), desc);
    if (at < 0) return;
    const width = 1 << (desc & 3);
    for (let i = 0; i < width; i++)
      this.bytes[at + i] = Number((value >> BigInt(8 * (desc & 8 ? width - 1 - i : i))) & 255n);
  }
  private rmw(va: bigint, value: bigint, desc: number): bigint {
    const old = this.load(va, desc);
    if (this.i32(ENV.fault) !== 0) return 0n;
    const op = RMW_OPS[desc >> 8]!;
    if (op !== 'xchg' && op !== 'add') throw new Error(`rmw ${op} is not in this machine`);
    this.store(va, op === 'xchg' ? value : old + value, desc);
    return old;
  }
}
