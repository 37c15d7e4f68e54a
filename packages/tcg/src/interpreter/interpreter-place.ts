import { ENV, TLB, TLB_ENTRIES } from '../env.ts';
import type { HelperDef, Inst, ModeChange, RecordField, RegisterRef, Target, Terminator } from '../ir/ir.ts';
import type { Lowerer } from '../lower/lowerer.ts';
import type { Place } from '../lower/place.ts';
import { RECORD } from '../record.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import type { ModuleWriter } from '../wasm/module-writer.ts';
import { W, type WasmType } from '../wasm/opcodes.ts';

/** What the interpreter's loop does next, outside its dispatch loop. */
export const NEXT = {
  /** Look up `env.pc`. */
  lookup: 0,
  /** The same, and count an entry there. */
  counted: 1,
  /** Have the host decode the instruction at `env.pc` and execute only that one. */
  single: 2,
  /** Deliver what was raised, see whether someone wants `run` to return, poll interrupts, then look up. */
  exit: 3,
  /** Cold handlers: go on with the next instruction. */
  fallThrough: -1,
} as const;

const FIELD_AT: Readonly<Record<RecordField, number>> = {
  a: RECORD.a,
  b: RECORD.b,
  c: RECORD.c,
  imm: RECORD.imm,
  low: RECORD.low,
  high: RECORD.high,
};

/** Pushes a record field; `ip` is the local with the record's address. */
export function emitField(f: FunctionWriter, ip: number, type: 'i32' | 'i64', field: RecordField): void {
  f.get(ip);
  const at = FIELD_AT[field];
  if (field === 'imm') f.memory(type === 'i64' ? W.i64Load : W.i32Load, at);
  else if (field === 'low' || field === 'high') f.memory(type === 'i64' ? W.i64Load32S : W.i32Load, at);
  else f.memory(type === 'i64' ? W.i64Load16U : W.i32Load16U, at);
}

/** Instruction length in bytes of an `insn` marker. */
export const lengthOf = (insn: Inst): number => insn.width!;

/** Guest registers in the vCPU block, named by record fields: shared by main and cold handlers. */
export abstract class InterpreterPlace implements Place {
  protected readonly module: ModuleWriter;
  protected readonly addressType: 'i32' | 'i64';
  /** Locals of the function that is being written. */
  protected readonly envLocal: number;
  protected readonly ipLocal: number;

  constructor(module: ModuleWriter, addressType: 'i32' | 'i64', envLocal: number, ipLocal: number) {
    this.module = module;
    this.addressType = addressType;
    this.envLocal = envLocal;
    this.ipLocal = ipLocal;
  }

  registerLocal(): number {
    return -1;
  }

  private registerAddress(f: FunctionWriter, ref: RegisterRef): number {
    f.get(this.envLocal);
    if (typeof ref.index === 'number') return ref.file.offset + ref.index * ref.file.stride;
    emitField(f, this.ipLocal, 'i32', ref.index);
    f.op(W.i32Add);
    return ref.file.offset;
  }

  get(f: FunctionWriter, ref: RegisterRef): void {
    const offset = this.registerAddress(f, ref);
    f.memory(ref.file.type === 'i64' ? W.i64Load : W.i32Load, offset);
  }
  beginPut(f: FunctionWriter, ref: RegisterRef): void {
    this.registerAddress(f, ref);
  }
  endPut(f: FunctionWriter, ref: RegisterRef): void {
    const { file, index } = ref;
    const offset = file.offset + (typeof index === 'number' ? index * file.stride : 0);
    f.memory(file.type === 'i64' ? W.i64Store : W.i32Store, offset);
  }

  field(f: FunctionWriter, type: 'i32' | 'i64', field: RecordField): void {
    emitField(f, this.ipLocal, type, field);
  }
  abstract pc(f: FunctionWriter, insn: Inst, add: bigint): void;
  nextPc(f: FunctionWriter, insn: Inst): void {
    this.pc(f, insn, BigInt(lengthOf(insn)));
  }
  env(f: FunctionWriter): void {
    f.get(this.envLocal);
  }
  abstract addTlb(f: FunctionWriter): number;
  imported(module: string, name: string, params: readonly WasmType[], results: readonly WasmType[]): number {
    return this.module.importFunction(module, name, params, results);
  }
  abstract beforeCall(f: FunctionWriter, helper: HelperDef, insn: Inst): void;
  afterCall(): void {}
  resume(): void {}
  openIf(): void {}
  closeIf(): void {}
  abstract beforeSlow(f: FunctionWriter, insn: Inst): void;
  abstract fault(f: FunctionWriter, insn: Inst): void;
  abstract terminate(f: FunctionWriter, terminator: Terminator, insn: Inst, values: Lowerer): void;

  /** Adds a constant to the address on the stack. */
  protected addConstant(f: FunctionWriter, add: bigint): void {
    if (add === 0n) return;
    if (this.addressType === 'i64') f.i64(add);
    else f.i32(Number(BigInt.asIntN(32, add)));
    f.op(this.addressType === 'i64' ? W.i64Add : W.i32Add);
  }
  /** env.pc = what `push` pushes. */
  storePc(f: FunctionWriter, push: () => void): void {
    f.get(this.envLocal);
    push();
    if (this.addressType === 'i32') f.op(W.i64ExtendI32U);
    f.memory(W.i64Store, ENV.pc);
  }
  /** Pushes the pc that a target leads to. */
  protected targetPc(f: FunctionWriter, target: Target, insn: Inst): void {
    if (target === 'next') return this.nextPc(f, insn);
    if (typeof target === 'bigint') throw new Error('an interpreter handler has no absolute targets');
    this.pc(f, insn, 0n);
    // The distance in guest bytes stands in the upper word of the record's immediate.
    emitField(f, this.ipLocal, this.addressType, 'high');
    f.op(this.addressType === 'i64' ? W.i64Add : W.i32Add);
  }
  protected changeMode(f: FunctionWriter, mode: ModeChange | undefined): void {
    if (mode === undefined) return;
    f.get(this.envLocal);
    f.get(this.envLocal);
    f.memory(W.i32Load, ENV.mode);
    f.i32(~mode.clear);
    f.op(W.i32And);
    f.i32(mode.set);
    f.op(W.i32Or);
    f.memory(W.i32Store, ENV.mode);
  }
}

/** A cold handler: a function `(env, ip, pc) -> ` {@link NEXT}. */
export class ColdPlace extends InterpreterPlace {
  static readonly params = (addressType: 'i32' | 'i64'): WasmType[] => ['i32', 'i32', addressType];

  constructor(module: ModuleWriter, addressType: 'i32' | 'i64') {
    super(module, addressType, 0, 1);
  }

  pc(f: FunctionWriter, _insn: Inst, add: bigint): void {
    f.get(2);
    this.addConstant(f, add);
  }
  addTlb(f: FunctionWriter): number {
    f.get(this.envLocal);
    f.op(W.i32Add);
    f.get(this.envLocal);
    f.memory(W.i32Load, ENV.mmuIndex);
    f.i32(TLB_ENTRIES * TLB.size);
    f.op(W.i32Mul);
    f.op(W.i32Add);
    return ENV.tlb;
  }
  beforeCall(): void {}
  beforeSlow(f: FunctionWriter, insn: Inst): void {
    this.storePc(f, () => this.pc(f, insn, 0n));
  }
  fault(f: FunctionWriter, insn: Inst): void {
    this.storePc(f, () => this.pc(f, insn, 0n));
    this.leave(f, NEXT.exit);
  }
  private leave(f: FunctionWriter, next: number): void {
    f.i32(next);
    f.return();
  }
  private goto(f: FunctionWriter, target: Target, insn: Inst, mode: ModeChange | undefined): void {
    if (target === 'next' && mode === undefined) return this.leave(f, NEXT.fallThrough);
    this.storePc(f, () => this.targetPc(f, target, insn));
    this.changeMode(f, mode);
    this.leave(f, target === 'next' ? NEXT.lookup : NEXT.counted);
  }
  terminate(f: FunctionWriter, terminator: Terminator, insn: Inst, values: Lowerer): void {
    switch (terminator.kind) {
      case 'goto':
        return this.goto(f, terminator.target, insn, terminator.mode);
      case 'call':
        return this.goto(f, terminator.target, insn, terminator.mode);
      case 'branch':
        values.value(terminator.condition);
        f.if();
        this.goto(f, terminator.taken, insn, terminator.mode);
        f.end();
        return this.goto(f, terminator.notTaken, insn, terminator.mode);
      case 'indirect':
        this.storePc(f, () => values.value(terminator.pc));
        this.changeMode(f, terminator.mode);
        return this.leave(f, terminator.hint === 'return' ? NEXT.lookup : NEXT.counted);
      case 'exit':
        if (terminator.pc === 'next') this.storePc(f, () => this.nextPc(f, insn));
        return this.leave(f, NEXT.exit);
      case 'unreachable':
        return f.op(W.unreachable);
    }
  }
}
