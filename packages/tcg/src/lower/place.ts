import type { HelperDef, Inst, MemoryAccess, RecordField, RegisterRef, Terminator } from '../ir/ir.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import type { WasmType } from '../wasm/opcodes.ts';
import type { Lowerer } from './lowerer.ts';

/**
 * Where guest state lives while code runs: what differs between the interpreter (registers in memory, operands in a
 * record) and a region (registers in wasm locals, operands known). `insn` is the `insn` marker of the guest
 * instruction concerned.
 */
export interface Place {
  /** Local that holds the register for as long as nothing is put into it, or -1 when reading it costs a load. */
  registerLocal(ref: RegisterRef): number;
  /** Pushes the register. */
  get(f: FunctionWriter, ref: RegisterRef): void;
  /** Before and after the value of a `put` is pushed. */
  beginPut(f: FunctionWriter, ref: RegisterRef): void;
  endPut(f: FunctionWriter, ref: RegisterRef): void;
  /** Pushes an operand from the record. */
  field(f: FunctionWriter, type: 'i32' | 'i64', field: RecordField): void;
  /** Pushes the instruction's pc plus `add`, or the next one's. */
  pc(f: FunctionWriter, insn: Inst, add: bigint): void;
  nextPc(f: FunctionWriter, insn: Inst): void;
  /** Pushes the vCPU block's address. */
  env(f: FunctionWriter): void;
  /** Adds the address of the data TLB to the i32 on the stack, but for a constant, which it returns. */
  addTlb(f: FunctionWriter): number;
  /** Index of an imported function. */
  imported(module: string, name: string, params: readonly WasmType[], results: readonly WasmType[]): number;
  /**
   * Index of a function `(env, address, value?) -> value?` that makes one access, without a look at its fault; absent:
   * access groups are ignored.
   */
  outlined?(op: 'load' | 'store', mem: MemoryAccess, type: 'i32' | 'i64'): number;
  /** Before and after a call to a helper that is not pure. */
  beforeCall(f: FunctionWriter, helper: HelperDef, insn: Inst): void;
  afterCall(f: FunctionWriter, helper: HelperDef, insn: Inst): void;
  /** In the cold path of a memory access, before the softmmu is called. */
  beforeSlow(f: FunctionWriter, insn: Inst): void;
  /** After either of these, when nothing was raised. */
  resume(f: FunctionWriter, insn: Inst): void;
  /** Around the code of an IR `if`. */
  openIf(): void;
  closeIf(): void;
  /** The instruction has raised: leave. Code after it is not reached. */
  fault(f: FunctionWriter, insn: Inst): void;
  /** A terminator, or a `leave`: code after it is not reached. */
  terminate(f: FunctionWriter, terminator: Terminator, insn: Inst, values: Lowerer): void;
}
