import { readFileSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';

/** Where the build leaves the module, seen from src/node and from dist/node. */
const WASM = new URL('../../dist/softfloat.wasm', import.meta.url);

/**
 * Compiles the built module. Compile once and post the module to the vCPU threads. Some 1 ms.
 * @throws PolyvisorError not-found if the module was never built
 */
export function compileSoftfloat(): WebAssembly.Module {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = readFileSync(WASM);
  } catch (cause) {
    throw new PolyvisorError('not-found', {
      what: "can't read the softfloat module",
      which: WASM.pathname,
      hint: 'build it with: npm run wasm',
      cause,
    });
  }
  return new WebAssembly.Module(bytes);
}
