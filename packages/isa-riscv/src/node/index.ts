import { compileBuilt } from '@polyvisor/tcg/node';

/** The privileged side of a hart: CSRs, traps, page walks, PMP. */
export const compileIsa = (): WebAssembly.Module =>
  compileBuilt(new URL('../../dist/isa-riscv.wasm', import.meta.url));
