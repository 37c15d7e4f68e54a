import { describe, expect, test } from '@jest/globals';
import { ENV } from '../env.ts';
import { Random } from '../filetests/random-block.ts';
import { Builder } from '../ir/builder.ts';
import { evaluateBlock, type EvaluatorState } from '../ir/evaluate.ts';
import type { RegisterFile, Value } from '../ir/ir.ts';
import { opRow, OPS, type Op, type ValueType } from '../ir/ops.ts';
import { emitRegion } from '../region/emit-region.ts';
import { toyGuest } from '../testing/toy-front-end.ts';

const X: RegisterFile = { name: 'x', type: 'i64', offset: ENV.guest, count: 4, stride: 8 };
const SKIP = new Set<Op>(['const', 'field', 'pc', 'next_pc', 'env']);
const { frontEnd } = toyGuest({ addressType: 'i64', bigEndian: false, alignmentLog2: 0 });

const FLOATS: readonly number[] = [
  0,
  -0,
  1,
  -1.5,
  2.5,
  1e300,
  -1e-300,
  3e9,
  -3e9,
  2 ** 63,
  2 ** 64,
  Infinity,
  NaN,
  0.1,
];

/** Bits of an operand of a type. */
function operand(random: Random, type: ValueType): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (type === 'f64') view.setFloat64(0, random.pick(FLOATS), true);
  else if (type === 'f32') view.setFloat32(0, random.pick(FLOATS), true);
  else return random.bits(type === 'i32' ? 32 : 64);
  return view.getBigUint64(0, true);
}

const isNan = (type: ValueType, bits: bigint): boolean => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits, true);
  return type === 'f64'
    ? Number.isNaN(view.getFloat64(0, true))
    : type === 'f32' && Number.isNaN(view.getFloat32(0, true));
};

describe('lowering of single ops', () => {
  const pure = (Object.keys(OPS) as Op[]).filter((op) => opRow(op).effect === 'pure' && !SKIP.has(op));
  test.each(pure)('%s', (op) => {
    const row = opRow(op);
    for (const type of row.types) {
      const typeOf = (t: ValueType | 'T'): ValueType => (t === 'T' ? type : t);
      const result = typeOf(row.result!);
      const b = new Builder({ record: false, mode: 0, addressType: 'i64' });
      b.begin({ pc: 0x1000n, length: 4 });
      const args = row.args.map((t, i): Value => {
        const wide = b.get(X, i);
        const low = (): Value => b.op('wrap', 'i32', wide);
        switch (typeOf(t)) {
          case 'i64':
            return wide;
          case 'i32':
            return low();
          case 'f32':
            return b.op('bits_f32', 'f32', low());
          case 'f64':
            return b.op('bits_f64', 'f64', wide);
        }
      });
      const value = b.op(op, type, ...args);
      const bits = {
        i64: () => value,
        i32: () => b.op('extend_u', 'i64', value),
        f32: () => b.op('extend_u', 'i64', b.op('f32_bits', 'i32', value)),
        f64: () => b.op('f64_bits', 'i64', value),
      }[result]();
      b.put(X, 3, bits);
      b.exit('next');
      const block = b.finish(0x1000n);
      const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
      const table = new WebAssembly.Table({ element: 'anyfunc', initial: 0 });
      const region = {
        entry: block.pc,
        mode: 0,
        blocks: new Map([[block.pc, block]]),
        pages: new Map<bigint, number>(),
      };
      const bytes = emitRegion({ ...region, modeUsed: 0 }, frontEnd);
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { memory, table } });
      const run = exports['region'] as (env: number) => number;
      const random = new Random(op.length * 64 + type.charCodeAt(1));
      const view = new DataView(memory.buffer);
      const env = new DataView(new ArrayBuffer(0x1000));
      for (let n = 0; n < 60; n++) {
        const values = row.args.map((t) => operand(random, typeOf(t)));
        // Front ends guard these.
        if (
          /^(div|rem)/.test(op) &&
          (BigInt.asUintN(type === 'i32' ? 32 : 64, values[1]!) === 0n ||
            BigInt.asIntN(type === 'i32' ? 32 : 64, values[1]!) === -1n)
        )
          continue;
        for (const to of [view, env]) values.forEach((v, i) => to.setBigUint64(X.offset + 8 * i, v, true));
        view.setBigUint64(ENV.pc, block.pc, true);
        run(0);
        evaluateBlock(block, { env } as unknown as EvaluatorState);
        const [got, wanted] = [view, env].map((from) => from.getBigUint64(X.offset + 24, true)) as [
          bigint,
          bigint,
        ];
        if (isNan(result, got) && isNan(result, wanted)) continue;
        expect({ type, values, got }).toEqual({ type, values, got: wanted });
      }
    }
  });
});
