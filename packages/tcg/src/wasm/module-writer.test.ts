import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter, u32Length } from './byte-writer.ts';
import { FunctionWriter } from './function-writer.ts';
import { ModuleWriter } from './module-writer.ts';
import { ACCESS_LOG2, W, type WasmType } from './opcodes.ts';

/** A module with one exported function `f`, instantiated over a shared memory. */
function build<T>(
  params: readonly WasmType[],
  results: readonly WasmType[],
  write: (f: FunctionWriter, module: ModuleWriter) => void,
  more: WebAssembly.Imports = {},
): T {
  const module = new ModuleWriter();
  module.importMemory('m', 'memory');
  module.importTable('m', 'table');
  const f = new FunctionWriter();
  f.begin(params);
  write(f, module);
  module.exportFunction('f', module.addFunction(module.type(params, results), f));
  const bytes = module.finish();
  expect(WebAssembly.validate(bytes)).toBe(true);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: 4 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    m: { memory, table },
    ...more,
  });
  const f0 = exports['f'] as CallableFunction;
  table.set(1, f0);
  return f0 as T;
}

describe('ByteWriter', () => {
  test('unsigned LEB128 has the length that u32Length says, and grows the buffer', () => {
    const w = new ByteWriter(1);
    let length = 0;
    for (const n of [0, 1, 127, 128, 16383, 16384, 0x1fffff, 0x200000, 0xfffffff, 0x10000000, 0xffffffff]) {
      w.u32(n);
      length += u32Length(n);
      expect(w.length).toBe(length);
    }
    expect([...w.take().subarray(0, 4)]).toEqual([0, 1, 127, 128]);
  });

  test('names are ASCII', () => {
    expect(() => new ByteWriter().name('é')).toThrow('non-ASCII');
  });
});

describe('FunctionWriter and ModuleWriter', () => {
  test('constants of every size arrive', () => {
    const corners = [
      0n,
      63n,
      64n,
      -64n,
      -65n,
      8191n,
      8192n,
      0x7fffffffn,
      -0x80000000n,
      1n << 35n,
      -(1n << 63n),
    ];
    fc.assert(
      fc.property(
        fc.oneof(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n), fc.constantFrom(...corners)),
        (value) => {
          const f = build<() => bigint>([], ['i64'], (w) => w.i64(value));
          expect(f()).toBe(value);
          const small = Number(BigInt.asIntN(32, value));
          expect(build<() => number>([], ['i32'], (w) => w.i32(small))()).toBe(small);
          const bits = BigInt.asUintN(64, value);
          const back = build<() => bigint>([], ['i64'], (w) => {
            w.floatBits('f64', bits);
            w.op(W.i64ReinterpretF64);
          });
          expect(BigInt.asUintN(64, back())).toBe(bits);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('locals of all types are zero at first, keep their values and are reused once released', () => {
    const f = build<(a: number) => bigint>(['i32'], ['i64'], (w) => {
      const [i, l, d] = [w.temporary('i32'), w.temporary('i64'), w.temporary('f64')];
      w.release('i64', l);
      expect(w.temporary('i64')).toBe(l);
      expect(new Set([0, i, l, d]).size).toBe(4);
      w.get(0);
      w.op(W.i64ExtendI32S);
      w.tee(l);
      w.get(i);
      w.op(W.i64ExtendI32S);
      w.op(W.i64Add);
      w.get(d);
      w.op(W.i64TruncSatF64S);
      w.op(W.i64Add);
    });
    expect(f(-5)).toBe(-5n);
  });

  test('levels become relative depths through blocks, loops and tables', () => {
    const f = build<(n: number) => number>(['i32'], ['i32'], (w) => {
      const out = w.block();
      const [two, one] = [w.block(), w.block()];
      w.get(0);
      w.brTable([one, two, out]);
      w.end();
      w.i32(10);
      w.return();
      w.end();
      const sum = w.local('i32');
      const loop = w.loop();
      w.get(sum);
      w.i32(7);
      w.op(W.i32Add);
      w.tee(sum);
      w.i32(20);
      w.op(W.i32LtS);
      w.brIf(loop, true);
      w.get(sum);
      w.return();
      w.end();
      w.end();
      w.get(0);
      w.if('i32', false);
      w.i32(30);
      w.else();
      w.i32(40);
      w.end();
    });
    expect([0, 1, 2].map(f)).toEqual([10, 21, 30]);
  });

  test('calls, tail calls through the table and imported functions', () => {
    let seen = 0;
    const f = build<(n: number) => number>(
      ['i32'],
      ['i32'],
      (w, module) => {
        const type = module.type(['i32'], ['i32']);
        w.get(0);
        w.call(module.importFunction('h', 'see', ['i32'], []));
        expect(module.importFunction('h', 'see', ['i32'], [])).toBe(0);
        w.get(0);
        w.op(W.i32Eqz);
        w.if();
        w.i32(99);
        w.return();
        w.end();
        w.get(0);
        w.i32(1);
        w.op(W.i32Sub);
        w.i32(1);
        w.returnCallIndirect(type);
      },
      { h: { see: () => void seen++ } },
    );
    expect(f(100_000)).toBe(99);
    expect(seen).toBe(100_001);
  });

  test('every load and store is valid with its natural alignment', () => {
    for (const [name, code] of Object.entries(W)) {
      if (ACCESS_LOG2[code] === undefined) continue;
      const value = (/^[if]\d\d/.exec(name) as RegExpExecArray)[0] as WasmType;
      const stores = /Store|Rmw/.test(name);
      build([], [], (w) => {
        w.i32(64);
        const push = (): void =>
          value === 'i32' ? w.i32(1) : value === 'i64' ? w.i64(1n) : w.floatBits(value, 0n);
        if (stores) push();
        if (name.includes('Cmpxchg')) push();
        w.memory(code, 8);
        if (!name.includes('Store')) w.op(W.drop);
      });
    }
  });

  test('a block left open is refused', () => {
    const f = new FunctionWriter();
    f.begin([]);
    f.block();
    expect(() => f.finish(new ByteWriter(), new ByteWriter())).toThrow('left open');
  });
});
