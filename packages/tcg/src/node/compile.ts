import { readFileSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';

/** Where the build leaves the module, seen from src/node and from dist/node. */
const SOFTMMU = new URL('../../dist/tcg.wasm', import.meta.url);

/**
 * Reads and compiles a helper module that the build made. Compile once and post the module to other threads. Some 1 ms.
 * @throws PolyvisorError not-found if the module was never built
 */
export function compileBuilt(url: URL): WebAssembly.Module {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = readFileSync(url);
  } catch (cause) {
    throw new PolyvisorError('not-found', {
      what: "can't read a helper module",
      which: url.pathname,
      hint: 'build it with: npm run wasm',
      cause,
    });
  }
  return new WebAssembly.Module(bytes);
}

/** The softmmu's slow paths. */
export const compileSoftmmu = (): WebAssembly.Module => compileBuilt(SOFTMMU);
