import type { Op, ValueType } from './ops.ts';

/**
 * A file of guest registers of one type, laid out in the vCPU block as an array:
 * register `i` lives at `offset + i * stride`.
 */
export interface RegisterFile {
  readonly name: string;
  readonly type: 'i32' | 'i64';
  /** Bytes from the start of the vCPU block. */
  readonly offset: number;
  readonly count: number;
  /** Bytes between registers; at least the type's size. */
  readonly stride: number;
  /** Register that always reads 0 and drops writes (RISC-V x0), if there is one. Its memory stays 0. */
  readonly zero?: number;
  /** Index one past the last register: where the interpreter sends writes to {@link zero}. */
  readonly sink?: number;
}

/** Fields of a predecoded record (16 bytes): see `interpreter/record.ts`. */
export type RecordField = 'a' | 'b' | 'c' | 'imm' | 'low' | 'high';

/** Which register: a fixed one, or (interpreter) the one that a record field names. */
export type RegisterIndex = number | RecordField;

export interface RegisterRef {
  readonly file: RegisterFile;
  readonly index: RegisterIndex;
}

export type RmwOp = 'xchg' | 'add' | 'and' | 'or' | 'xor' | 'min_s' | 'max_s' | 'min_u' | 'max_u';

/** How guest memory is accessed. */
export interface MemoryAccess {
  /** Bytes: 1, 2, 4 or 8. */
  readonly width: 1 | 2 | 4 | 8;
  /** Whether a narrow load is sign-extended to the operation's type. */
  readonly signed: boolean;
  readonly bigEndian: boolean;
  readonly addressType: 'i32' | 'i64';
  /**
   * `any`: every address works (page-crossing goes to the slow path);
   * `slow`: a misaligned address goes to the slow path, which decides; `fault`: it faults (atomics).
   */
  readonly alignment: 'any' | 'slow' | 'fault';
  /** For atomic_rmw. */
  readonly rmw?: RmwOp;
}

/**
 * Accesses of one kind off one unmodified base, close together: one look at the TLB can serve them all. Its accesses
 * share one object; the first of them in the block is reached before all others.
 */
export interface AccessGroup {
  /** First and one past the last byte that the accesses touch, relative to the first access's address. */
  low: number;
  high: number;
  /** What the first access's address must be a multiple of, so that no access that minds is misaligned: 1, 2, 4 or 8. */
  align: number;
  /** Accesses in it: at least 2. */
  count: number;
}

/** An access's place in a group: `at` bytes from the first access's address. */
export interface GroupMember {
  readonly shared: AccessGroup;
  readonly at: number;
}

/** A function outside translated code that IR can call. */
export interface HelperDef {
  /** Import name; unique per front end. */
  readonly name: string;
  /** Which linked module exports it: `softfloat`, `isa`, `softmmu`, `host`. */
  readonly module: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType | null;
  /**
   * `pure`: a function of its arguments and of constants; may be removed.
   * `state`: reads or writes the vCPU block's fields other than guest registers (flags, CSRs).
   * `registers`: also guest registers, in the vCPU block: they are written back before and read again after.
   */
  readonly effect: 'pure' | 'state' | 'registers';
  /** May raise: sets `fault` in the vCPU block instead of giving a result; the caller leaves at this instruction's pc. */
  readonly mayFault: boolean;
  /** Always raises: code after it is not reached. */
  readonly noReturn: boolean;
}

/** Index of the instruction that made the value, within its block. */
export type Value = number;

/** One IR instruction. Which of the optional parts are present follows from {@link op}. */
export interface Inst {
  readonly op: Op;
  /** Operation type: see the op table. */
  readonly type: ValueType;
  readonly args: readonly Value[];
  readonly imm?: bigint;
  readonly field?: RecordField;
  readonly reg?: RegisterRef;
  readonly offset?: number;
  readonly width?: number;
  readonly mem?: MemoryAccess;
  /** For `load` and `store`: see {@link AccessGroup}. Set by the last pass; may be ignored. */
  readonly group?: GroupMember;
  readonly helper?: HelperDef;
  /** For `leave`: how. */
  readonly leave?: Terminator;
}

/**
 * Where control goes: a pc known when the block is built (`bigint`: absolute), or (interpreter) the
 * instruction's own pc plus a record field.
 */
export type Target = bigint | { readonly relative: RecordField } | 'next';

/** Bits of the mode word that change with a transfer of control. */
export interface ModeChange {
  readonly set: number;
  readonly clear: number;
}

/** How a block ends. */
export type Terminator =
  /** Falls or jumps to a known place. */
  | { readonly kind: 'goto'; readonly target: Target; readonly mode?: ModeChange }
  /** `mode` applies to both ways (a conditional delayed jump, made direct). */
  | {
      readonly kind: 'branch';
      readonly condition: Value;
      readonly taken: Target;
      readonly notTaken: Target;
      readonly mode?: ModeChange;
    }
  /** A guest call to a known place: the return address is `next`. */
  | { readonly kind: 'call'; readonly target: Target; readonly mode?: ModeChange }
  /** Computed transfer; `hint` tells what the guest means by it. The pc value has the guest's address type. */
  | {
      readonly kind: 'indirect';
      readonly pc: Value;
      readonly hint: 'jump' | 'call' | 'return';
      readonly mode?: ModeChange;
    }
  /**
   * Back to the dispatcher at the next instruction (or at a pc that a helper has put into the vCPU block):
   * the mode word, mappings or interrupts may have changed. `unwind` also ends every enclosing guest call.
   */
  | { readonly kind: 'exit'; readonly pc: 'next' | 'env' }
  /** Not reached: a `noReturn` helper came before. */
  | { readonly kind: 'unreachable' };

/** A straight run of guest instructions (or, in the interpreter, one instruction's handler). */
export interface Block {
  /** Guest pc of its first instruction; 0 in the interpreter. */
  readonly pc: bigint;
  /** Mode word that it was translated for. */
  readonly mode: number;
  insts: Inst[];
  terminator: Terminator;
  /** Guest instructions in it. */
  instructions: number;
}

/**
 * A set of blocks translated together, entered at `entry` only. Edges are targets that name another block's pc and
 * mode (see {@link blockKey}); a target that names none leaves the region. The block that follows a `call`, or an
 * `indirect` with hint `call`, at the return address is its continuation. All blocks have the same MMU index.
 */
export interface Region {
  readonly entry: bigint;
  /** Mode word at the entry. */
  readonly mode: number;
  /** By {@link blockKey}, entry first. */
  readonly blocks: Map<bigint, Block>;
  /** Guest pages (virtual page number -> physical page number) that its code was read from. */
  readonly pages: Map<bigint, number>;
  /** Bits of the mode word that translating it asked for, beyond what every access depends on. */
  modeUsed?: number;
}

/**
 * Key of the block at `pc` for mode word `mode` in {@link Region.blocks}: just the pc when the mode is the region's
 * own, so front ends without mode changes inside regions can use pcs as keys.
 */
export const blockKey = (region: { readonly mode: number }, pc: bigint, mode: number): bigint =>
  mode === region.mode ? pc : pc | (BigInt(mode ^ region.mode) << 64n);

/** Mode word after a transfer of control. */
export const changedMode = (mode: number, change: ModeChange | undefined): number =>
  change === undefined ? mode : (mode & ~change.clear) | change.set;

/** Pc after the block's last instruction: where `next` leads. */
export function nextPcOf(block: Block): bigint {
  for (let i = block.insts.length - 1; i >= 0; i--) {
    const inst = block.insts[i];
    if (inst?.op === 'insn') return (inst.imm ?? 0n) + BigInt(inst.width ?? 0);
  }
  return block.pc;
}
