import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { EvaluatedHart, type EvaluatedTier } from './evaluated-hart.ts';
import { fillRow, floatWidth, PLAIN_ROWS, randomCase } from './random-program.ts';
import { ORACLE_PROGRAMS, QemuOracle } from './qemu-oracle.ts';
import { Random } from '../src/testing/random.ts';
import { CASE } from './test-case.ts';
import { WasmHart, type WasmTier } from './wasm-hart.ts';

type Tier = EvaluatedTier | WasmTier;

const TIERS: readonly Tier[] = ['constant', 'record', 'interpreter', 'plain region', 'region'];
const CASES_PER_INSTRUCTION = Number(process.env['DIFFERENTIAL_CASES'] ?? 12);
const PROGRAMS = Number(process.env['DIFFERENTIAL_PROGRAMS'] ?? 150);
const SEED = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);

const MODULES = ['softfloat', 'tcg', 'isa-riscv'];
const missing = MODULES.map((p) => new URL(`../../${p}/dist/${p}.wasm`, import.meta.url).pathname).filter(
  (path) => !existsSync(path),
);

const PLACES: readonly (readonly [name: string, offset: number, count: number, stride: number])[] = [
  ['x', CASE.x, 32, 8],
  ['f', CASE.f, 32, 8],
  ['fcsr', CASE.fcsr, 1, 8],
  ['scratch', CASE.scratch, CASE.scratchSize / 8, 8],
];

/** The first places where two finished cases differ, as text. */
function differences(ours: Uint8Array, theirs: Uint8Array): string[] {
  const [a, b] = [ours, theirs].map((u) => new DataView(u.buffer, u.byteOffset, u.length)) as [
    DataView,
    DataView,
  ];
  return PLACES.flatMap(([name, offset, count, stride]) =>
    [...Array(count).keys()].flatMap((i) => {
      const [x, y] = [a, b].map((v) => v.getBigUint64(offset + i * stride, true).toString(16)) as [
        string,
        string,
      ];
      return x === y ? [] : [`${name}${i}: ${x} but ${y}`];
    }),
  ).slice(0, 4);
}

const concatenate = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.length * CASE.size);
  parts.forEach((p, i) => all.set(p, i * CASE.size));
  return all;
};

describeWith({ programs: ORACLE_PROGRAMS, devices: missing }, 'translations against QEMU', () => {
  let oracle: QemuOracle;
  let hart: EvaluatedHart;
  let wasm: WasmHart;
  beforeAll(() => {
    oracle = new QemuOracle();
    hart = new EvaluatedHart();
    wasm = new WasmHart();
  });
  afterAll(() => oracle.close());

  /** Runs cases on both sides; tells which differ, each with its label. */
  function compare(
    cases: readonly Uint8Array[],
    labels: readonly string[],
    tier: Tier,
    hostFma: boolean,
  ): string[] {
    const theirs = oracle.run(concatenate(cases));
    return cases.flatMap((bytes, i) => {
      const ours = bytes.slice();
      try {
        if (tier === 'constant' || tier === 'record') hart.run(ours, tier, hostFma);
        else wasm.run(ours, tier);
      } catch (error) {
        return [`${labels[i]}: ${String(error)}`];
      }
      const found = differences(ours, theirs.subarray(i * CASE.size, (i + 1) * CASE.size));
      return found.length === 0 ? [] : [`${labels[i]}: ${found.join('; ')}`];
    });
  }

  test.each(TIERS)('every instruction by itself, %s', (tier) => {
    const random = new Random(SEED);
    const words = PLAIN_ROWS.flatMap((row) =>
      Array.from({ length: CASES_PER_INSTRUCTION }, () => [row[0], fillRow(random, row)] as const),
    );
    const cases = words.map(([name, word]) => randomCase(random, [word], floatWidth(name)));
    const labels = words.map(([name, word]) => `${name} ${word.toString(16)}`);
    expect(compare(cases, labels, tier, tier === 'record').slice(0, 30)).toEqual([]);
  });

  test.each(TIERS)('random programs, %s', (tier) => {
    const random = new Random(SEED + 1);
    const cases = Array.from({ length: PROGRAMS }, () => randomCase(random, 30));
    const labels = cases.map((_, i) => `program ${i}`);
    expect(compare(cases, labels, tier, tier === 'constant').slice(0, 10)).toEqual([]);
  });
});
