import {
  FLAG,
  OPERATIONS,
  OPTION,
  instantiateSoftfloat,
  probeHostFmaFused,
  wasmType,
} from '../../src/index.ts';
import { compileSoftfloat } from '../../src/node/index.ts';
import { digitsOf, forEachLine } from './vectors.ts';
import type { VectorRun } from './vectors.ts';

/** What one run found. */
export interface VectorReport {
  /** Vectors compared; each one twice, with clear flags and with inexact set. */
  readonly compared: number;
  readonly ignored: number;
  readonly failed: number;
  /** The first few failures, a line each. */
  readonly examples: readonly string[];
}

const FS = 64;
const EXAMPLES = 5;
const TRUTH = /_(eq|lt|le|lt_quiet|le_quiet)$/;

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const exports = instantiateSoftfloat(compileSoftfloat(), memory);
const status = new Uint32Array(memory.buffer, FS, 2);
const hostFma = probeHostFmaFused() ? OPTION.HOST_FMA_FUSED : 0;

/** Runs the first `limit` vectors of one run through the wasm module. */
export async function runVectors(run: VectorRun, limit = Infinity): Promise<VectorReport> {
  const operation = OPERATIONS[run.operation];
  const wasmFunction = exports[run.operation];
  const fields = [
    ...operation.operands.map((type) => ({ digits: digitsOf(type, false), wide: wasmType(type) === 'i64' })),
    {
      digits: digitsOf(operation.result, TRUTH.test(run.operation)),
      wide: wasmType(operation.result) === 'i64',
    },
  ];
  const lineLength = fields.reduce((sum, field) => sum + field.digits + 1, 2);
  const words = new Int32Array(2 * fields.length);
  const longs = new BigInt64Array(words.buffer);
  const count = operation.operands.length;
  const values: (number | bigint)[] = Array.from({ length: count }, () => 0);
  if (operation.rounds) values.push(run.rm);

  const examples: string[] = [];
  let [compared, ignored, failed] = [0, 0, 0];
  await forEachLine(run, lineLength, (buffer, start) => {
    let offset = start;
    for (const [i, { digits }] of fields.entries()) {
      words[2 * i + 1] = digits > 8 ? hexAt(buffer, offset, digits - 8) : 0;
      words[2 * i] = hexAt(buffer, offset + Math.max(0, digits - 8), Math.min(8, digits));
      offset += digits + 1;
    }
    const expectedFlags = hexAt(buffer, offset, 2);
    for (let i = 0; i < count; i++) values[i] = (fields[i]?.wide ? longs[i] : words[2 * i]) ?? 0;
    const expected = fields[count]?.wide ? longs[count] : words[2 * count];
    for (const sticky of [0, FLAG.NX]) {
      status[0] = sticky;
      status[1] = run.options | hostFma;
      const actual = wasmFunction(FS, ...values);
      if (actual === expected && status[0] === (expectedFlags | sticky)) continue;
      // Rare enough to be looked at only where something differs.
      if (run.ignores([...longs.subarray(0, count)].map((bits) => BigInt.asUintN(64, bits)))) {
        ignored++;
        return compared + ignored < limit;
      }
      failed++;
      if (examples.length < EXAMPLES) {
        const line = Buffer.from(buffer.subarray(start, start + lineLength)).toString('latin1');
        const hex = BigInt.asUintN(fields[count]?.wide ? 64 : 32, BigInt(actual)).toString(16);
        examples.push(
          `${run.operation} ${run.arguments.join(' ')}: ${line}, got ${hex} ${status[0]} from ${sticky}`,
        );
      }
    }
    compared++;
    return compared + ignored < limit;
  });
  return { compared, ignored, failed, examples };
}

/** Up to eight upper-case hex digits as an i32. */
function hexAt(buffer: Uint8Array, offset: number, digits: number): number {
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const byte = buffer[offset + i] ?? 0;
    value = (value << 4) | (byte < 0x41 ? byte - 0x30 : byte - 0x37);
  }
  return value;
}
