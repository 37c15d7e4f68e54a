import { OPERATIONS, OPERATION_NAMES, wasmType } from './operations.ts';
import type { OperationName } from './operations.ts';

/** The exported functions as wasm sees them: i32 as number, i64 as bigint (signed). Meant for linking, tests and tools. */
export type SoftfloatExports = Readonly<
  Record<OperationName, (fs: number, ...operands: (number | bigint)[]) => number | bigint>
>;

/**
 * Instantiates the module over a shared memory of at most 65536 pages. It owns no part of the memory: it reads and
 * writes nothing but the status block at `fs`. One instance per thread.
 * @throws WebAssembly.LinkError if the memory isn't shared
 */
export function instantiateSoftfloat(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): SoftfloatExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as SoftfloatExports;
}

/**
 * Calls one operation with bit patterns as bigints, as the reference model takes them.
 * For tests and tools: it allocates.
 */
export function callWithBits(
  exports: SoftfloatExports,
  name: OperationName,
  fs: number,
  operands: readonly bigint[],
  rm: number,
): bigint {
  const operation = OPERATIONS[name];
  const values: (number | bigint)[] = operation.operands.map((type, i) => {
    const bits = operands[i] ?? 0n;
    return wasmType(type) === 'i64' ? bits : Number(BigInt.asIntN(32, bits));
  });
  if (operation.rounds) values.push(rm);
  const result = BigInt(exports[name](fs, ...values));
  return BigInt.asUintN(wasmType(operation.result) === 'i64' ? 64 : 32, result);
}

/** Names that a module lacks: empty for a module built from this package's sources. */
export function missingOperations(module: WebAssembly.Module): OperationName[] {
  const names = new Set(WebAssembly.Module.exports(module).map((entry) => entry.name));
  return OPERATION_NAMES.filter((name) => !names.has(name));
}
