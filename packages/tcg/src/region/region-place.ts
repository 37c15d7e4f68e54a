import { ENV, EXIT, FETCH, FETCH_ENTRIES, PAGE_BITS, TLB, TLB_ENTRIES } from '../env.ts';
import type { HelperDef, Inst, MemoryAccess, RegisterRef, Terminator } from '../ir/ir.ts';
import { accessDescriptor } from '../lower/access-descriptor.ts';
import type { Lowerer } from '../lower/lowerer.ts';
import { writeOutlined } from '../lower/memory-access.ts';
import type { Place } from '../lower/place.ts';
import { FunctionWriter } from '../wasm/function-writer.ts';
import type { ModuleWriter } from '../wasm/module-writer.ts';
import { W, type WasmType } from '../wasm/opcodes.ts';
import { forEachMember, leavesByItself, type RegisterFlow } from './register-flow.ts';

const FETCH_SIZE_BITS = 31 - Math.clz32(FETCH.size);

/** Guest registers in wasm locals. Local 0 is the vCPU block. */
export class RegionPlace implements Place {
  /** Registers whose locals may differ from memory, at the point that is being written. */
  readonly modified: Uint32Array;
  /** Open `if`s of the block that is being written. */
  nesting = 0;
  /** Local with the code that the common exit returns, and that exit's label. */
  readonly exitCode: number;
  commonExit = 0;
  commonExitUsed = false;
  /** Counting: instructions of the block that come after the one given by its marker. */
  remaining: ((insn: Inst) => number) | undefined;
  private readonly module: ModuleWriter;
  private readonly flow: RegisterFlow;
  private readonly locals: readonly number[];
  private readonly tlbOffset: number;
  /** Positions of the functions that make single accesses. */
  private readonly outlines = new Map<string, number>();
  /** Known address of the vCPU block. */
  private readonly envAddress: number | undefined;
  /** Where the region was translated for, and the local that holds where it runs, in the guest's address type. */
  private readonly entry: bigint;
  private readonly wide: boolean;
  private readonly base: number;
  /** It runs nowhere else than where it was translated for. */
  private readonly fixed: boolean;
  private readonly onTerminate: (terminator: Terminator, insn: Inst, values: Lowerer) => void;

  constructor(
    module: ModuleWriter,
    f: FunctionWriter,
    flow: RegisterFlow,
    guest: {
      readonly mmuIndex: number;
      readonly entry: bigint;
      readonly addressType: 'i32' | 'i64';
      readonly fixed: boolean;
    },
    envAddress: number | undefined,
    onTerminate: (terminator: Terminator, insn: Inst, values: Lowerer) => void,
  ) {
    this.module = module;
    this.flow = flow;
    this.locals = flow.registers.refs.map(({ file }) => f.local(file.type));
    this.modified = new Uint32Array(flow.common.length);
    this.exitCode = f.local('i32');
    this.entry = guest.entry;
    this.wide = guest.addressType === 'i64';
    this.fixed = guest.fixed;
    this.base = f.local(guest.addressType);
    this.tlbOffset = ENV.tlb + guest.mmuIndex * TLB_ENTRIES * TLB.size;
    this.envAddress = envAddress;
    this.onTerminate = onTerminate;
  }

  // --- registers

  registerLocal(ref: RegisterRef): number {
    return this.locals[this.flow.registers.number(ref)]!;
  }
  get(f: FunctionWriter, ref: RegisterRef): void {
    f.get(this.registerLocal(ref));
  }
  beginPut(): void {}
  endPut(f: FunctionWriter, ref: RegisterRef): void {
    const number = this.flow.registers.number(ref);
    this.modified[number >>> 5]! |= 1 << (number & 31);
    f.set(this.locals[number]!);
  }
  /** Loads registers from the vCPU block. */
  load(f: FunctionWriter, set: Uint32Array): void {
    forEachMember(set, (n) => {
      const { file, index } = this.flow.registers.refs[n]!;
      this.env(f);
      f.memory(file.type === 'i64' ? W.i64Load : W.i32Load, file.offset + index * file.stride);
      f.set(this.locals[n]!);
    });
  }
  writeBack(f: FunctionWriter, set: Uint32Array): void {
    forEachMember(set, (n) => {
      const { file, index } = this.flow.registers.refs[n]!;
      this.env(f);
      f.get(this.locals[n]!);
      f.memory(file.type === 'i64' ? W.i64Store : W.i32Store, file.offset + index * file.stride);
    });
  }

  // --- the rest

  field(): void {
    throw new Error('a region has no record');
  }
  /** Takes env.pc as the place where the region runs. */
  enter(f: FunctionWriter): void {
    if (this.fixed) return;
    this.env(f);
    f.memory(this.wide ? W.i64Load : W.i32Load, ENV.pc);
    f.set(this.base);
  }
  /** Distance of an address, given as of translation, from the entry. */
  private distance(pc: bigint): bigint {
    return BigInt.asIntN(this.wide ? 64 : 32, pc - this.entry);
  }
  /** Pushes an address, given as of translation, in the guest's address type. */
  pc(f: FunctionWriter, _insn: Inst | undefined, pc: bigint): void {
    if (this.fixed) {
      if (this.wide) f.i64(BigInt.asIntN(64, pc));
      else f.i32(Number(BigInt.asIntN(32, pc)));
      return;
    }
    const distance = this.distance(pc);
    f.get(this.base);
    if (distance === 0n) return;
    if (this.wide) f.i64(distance);
    else f.i32(Number(distance));
    f.op(this.wide ? W.i64Add : W.i32Add);
  }
  nextPc(): void {
    throw new Error('a region has no record');
  }
  /** The same as env.pc holds it: i64. */
  envPc(f: FunctionWriter, pc: bigint): void {
    this.pc(f, undefined, pc);
    if (!this.wide) f.op(W.i64ExtendI32U);
  }
  /** Pushes the offset, in the vCPU block, of the fetch TLB's entry for an address; the constant part is returned. */
  fetchEntry(f: FunctionWriter, pc: bigint): number {
    if (this.fixed) {
      this.env(f);
      return ENV.fetch + Number((pc >> BigInt(PAGE_BITS)) & BigInt(FETCH_ENTRIES - 1)) * FETCH.size;
    }
    f.get(this.base);
    if (this.wide) f.op(W.i32WrapI64);
    f.i32(Number(BigInt.asIntN(32, this.distance(pc))));
    f.op(W.i32Add);
    f.i32(PAGE_BITS - FETCH_SIZE_BITS);
    f.op(W.i32ShrU);
    f.i32((FETCH_ENTRIES - 1) << FETCH_SIZE_BITS);
    f.op(W.i32And);
    if (this.envAddress !== undefined) return this.envAddress + ENV.fetch;
    f.get(0);
    f.op(W.i32Add);
    return ENV.fetch;
  }
  env(f: FunctionWriter): void {
    if (this.envAddress === undefined) f.get(0);
    else f.i32(this.envAddress);
  }
  addTlb(f: FunctionWriter): number {
    if (this.envAddress !== undefined) return this.envAddress + this.tlbOffset;
    f.get(0);
    f.op(W.i32Add);
    return this.tlbOffset;
  }
  imported(module: string, name: string, params: readonly WasmType[], results: readonly WasmType[]): number {
    return this.module.importFunction(module, name, params, results);
  }
  outlined(op: 'load' | 'store', mem: MemoryAccess, type: 'i32' | 'i64'): number {
    const key = `${op}${accessDescriptor(mem, type)}`;
    let position = this.outlines.get(key);
    if (position === undefined) {
      const f = new FunctionWriter();
      writeOutlined(f, this, op, mem, type);
      const params: WasmType[] = op === 'load' ? ['i32', mem.addressType] : ['i32', mem.addressType, type];
      position = this.module.addFunction(this.module.type(params, op === 'load' ? [type] : []), f);
      this.outlines.set(key, position);
    }
    return this.module.functionIndex(position);
  }
  beforeCall(f: FunctionWriter, helper: HelperDef, insn: Inst): void {
    this.addBudget(f, this.remaining?.(insn) ?? 0);
    if (helper.effect === 'registers') this.writeBack(f, this.modified);
  }
  afterCall(f: FunctionWriter, helper: HelperDef): void {
    if (helper.effect !== 'registers') return;
    const all = new Uint32Array(this.modified.length).fill(0);
    for (let n = 0; n < this.locals.length; n++) all[n >>> 5]! |= 1 << (n & 31);
    this.load(f, all);
    if (this.nesting === 0) this.modified.fill(0);
  }
  beforeSlow(f: FunctionWriter, insn: Inst): void {
    this.addBudget(f, this.remaining?.(insn) ?? 0);
  }
  resume(f: FunctionWriter, insn: Inst): void {
    this.addBudget(f, -(this.remaining?.(insn) ?? 0));
  }
  addBudget(f: FunctionWriter, by: number): void {
    if (by === 0) return;
    this.env(f);
    this.env(f);
    f.memory(W.i32Load, ENV.budget);
    f.i32(by);
    f.op(W.i32Add);
    f.memory(W.i32Store, ENV.budget);
  }
  storePc(f: FunctionWriter, pc: bigint): void {
    this.env(f);
    this.envPc(f, pc);
    f.memory(W.i64Store, ENV.pc);
  }
  fault(f: FunctionWriter, insn: Inst): void {
    this.storePc(f, insn.imm!);
    this.leaveCommon(f, EXIT.unwind);
  }
  /** Writes everything back and returns `code`; env.pc must be set. */
  leaveCommon(f: FunctionWriter, code: number): void {
    if (leavesByItself(this.modified)) {
      this.writeBack(f, this.modified);
      f.i32(code);
      f.return();
      return;
    }
    this.commonExitUsed = true;
    f.i32(code);
    f.set(this.exitCode);
    f.br(this.commonExit);
  }
  openIf(): void {
    this.nesting++;
  }
  closeIf(): void {
    this.nesting--;
  }
  terminate(_f: FunctionWriter, terminator: Terminator, insn: Inst, values: Lowerer): void {
    this.onTerminate(terminator, insn, values);
  }
}
