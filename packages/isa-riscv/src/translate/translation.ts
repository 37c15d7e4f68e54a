import type { Builder, Operand } from '@polyvisor/tcg';

/** Operands by name. Which of them an instruction has, its format says; a function must not ask for others. */
export interface Operands {
  readonly rd: Operand;
  readonly rs1: Operand;
  readonly rs2: Operand;
  readonly fd: Operand;
  readonly fs1: Operand;
  readonly fs2: Operand;
  readonly fs3: Operand;
  readonly imm: Operand;
  readonly target: Operand;
  readonly shamt: Operand;
  readonly zimm: Operand;
  readonly csr: Operand;
  readonly rm: Operand;
  readonly bits: Operand;
}

/** Emits one instruction's meaning; see `InstructionDef.translate`. */
export type Translate = (b: Builder, o: Operands) => void;

/** Meanings of an extension's instructions, by the names of the decode tables. */
export interface Translations {
  readonly translate: Readonly<Record<string, Translate>>;
  /** Which of them the interpreter keeps out of its main loop. */
  readonly cold: 'all' | 'none' | readonly string[];
}
