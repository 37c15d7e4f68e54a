import { RISCV } from '@polyvisor/isa-riscv';
import { generateInterpreter } from '@polyvisor/tcg';
import type { InterpreterVariant } from './interpreter-variant.ts';

/**
 * Entries of a place at which it is compiled. Booting Linux with 60 compiles 1 700 regions, most of them for nothing:
 * 12 s of CPU time in all threads; with 20 000 some 200, and 4.5 s (vCPU thread: 3.5 and 2.0 s; interpreter alone: 3.2 s).
 */
const HOT_ENTRIES = 20_000;
/** Where everything that repeats shall be compiled. */
const EAGER_ENTRIES = 2;

const THRESHOLD = { never: 0, hot: HOT_ENTRIES, eager: EAGER_ENTRIES } as const;

/** Generates an interpreter; some 100 ms, which the build spares most starts. */
export function generateRiscvInterpreter(variant: InterpreterVariant): Uint8Array<ArrayBuffer> {
  return generateInterpreter(RISCV, { exact: variant.exact, hotThreshold: THRESHOLD[variant.compiles] })
    .bytes;
}
