import type { Operand } from '../front-end.ts';
import type {
  Block,
  HelperDef,
  Inst,
  MemoryAccess,
  ModeChange,
  RecordField,
  RegisterFile,
  RegisterRef,
  Target,
  Terminator,
  Value,
} from './ir.ts';
import { opRow, type Op, type ValueType } from './ops.ts';

/** What a builder knows of the instruction that is being translated. */
export interface InstructionPlace {
  readonly pc: bigint;
  readonly length: number;
}

/**
 * Builds one block. `translate*` functions see only this. In a *constant* builder operands are numbers and the
 * pc is known; in a *record* builder (the interpreter's) operands are record fields and the pc is computed.
 */
export class Builder {
  readonly insts: Inst[] = [];
  readonly record: boolean;
  /** Mode word that the code is translated for; in a record builder read it with {@link loadEnv}. */
  readonly mode: number;
  readonly addressType: 'i32' | 'i64';
  terminator: Terminator | undefined;
  instructions = 0;
  /** Bits of the mode word that the code built so far depends on, beside what memory accesses do. */
  modeUsed = 0;
  private place: InstructionPlace | undefined;
  private nesting = 0;

  constructor(options: { record: boolean; mode: number; addressType: 'i32' | 'i64' }) {
    this.record = options.record;
    this.mode = options.mode;
    this.addressType = options.addressType;
  }

  /** Begins the next guest instruction. In a record builder `place.pc` is ignored. */
  begin(place: InstructionPlace): void {
    this.place = place;
    this.instructions++;
    this.push({ op: 'insn', type: 'i32', args: [], imm: place.pc, width: place.length });
  }

  /**
   * Bits `mask` of the mode word that the code is translated for; the code then holds only in modes that agree in
   * them. Constant builders only: in a record builder read the mode with {@link loadEnv}.
   */
  modeBits(mask: number): number {
    this.modeUsed |= mask;
    return this.mode & mask;
  }

  /** The block built so far. @throws Error when it has no terminator. */
  finish(pc: bigint): Block {
    if (this.terminator === undefined) throw new Error('block without terminator');
    return {
      pc,
      mode: this.mode,
      insts: this.insts,
      terminator: this.terminator,
      instructions: this.instructions,
    };
  }

  push(inst: Inst): Value {
    if (this.terminator !== undefined) throw new Error(`${inst.op} after the block's end`);
    this.insts.push(inst);
    return this.insts.length - 1;
  }

  // --- constants and operands

  const(type: ValueType, value: bigint | number): Value {
    const bits = type === 'i32' || type === 'f32' ? 32 : 64;
    return this.push({ op: 'const', type, args: [], imm: BigInt.asUintN(bits, BigInt(value)) });
  }
  i32(value: bigint | number): Value {
    return this.const('i32', value);
  }
  i64(value: bigint | number): Value {
    return this.const('i64', value);
  }
  /** An `imm`, `imm32` or `small` operand as a value of `type`; 32-bit ones are sign-extended, small ones zero-extended. */
  imm(operand: Operand, type: 'i32' | 'i64' = 'i64'): Value {
    return typeof operand === 'string'
      ? this.push({ op: 'field', type, args: [], field: operand })
      : this.const(type, operand);
  }
  env(): Value {
    return this.push({ op: 'env', type: 'i32', args: [] });
  }
  /** pc of the current instruction plus `add`, in the address type. */
  pc(add: bigint | number = 0): Value {
    if (this.record) return this.push({ op: 'pc', type: this.addressType, args: [], imm: BigInt(add) });
    return this.placed(this.here().pc + BigInt(add));
  }
  /** pc of the following instruction, in the address type. */
  nextPc(): Value {
    if (this.record) return this.push({ op: 'next_pc', type: this.addressType, args: [] });
    return this.placed(this.here().pc + BigInt(this.here().length));
  }
  /** An address that moves with the code: not a constant. */
  private placed(pc: bigint): Value {
    const type = this.addressType;
    return this.push({ op: 'pc', type, args: [], imm: BigInt.asUintN(type === 'i32' ? 32 : 64, pc) });
  }

  // --- registers and the vCPU block

  private ref(file: RegisterFile, operand: Operand): RegisterRef {
    return { file, index: typeof operand === 'string' ? operand : Number(operand) };
  }
  get(file: RegisterFile, operand: Operand): Value {
    if (file.zero !== undefined && operand === file.zero) return this.const(file.type, 0);
    return this.push({ op: 'get', type: file.type, args: [], reg: this.ref(file, operand) });
  }
  put(file: RegisterFile, operand: Operand, value: Value): void {
    if (file.zero !== undefined && operand === file.zero) return;
    this.push({ op: 'put', type: file.type, args: [value], reg: this.ref(file, operand) });
  }
  /** A field of the vCPU block that is not a guest register, zero-extended from `width` bytes. */
  loadEnv(type: 'i32' | 'i64', offset: number, width: number = type === 'i32' ? 4 : 8): Value {
    return this.push({ op: 'load_env', type, args: [], offset, width });
  }
  storeEnv(type: 'i32' | 'i64', offset: number, value: Value, width: number = type === 'i32' ? 4 : 8): void {
    this.push({ op: 'store_env', type, args: [value], offset, width });
  }

  // --- computing

  /** Any pure op of the table. */
  op(op: Op, type: ValueType, ...args: Value[]): Value {
    if (opRow(op).effect !== 'pure') throw new Error(`${op} is not pure`);
    return this.push({ op, type, args });
  }
  select(type: ValueType, condition: Value, ifTrue: Value, ifFalse: Value): Value {
    return this.push({ op: 'select', type, args: [condition, ifTrue, ifFalse] });
  }

  // --- guest memory

  load(type: 'i32' | 'i64', mem: MemoryAccess, address: Value): Value {
    return this.push({ op: 'load', type, args: [address], mem });
  }
  store(type: 'i32' | 'i64', mem: MemoryAccess, address: Value, value: Value): void {
    this.push({ op: 'store', type, args: [address, value], mem });
  }
  atomicRmw(type: 'i32' | 'i64', mem: MemoryAccess, address: Value, value: Value): Value {
    return this.push({ op: 'atomic_rmw', type, args: [address, value], mem });
  }
  atomicCas(
    type: 'i32' | 'i64',
    mem: MemoryAccess,
    address: Value,
    expected: Value,
    replacement: Value,
  ): Value {
    return this.push({ op: 'atomic_cas', type, args: [address, expected, replacement], mem });
  }
  fence(): void {
    this.push({ op: 'fence', type: 'i32', args: [] });
  }

  // --- helpers

  call(helper: HelperDef, ...args: Value[]): Value {
    if (helper.result === null) throw new Error(`${helper.name} has no result`);
    return this.push({ op: 'call', type: helper.result, args, helper });
  }
  callVoid(helper: HelperDef, ...args: Value[]): void {
    this.push({ op: 'call_void', type: 'i32', args, helper });
    if (helper.noReturn && this.nesting === 0) this.terminator = { kind: 'unreachable' };
  }

  // --- structure

  /** Code under a condition. Values made inside stay inside; results go through registers or the vCPU block. */
  if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.push({ op: 'if', type: 'i32', args: [condition] });
    this.nesting++;
    then();
    if (otherwise !== undefined) {
      this.push({ op: 'else', type: 'i32', args: [] });
      otherwise();
    }
    this.nesting--;
    this.push({ op: 'end', type: 'i32', args: [] });
  }

  /** Ends the block, or inside `if` leaves it. */
  end(terminator: Terminator): void {
    if (this.nesting > 0) this.push({ op: 'leave', type: 'i32', args: [], leave: terminator });
    else if (this.terminator !== undefined) throw new Error('block ended twice');
    else this.terminator = terminator;
  }
  /** A `target` operand, or `next`, as a terminator's target. */
  target(operand: Operand | 'next'): Target {
    if (operand === 'next') return this.record ? 'next' : this.here().pc + BigInt(this.here().length);
    if (typeof operand === 'string') return { relative: operand as RecordField };
    const pc = this.here().pc + BigInt(operand);
    return this.addressType === 'i32' ? BigInt.asUintN(32, pc) : BigInt.asUintN(64, pc);
  }
  jump(target: Operand | 'next', mode?: ModeChange): void {
    this.end({ kind: 'goto', target: this.target(target), ...(mode === undefined ? {} : { mode }) });
  }
  branch(condition: Value, taken: Operand): void {
    this.end({ kind: 'branch', condition, taken: this.target(taken), notTaken: this.target('next') });
  }
  callTo(target: Operand): void {
    this.end({ kind: 'call', target: this.target(target) });
  }
  indirect(pc: Value, hint: 'jump' | 'call' | 'return', mode?: ModeChange): void {
    this.end({ kind: 'indirect', pc, hint, ...(mode === undefined ? {} : { mode }) });
  }
  /** Back to the dispatcher: `next` continues after this instruction, `env` where a helper said. */
  exit(pc: 'next' | 'env'): void {
    this.end({ kind: 'exit', pc });
  }

  private here(): InstructionPlace {
    if (this.place === undefined) throw new Error('no instruction begun');
    return this.place;
  }
}
