import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { compileIsa } from '@polyvisor/isa-riscv/node';
import { compileSoftfloat } from '@polyvisor/softfloat/node';
import { compileSoftmmu } from '@polyvisor/tcg/node';
import { USUAL_VARIANT, type InterpreterVariant } from './interpreter-variant.ts';

/** Everything that a RISC-V vCPU is linked from; posted to its thread. */
export interface RiscvModules {
  readonly softmmu: WebAssembly.Module;
  readonly isa: WebAssembly.Module;
  readonly softfloat: WebAssembly.Module;
  readonly interpreter: WebAssembly.Module;
}

/**
 * V8 optimises a function once its quick code has run for this many bytes; the default, 13 000 000, is meant for
 * programs that are loaded whole. Here only what is hot gets compiled at all (vCPU time of a boot: 2.6 s down to 2.1 s).
 */
const TIERING_BUDGET = 100_000;

/** The hand-written helper modules and the generated interpreter. */
export async function compileModules(variant: InterpreterVariant): Promise<RiscvModules> {
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
  return {
    softmmu: compileSoftmmu(),
    isa: compileIsa(),
    softfloat: compileSoftfloat(),
    interpreter: new WebAssembly.Module(await interpreterBytes(variant)),
  };
}

/** From the build where there is one; sources that run as they are generate it from what they are. */
async function interpreterBytes(variant: InterpreterVariant): Promise<Uint8Array<ArrayBuffer>> {
  const built = !import.meta.url.endsWith('.ts');
  if (built && variant.exact === USUAL_VARIANT.exact && variant.compiles === USUAL_VARIANT.compiles) {
    return readFileSync(new URL('../dist/riscv-interpreter.wasm', import.meta.url));
  }
  const { generateRiscvInterpreter } = await import('./generate-interpreter.ts');
  return generateRiscvInterpreter(variant);
}
