import { callWithBits, instantiateSoftfloat } from '../src/index.ts';
import type { OperationName, ReferenceResult } from '../src/index.ts';
import { compileSoftfloat } from '../src/node/index.ts';

/** Not zero, so that a function that ignores `fs` is found out. */
const FS = 0x1238;

/** Runs one operation of the wasm module from given sticky flags; returns the result and the flags after it. */
export type Subject = (
  name: OperationName,
  options: number,
  stickyFlags: number,
  operands: readonly bigint[],
  rm: number,
) => ReferenceResult;

export function createSubject(): Subject {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const exports = instantiateSoftfloat(compileSoftfloat(), memory);
  const status = new Uint32Array(memory.buffer, FS, 2);
  return (name, options, stickyFlags, operands, rm) => {
    status[0] = stickyFlags;
    status[1] = options;
    const bits = callWithBits(exports, name, FS, operands, rm);
    return { bits, flags: status[0] };
  };
}
