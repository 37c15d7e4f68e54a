// ns per operation, called from wasm: node --conditions=@polyvisor/source packages/softfloat/bench/operations.ts
import {
  FLAG,
  GUEST_OPTIONS,
  OPERATIONS,
  OPTION,
  ROUNDING,
  instantiateSoftfloat,
  probeHostFmaFused,
} from '../src/index.ts';
import type { OperandType, OperationName } from '../src/index.ts';
import { compileSoftfloat } from '../src/node/index.ts';
import { ROWS, ROWS_BASE, ROW_SIZE, buildLoopModule } from './loop-module.ts';

const FS = 64;
const COUNT = 2_000_000;
const ROUNDS = 5;
const { RNE, RTZ } = ROUNDING;
const FUSED = probeHostFmaFused() ? OPTION.HOST_FMA_FUSED : 0;

const NAMES: readonly OperationName[] = [
  ...(['i32_to_f64', 'f64_add', 'f64_mul', 'f64_div', 'f64_sqrt', 'f64_fma'] as const),
  ...(['f32_add', 'f32_mul', 'f32_div', 'f32_sqrt', 'f32_fma'] as const),
  ...([
    'f16_add',
    'f16_mul',
    'f16_div',
    'f16_sqrt',
    'f16_fma',
    'f16_lt',
    'f32_to_f16',
    'f16_to_f32',
  ] as const),
  ...([
    'f64_eq',
    'f64_lt',
    'f64_min',
    'f64_to_i32',
    'f64_to_i64',
    'i64_to_f64',
    'f64_to_f32',
    'f32_to_f64',
  ] as const),
];

/** How an operation is called: the state that decides which path it takes. */
interface Situation {
  readonly title: string;
  readonly flags: number;
  readonly options: number;
  readonly rm: number;
}

const SITUATIONS: readonly Situation[] = [
  { title: 'NX set', flags: FLAG.NX, options: GUEST_OPTIONS.riscv | FUSED, rm: RNE },
  // Flags are cleared before each batch only; inexact results would set NX, so operands are exact here.
  { title: 'NX clear', flags: 0, options: GUEST_OPTIONS.riscv | FUSED, rm: RNE },
  { title: 'RTZ', flags: FLAG.NX, options: GUEST_OPTIONS.riscv | FUSED, rm: RTZ },
  { title: 'no host fma', flags: FLAG.NX, options: GUEST_OPTIONS.riscv, rm: RNE },
];

const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
const softfloat = instantiateSoftfloat(compileSoftfloat(), memory);
const view = new DataView(memory.buffer);

function fill(types: readonly OperandType[], exact: boolean): void {
  for (let row = 0; row < ROWS; row++) {
    const base = ROWS_BASE + row * ROW_SIZE;
    for (const [i, type] of types.entries()) {
      const value = exact ? 2 ** (2 * ((row + i) % 9)) : 1 + ((row * 7919 + i * 104729) % 100_003) / 99_991;
      if (type === 'f64') view.setFloat64(base + 8 * i, value, true);
      else if (type === 'f32') view.setFloat32(base + 8 * i, value, true);
      else if (type === 'f16') {
        // Loaded as an i32, so what lies above must be 0; and not all of the values fit.
        view.setUint32(base + 8 * i, 0);
        view.setFloat16(base + 8 * i, value % 65504, true);
      } else view.setBigInt64(base + 8 * i, BigInt(row * 12_345_679 - 1_000_000_000), true);
    }
  }
}

function measure(name: OperationName, situation: Situation): number {
  const module = buildLoopModule(name, FS, situation.rm);
  const { run } = new WebAssembly.Instance(module, { env: { memory }, s: { f: softfloat[name] } }).exports;
  const loop = run as (count: number) => void;
  fill(OPERATIONS[name].operands, situation.flags === 0);
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    view.setUint32(FS, situation.flags, true);
    view.setUint32(FS + 4, situation.options, true);
    const start = performance.now();
    loop(COUNT);
    best = Math.min(best, performance.now() - start);
  }
  return (best * 1e6) / COUNT;
}

console.log(['ns/op'.padEnd(12), ...SITUATIONS.map(({ title }) => title.padStart(12))].join(''));
for (const name of NAMES) {
  const cells = SITUATIONS.map((situation) => measure(name, situation).toFixed(1).padStart(12));
  console.log([name.padEnd(12), ...cells].join(''));
}
