import { RISCV } from '@polyvisor/isa-riscv';
import { generateInterpreter } from '@polyvisor/tcg';

/** Entries of a place at which it is compiled: by default, and where everything that repeats shall be. */
const HOT_THRESHOLD = Number(process.env.HOT ?? 60);
const EAGER_THRESHOLD = 2;

/** Which interpreter. */
export interface InterpreterVariant {
  /** Stops after exactly the budget. */
  readonly exact: boolean;
  /** When places get compiled: never, when they are hot, or nearly at once. */
  readonly compiles: 'never' | 'hot' | 'eager';
}

const THRESHOLD = { never: 0, hot: HOT_THRESHOLD, eager: EAGER_THRESHOLD } as const;

/** Generates one; some 100 ms, which a build spares each start. */
export function generateRiscvInterpreter(variant: InterpreterVariant): Uint8Array<ArrayBuffer> {
  return generateInterpreter(RISCV, {
    exact: variant.exact,
    hotThreshold: THRESHOLD[variant.compiles],
  }).bytes;
}
