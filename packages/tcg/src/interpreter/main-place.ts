import { ENV } from '../env.ts';
import type { HelperDef, Inst, ModeChange, Target, Terminator } from '../ir/ir.ts';
import type { Lowerer } from '../lower/lowerer.ts';
import { FAR, RECORD, recordShift } from '../record.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import type { ModuleWriter } from '../wasm/module-writer.ts';
import { W } from '../wasm/opcodes.ts';
import { emitField, InterpreterPlace, lengthOf, NEXT } from './interpreter-place.ts';

/** Locals of `run`. */
export interface RunLocals {
  readonly env: number;
  readonly ip: number;
  /** pc = pcBase + (ip >>> shift). */
  readonly pcBase: number;
  /** Record array of the current page. */
  readonly pageBase: number;
  /** Data TLB of the MMU index in force. */
  readonly tlb: number;
  readonly budget: number;
  /** {@link NEXT}. */
  readonly next: number;
  /** Distance of a jump that the common tails take. */
  readonly distance: number;
}

/** Labels of `run`. */
export interface RunLabels {
  /** Go on as local `next` says. */
  outer: number;
  /** Execute the record at ip. */
  dispatch: number;
  /** A jump by local `distance` that goes backward or far. */
  taken: number;
  /** A call by local `distance`. */
  called: number;
}

/** Handlers inside `run` itself. */
export class MainPlace extends InterpreterPlace {
  readonly shift: number;
  private readonly locals: RunLocals;
  private readonly labels: RunLabels;

  constructor(
    module: ModuleWriter,
    addressType: 'i32' | 'i64',
    alignmentLog2: number,
    locals: RunLocals,
    labels: RunLabels,
  ) {
    super(module, addressType, locals.env, locals.ip);
    this.shift = recordShift(alignmentLog2);
    this.locals = locals;
    this.labels = labels;
  }

  pc(f: FunctionWriter, _insn: Inst | undefined, add: bigint): void {
    f.get(this.locals.pcBase);
    f.get(this.locals.ip);
    f.i32(this.shift);
    f.op(W.i32ShrU);
    if (this.addressType === 'i64') f.op(W.i64ExtendI32U);
    f.op(this.addressType === 'i64' ? W.i64Add : W.i32Add);
    this.addConstant(f, add);
  }
  addTlb(f: FunctionWriter): number {
    f.get(this.locals.tlb);
    f.op(W.i32Add);
    return 0;
  }
  saveBudget(f: FunctionWriter): void {
    f.get(this.locals.env);
    f.get(this.locals.budget);
    f.memory(W.i32Store, ENV.budget);
  }
  beforeCall(f: FunctionWriter, _helper: HelperDef, _insn: Inst): void {
    this.saveBudget(f);
  }
  beforeSlow(f: FunctionWriter, insn: Inst): void {
    this.saveBudget(f);
    this.storePc(f, () => this.pc(f, insn, 0n));
  }
  fault(f: FunctionWriter, insn: Inst): void {
    this.storePc(f, () => this.pc(f, insn, 0n));
    this.leave(f, NEXT.exit);
  }
  leave(f: FunctionWriter, next: number): void {
    f.i32(next);
    f.set(this.locals.next);
    f.br(this.labels.outer);
  }
  /** Goes on with the record `bytes` further. */
  advance(f: FunctionWriter, length: number): void {
    f.get(this.locals.ip);
    f.i32(length << this.shift);
    f.op(W.i32Add);
    f.set(this.locals.ip);
    f.br(this.labels.dispatch);
  }

  private goto(f: FunctionWriter, target: Target, insn: Inst, mode: ModeChange | undefined): void {
    const { ip, distance } = this.locals;
    if (mode !== undefined) {
      this.storePc(f, () => this.targetPc(f, target, insn));
      this.changeMode(f, mode);
      return this.leave(f, target === 'next' ? NEXT.lookup : NEXT.counted);
    }
    if (target === 'next') return this.advance(f, lengthOf(insn));
    if (typeof target === 'bigint') throw new Error('an interpreter handler has no absolute targets');
    // Backward distances, 0 (a jump to itself) and FAR, less one, are all at least FAR - 1 as unsigned numbers.
    f.get(ip);
    f.memory(W.i32Load, RECORD.low);
    f.tee(distance);
    f.i32(1);
    f.op(W.i32Sub);
    f.i32(FAR - 1);
    f.op(W.i32GeU);
    f.brIf(this.labels.taken);
    f.get(ip);
    f.get(distance);
    f.op(W.i32Add);
    f.set(ip);
    f.br(this.labels.dispatch);
  }

  terminate(f: FunctionWriter, terminator: Terminator, insn: Inst, values: Lowerer): void {
    switch (terminator.kind) {
      case 'goto':
        return this.goto(f, terminator.target, insn, terminator.mode);
      case 'branch':
        values.value(terminator.condition);
        f.if();
        this.goto(f, terminator.taken, insn, terminator.mode);
        f.end();
        return this.goto(f, terminator.notTaken, insn, terminator.mode);
      case 'call':
        if (terminator.mode !== undefined) return this.goto(f, terminator.target, insn, terminator.mode);
        emitField(f, this.locals.ip, 'i32', 'low');
        f.set(this.locals.distance);
        return f.br(this.labels.called);
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
