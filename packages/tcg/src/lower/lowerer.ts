import type { AccessGroup, HelperDef, Inst, RegisterFile, RegisterRef, Terminator, Value } from '../ir/ir.ts';
import { opRow, type OpRow, type ValueType } from '../ir/ops.ts';
import { ENV, PAGE_SIZE } from '../env.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import { W } from '../wasm/opcodes.ts';
import { emitBswap, emitFma, emitMulHigh } from './expansions.ts';
import { emitAtomicCas, emitAtomicRmw, emitLoad, emitStore, type OpenGroup } from './memory-access.ts';
import type { Place } from './place.ts';
import { SIMPLE_OPS } from './simple-ops.ts';

/** `emitAt` of values that are written anew at each use. */
const EVERYWHERE = 0x7fffffff;

const NO_INSN: Inst = { op: 'insn', type: 'i32', args: [], imm: 0n, width: 0 };

const ENV_LOADS: Readonly<Record<string, number>> = {
  i32_1: W.i32Load8U,
  i32_2: W.i32Load16U,
  i32_4: W.i32Load,
  i64_1: W.i64Load8U,
  i64_2: W.i64Load16U,
  i64_4: W.i64Load32U,
  i64_8: W.i64Load,
};
const ENV_STORES: Readonly<Record<string, number>> = {
  i32_1: W.i32Store8,
  i32_2: W.i32Store16,
  i32_4: W.i32Store,
  i64_1: W.i64Store8,
  i64_2: W.i64Store16,
  i64_4: W.i64Store32,
  i64_8: W.i64Store,
};

/** Type of an instruction's value. @throws Error when it has none. */
export function resultType(inst: Inst): ValueType {
  const result = opRow(inst.op).result;
  if (result === null) throw new Error(`${inst.op} has no value`);
  return result === 'T' ? inst.type : result;
}

/** Whether an instruction whose value nobody uses may be left out. */
export function isRemovable(inst: Inst, row: OpRow): boolean {
  return (
    row.effect === 'pure' || row.effect === 'read' || (inst.op === 'call' && inst.helper!.effect === 'pure')
  );
}

/**
 * Lowers straight-line IR (with `if`s inside) to wasm. A value that is used once is written where it is used, on
 * wasm's stack, when no effect in between forbids that; others get a local; constants are repeated. Dead values
 * vanish. One lowerer serves any number of blocks of one function; cost is linear in the instructions.
 */
export class Lowerer {
  private readonly f: FunctionWriter;
  private readonly place: Place;
  private insts: readonly Inst[] = [];
  /** Uses not written yet. */
  private uses = new Uint32Array(64);
  /** Position of the instruction in whose place a value is written. */
  private emitAt = new Int32Array(64);
  /** Last position where a value is written or read. */
  private last = new Int32Array(64);
  private consumer = new Int32Array(64);
  private locals = new Int32Array(64);
  private insnOf = new Int32Array(64);
  /** Per register file: position of the next `put`; the last element stands for "some register". */
  private readonly nextPut = new Map<RegisterFile, Int32Array>();

  /** Access groups of the block that are open. */
  readonly groups = new Map<AccessGroup, OpenGroup>();

  constructor(f: FunctionWriter, place: Place) {
    this.f = f;
    this.place = place;
  }

  /** Lowers a block with its terminator, or without one when control falls off its end. */
  lower(insts: readonly Inst[], terminator: Terminator | undefined): void {
    this.prepare(insts, terminator);
    this.insts = insts;
    this.groups.clear();
    const count = insts.length;
    for (let i = 0; i < count; i++) {
      if (this.emitAt[i]! > i) continue;
      const inst = insts[i]!;
      const row = opRow(inst.op);
      if (this.uses[i] === 0 && isRemovable(inst, row)) continue;
      this.emit(i);
      if (row.result === null) continue;
      if (this.uses[i] === 0) this.f.op(W.drop);
      else this.keep(i);
    }
    if (terminator !== undefined) this.place.terminate(this.f, terminator, this.insn(count), this);
  }

  /** Pushes a value, for the last or only time that its use was counted. */
  value(v: Value): void {
    const local = this.locals[v]!;
    if (local >= 0) {
      this.f.get(local);
      this.used(v);
    } else this.emit(v);
  }

  /** Makes a value readable any number of times with {@link held}, until {@link used}. */
  hold(v: Value): void {
    const inst = this.insts[v]!;
    if (this.locals[v]! >= 0 || inst.op === 'const') return;
    if (inst.op === 'get' && this.place.registerLocal(inst.reg!) >= 0) return;
    this.emit(v);
    this.keep(v);
  }
  /** Pushes a value that is being held. */
  held(v: Value): void {
    const inst = this.insts[v]!;
    if (this.locals[v]! >= 0) this.f.get(this.locals[v]!);
    else if (inst.op === 'const') this.constant(inst);
    else this.f.get(this.place.registerLocal(inst.reg!));
  }
  /** One use of a value is over. */
  used(v: Value): void {
    if (--this.uses[v]! === 0 && this.locals[v]! >= 0) {
      this.f.release(resultType(this.insts[v]!), this.locals[v]!);
      this.locals[v] = -1;
    }
  }

  /**
   * Parts of a value that is a base, which can be {@link held}, plus a constant below a page, when it is wanted once
   * and not written yet: it may be written where it is needed.
   */
  displacement(v: Value): { readonly base: Value; readonly by: number } | undefined {
    const inst = this.insts[v]!;
    if (inst.op !== 'add' || this.locals[v]! >= 0 || this.uses[v] !== 1) return undefined;
    const base = inst.args[0]!;
    const constant = this.insts[inst.args[1]!]!;
    if (constant.op !== 'const' || (this.locals[base]! < 0 && this.emitAt[base] !== EVERYWHERE))
      return undefined;
    const by = Number(BigInt.asIntN(inst.type === 'i32' ? 32 : 64, constant.imm!));
    return Math.abs(by) < PAGE_SIZE ? { base, by } : undefined;
  }

  /** Leaves by the fault exit when the vCPU block says that something was raised. */
  checkFault(insn: Inst): void {
    this.place.env(this.f);
    this.f.memory(W.i32Load, ENV.fault);
    this.f.if(undefined, false);
    this.place.fault(this.f, insn);
    this.f.end();
  }

  private insn(i: number): Inst {
    const at = this.insnOf[i]!;
    return at < 0 ? NO_INSN : this.insts[at]!;
  }

  private keep(v: Value): void {
    const local = this.f.temporary(resultType(this.insts[v]!));
    this.f.set(local);
    this.locals[v] = local;
  }

  private constant(inst: Inst): void {
    const imm = inst.imm!;
    if (inst.type === 'i32') this.f.i32(Number(BigInt.asIntN(32, imm)));
    else if (inst.type === 'i64') this.f.i64(BigInt.asIntN(64, imm));
    else this.f.floatBits(inst.type, imm);
  }

  // --- planning

  private grow(count: number): void {
    const size = Math.max(count, this.uses.length * 2);
    this.uses = new Uint32Array(size);
    this.emitAt = new Int32Array(size);
    this.last = new Int32Array(size);
    this.consumer = new Int32Array(size);
    this.locals = new Int32Array(size);
    this.insnOf = new Int32Array(size);
  }

  private puts(file: RegisterFile): Int32Array {
    let puts = this.nextPut.get(file);
    if (puts === undefined) {
      puts = new Int32Array(file.count + 1).fill(EVERYWHERE);
      this.nextPut.set(file, puts);
    }
    return puts;
  }

  /** Next position after which a read of this register may not be delayed. */
  private nextWrite(ref: RegisterRef, all: number): number {
    const puts = this.puts(ref.file);
    const some = Math.min(puts[ref.file.count]!, all);
    if (typeof ref.index === 'number') return Math.min(puts[ref.index]!, some);
    let next = some;
    for (let i = 0; i < ref.file.count; i++) if (puts[i]! < next) next = puts[i]!;
    return next;
  }

  private use(v: Value, by: number, at: number): void {
    this.uses[v]!++;
    this.consumer[v] = by;
    if (at > this.last[v]!) this.last[v] = at;
  }

  /** Counts uses and decides where each value is written, looking at the block from its end. */
  private prepare(insts: readonly Inst[], terminator: Terminator | undefined): void {
    const count = insts.length;
    if (count + 1 > this.uses.length) this.grow(count + 1);
    const { uses, emitAt, last, consumer, locals, insnOf } = this;
    uses.fill(0, 0, count + 1);
    last.fill(-1, 0, count + 1);
    locals.fill(-1, 0, count + 1);
    for (const puts of this.nextPut.values()) puts.fill(EVERYWHERE);
    let marker = -1;
    for (let i = 0; i < count; i++) {
      if (insts[i]!.op === 'insn') marker = i;
      insnOf[i] = marker;
    }
    insnOf[count] = marker;
    if (terminator?.kind === 'branch') this.use(terminator.condition, count, count);
    if (terminator?.kind === 'indirect') this.use(terminator.pc, count, count);

    emitAt[count] = count;
    let nextEffect = count;
    let nextEnvWrite = count;
    let nextRegisters = EVERYWHERE;
    for (let i = count - 1; i >= 0; i--) {
      const inst = insts[i]!;
      const row = opRow(inst.op);
      emitAt[i] = i;
      if (uses[i] === 0 && isRemovable(inst, row)) continue;
      const single = uses[i] === 1 ? emitAt[consumer[i]!]! : i;
      switch (row.effect) {
        case 'pure':
          if (inst.op === 'const' || inst.op === 'env') emitAt[i] = EVERYWHERE;
          else emitAt[i] = single;
          break;
        case 'read':
          if (inst.op === 'get') {
            const next = this.nextWrite(inst.reg!, nextRegisters);
            if (this.place.registerLocal(inst.reg!) >= 0) {
              if (last[i]! <= next) emitAt[i] = EVERYWHERE;
            } else if (single <= next) emitAt[i] = single;
          } else {
            if (single <= nextEnvWrite) emitAt[i] = single;
            nextEffect = i;
          }
          break;
        case 'write':
          if (inst.op === 'put') {
            const { file, index } = inst.reg!;
            this.puts(file)[typeof index === 'number' ? index : file.count] = i;
          } else nextEnvWrite = i;
          nextEffect = i;
          break;
        case 'memory':
          if (row.result !== null && single <= nextEffect) emitAt[i] = single;
          nextEffect = i;
          nextEnvWrite = i;
          break;
        case 'call': {
          const helper = inst.helper!;
          if (helper.effect === 'pure') {
            emitAt[i] = single;
            break;
          }
          // Only straight into its consumer, so that nothing is written between the two.
          if (single === i + 1 && consumer[i] === i + 1) emitAt[i] = single;
          nextEffect = i;
          nextEnvWrite = i;
          if (helper.effect === 'registers') nextRegisters = i;
          break;
        }
        case 'control':
          if (inst.op !== 'insn') {
            nextEffect = i;
            nextEnvWrite = i;
          }
          if (inst.op === 'leave') {
            const leave = inst.leave!;
            if (leave.kind === 'branch') this.use(leave.condition, i, i);
            if (leave.kind === 'indirect') this.use(leave.pc, i, i);
          }
          break;
      }
      const at = emitAt[i] === EVERYWHERE ? last[i]! : emitAt[i]!;
      for (const arg of inst.args) this.use(arg, i, at);
    }
  }

  // --- writing

  private emit(i: number): void {
    const inst = this.insts[i]!;
    const f = this.f;
    const simple = SIMPLE_OPS[inst.op]?.[inst.type];
    if (simple !== undefined) {
      for (const arg of inst.args) this.value(arg);
      f.op(simple);
      return;
    }
    switch (inst.op) {
      case 'const':
        return this.constant(inst);
      case 'get':
        return this.place.get(f, inst.reg!);
      case 'put':
        this.place.beginPut(f, inst.reg!);
        this.value(inst.args[0]!);
        return this.place.endPut(f, inst.reg!);
      case 'field':
        return this.place.field(f, inst.type as 'i32' | 'i64', inst.field!);
      case 'pc':
        return this.place.pc(f, this.insn(i), inst.imm!);
      case 'next_pc':
        return this.place.nextPc(f, this.insn(i));
      case 'env':
        return this.place.env(f);
      case 'load_env':
        this.place.env(f);
        return f.memory(ENV_LOADS[`${inst.type}_${inst.width}`]!, inst.offset!);
      case 'store_env':
        this.place.env(f);
        this.value(inst.args[0]!);
        return f.memory(ENV_STORES[`${inst.type}_${inst.width}`]!, inst.offset!);
      case 'select':
        this.value(inst.args[1]!);
        this.value(inst.args[2]!);
        this.value(inst.args[0]!);
        return f.op(W.select);
      case 'extend32_u':
        this.value(inst.args[0]!);
        f.op(W.i32WrapI64);
        return f.op(W.i64ExtendI32U);
      case 'mulh_s':
      case 'mulh_u':
      case 'mulh_su':
        return emitMulHigh(f, this, inst);
      case 'bswap':
        this.value(inst.args[0]!);
        return emitBswap(f, inst.type === 'i32' ? 4 : 8);
      case 'fma':
        return emitFma(f, this, inst);
      case 'load':
        return emitLoad(f, this, this.place, inst, this.insn(i));
      case 'store':
        return emitStore(f, this, this.place, inst, this.insn(i));
      case 'atomic_rmw':
        return emitAtomicRmw(f, this, this.place, inst, this.insn(i));
      case 'atomic_cas':
        return emitAtomicCas(f, this, this.place, inst, this.insn(i));
      case 'fence':
        return f.fence();
      case 'call':
      case 'call_void':
        return this.call(inst, inst.helper!, this.insn(i));
      case 'if':
        this.value(inst.args[0]!);
        f.if();
        return this.place.openIf();
      case 'else':
        return f.else();
      case 'end':
        this.place.closeIf();
        return f.end();
      case 'leave':
        return this.place.terminate(f, inst.leave!, this.insn(i), this);
      case 'insn':
        return;
      default:
        throw new Error(`no lowering of ${inst.op} ${inst.type}`);
    }
  }

  private call(inst: Inst, helper: HelperDef, insn: Inst): void {
    const f = this.f;
    if (helper.effect !== 'pure') this.place.beforeCall(f, helper, insn);
    for (const arg of inst.args) this.value(arg);
    f.call(
      this.place.imported(
        helper.module,
        helper.name,
        helper.params,
        helper.result === null ? [] : [helper.result],
      ),
    );
    if (helper.effect !== 'pure') this.place.afterCall(f, helper, insn);
    if (helper.noReturn) this.place.fault(f, insn);
    else {
      if (helper.mayFault) this.checkFault(insn);
      if (helper.effect !== 'pure') this.place.resume(f, insn);
    }
    if (helper.noReturn && inst.op === 'call')
      throw new Error(`${helper.name} never returns but has a result`);
  }
}
