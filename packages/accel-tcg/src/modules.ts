import { compileIsa } from '@polyvisor/isa-riscv/node';
import { compileSoftfloat } from '@polyvisor/softfloat/node';
import { compileSoftmmu } from '@polyvisor/tcg/node';
import { generateRiscvInterpreter, type InterpreterVariant } from './interpreter-variants.ts';

/** Everything that a RISC-V vCPU is linked from; posted to its thread. */
export interface RiscvModules {
  readonly softmmu: WebAssembly.Module;
  readonly isa: WebAssembly.Module;
  readonly softfloat: WebAssembly.Module;
  readonly interpreter: WebAssembly.Module;
}

/** The hand-written helper modules and the generated interpreter. */
export function compileModules(variant: InterpreterVariant): RiscvModules {
  return {
    softmmu: compileSoftmmu(),
    isa: compileIsa(),
    softfloat: compileSoftfloat(),
    interpreter: new WebAssembly.Module(generateRiscvInterpreter(variant)),
  };
}
