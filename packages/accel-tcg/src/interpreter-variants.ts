import { RISCV } from '@polyvisor/isa-riscv';
import { generateInterpreter } from '@polyvisor/tcg';

/** Entries of a place at which it is compiled. */
export const HOT_THRESHOLD = 60;

/** Which interpreter. */
export interface InterpreterVariant {
  /** Stops after exactly the budget. */
  readonly exact: boolean;
  /** Counts entries, so that hot places get compiled. */
  readonly counting: boolean;
}

/** Generates one; some 100 ms, which a build spares each start. */
export function generateRiscvInterpreter(variant: InterpreterVariant): Uint8Array<ArrayBuffer> {
  return generateInterpreter(RISCV, {
    exact: variant.exact,
    hotThreshold: variant.counting ? HOT_THRESHOLD : 0,
  }).bytes;
}
