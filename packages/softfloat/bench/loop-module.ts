import { OPERATIONS, wasmType } from '../src/index.ts';
import type { OperationName } from '../src/index.ts';

/** Operand i of row r is at ROWS_BASE + r * ROW_SIZE + 8 * i. */
export const ROWS_BASE = 4096;
export const ROW_SIZE = 32;
/** Number of rows that the loop goes around; a power of two. */
export const ROWS = 256;

const TYPE = { i32: 0x7f, i64: 0x7e } as const;
const LOAD = { i32: [0x28, 2], i64: [0x29, 3] } as const;

/**
 * A module with `run(count)`, which calls the imported operation `s.f` count times on the rows of operands in the
 * imported memory: as translated code calls it, wasm to wasm across instances.
 */
export function buildLoopModule(name: OperationName, fs: number, rm: number): WebAssembly.Module {
  const { operands, result, rounds } = OPERATIONS[name];
  const types = operands.map(wasmType);
  const parameters = [TYPE.i32, ...types.map((type) => TYPE[type]), ...(rounds ? [TYPE.i32] : [])];
  const body = [
    ...[0x01, 0x01, TYPE.i32], // one local: the row's address
    ...[0x03, 0x40],
    ...[0x20, 0x00, 0x41, ...signed(ROWS - 1), 0x71, 0x41, ...signed(ROW_SIZE), 0x6c],
    ...[0x41, ...signed(ROWS_BASE), 0x6a, 0x21, 0x01],
    ...[0x41, ...signed(fs)],
    ...types.flatMap((type, i) => [0x20, 0x01, ...LOAD[type], 8 * i]),
    ...(rounds ? [0x41, ...signed(rm)] : []),
    ...[0x10, 0x00, 0x1a],
    ...[0x20, 0x00, 0x41, ...signed(1), 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b, 0x0b],
  ];
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [
      ...[0x02, 0x60, parameters.length, ...parameters, 0x01, TYPE[wasmType(result)]],
      ...[0x60, 0x01, TYPE.i32, 0x00],
    ]),
    ...section(2, [
      ...[0x02, ...text('env'), ...text('memory'), 0x02, 0x03, 0x01, ...unsigned(65536)],
      ...[...text('s'), ...text('f'), 0x00, 0x00],
    ]),
    ...section(3, [0x01, 0x01]),
    ...section(7, [0x01, ...text('run'), 0x00, 0x01]),
    ...section(10, [0x01, ...unsigned(body.length), ...body]),
  ];
  return new WebAssembly.Module(Uint8Array.from(bytes));
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)];
}

function unsigned(value: number): number[] {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** LEB128 of a number that isn't negative, as a signed one. */
function signed(value: number): number[] {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x40) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
