import type { Builder } from './ir/builder.ts';
import type { HelperDef, RecordField, RegisterFile } from './ir/ir.ts';

/**
 * An operand of an instruction.
 * `reg`: index in a register file. `imm`: 64-bit constant. `imm32`: 32-bit constant, sign-extended.
 * `small`: 0-65535. `target`: pc-relative branch target (32-bit offset from the instruction's own pc).
 */
export type OperandKind =
  | { readonly kind: 'reg'; readonly file: RegisterFile; readonly written?: boolean }
  | { readonly kind: 'imm' | 'imm32' | 'small' | 'target' };

/** A decoded operand as a `translate*` function sees it: a number when translating, a record field when generating the interpreter. */
export type Operand = number | bigint | RecordField;

/** One instruction (or one shape of it) of a guest: how its operands are called, and what it means. */
export interface InstructionDef {
  readonly name: string;
  readonly operands: Readonly<Record<string, OperandKind>>;
  /**
   * Emits the instruction's meaning. Called with constants (regions) and with record fields (interpreter),
   * so it must not look at operand values except through the builder. Falling off the end means: go on with the next instruction.
   */
  readonly translate: (b: Builder, o: Readonly<Record<string, Operand>>) => void;
  /** Rare or large: the interpreter keeps it out of its main loop. */
  readonly cold?: boolean;
  /** Lengths in bytes that it occurs with; the interpreter makes one handler for each. */
  readonly lengths: readonly number[];
}

/** One decoded instruction. */
export interface Decoded {
  /** Index in {@link FrontEnd.instructions}. */
  def: number;
  length: number;
  /** Operand values in the order of the definition's `operands`. Registers are indices, targets offsets from pc. */
  operands: (number | bigint)[];
}

/**
 * Reads guest code. Bytes past a page that is not mapped can't be asked for: `length` says how many there are.
 * `u16` and `u32` read in the front end's byte order ({@link FrontEnd.bigEndian}).
 */
export interface CodeReader {
  readonly length: number;
  u8(at: number): number;
  u16(at: number): number;
  u32(at: number): number;
}

/** A guest CPU, as the translator needs it. */
export interface FrontEnd {
  readonly name: string;
  readonly addressType: 'i32' | 'i64';
  readonly bigEndian: boolean;
  /** log2 of instruction alignment: 0 for x86, 1 for RISC-V with C, 2 for MIPS. */
  readonly alignmentLog2: 0 | 1 | 2;
  readonly maxLength: number;
  readonly registerFiles: readonly RegisterFile[];
  readonly helpers: readonly HelperDef[];
  readonly instructions: readonly InstructionDef[];
  /** The instruction executed for encodings that no table row matches, or whose bytes run out: raises. Takes one `imm` operand, the bits. */
  readonly illegal: number;
  /**
   * Decodes one instruction into `out`.
   * @returns false when more bytes are needed than `code` has (the instruction crosses into a page that is not readable yet).
   */
  decode(code: CodeReader, pc: bigint, mode: number, out: Decoded): boolean;
  /** What a mode word means to the softmmu: index of the data TLB to use. */
  mmuIndex(mode: number): number;
  /**
   * The part of a mode word that decoding depends on: modes that agree in it share record arrays.
   * Absent: all of it. Regions are always made for one whole mode word, save bits outside {@link modeMask}.
   */
  decodeMode?(mode: number): number;
  /** Bits of the mode word that translations depend on: a region serves every mode that agrees in them. Absent: all. */
  readonly modeMask?: number;
}
