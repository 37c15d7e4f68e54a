import { afterAll, describe, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readElf } from './guest-elf.ts';
import { runSuites, type TestResult } from './run-suites.ts';
import { compareSignature } from './suites.ts';

const BASE = 0x8000_0000;
const DATA = 0x1000;

/** An ELF file of one segment: code, then data at DATA; `tohost` and a signature of two words lie there. */
function elfOf(code: readonly number[]): Uint8Array {
  const names = '\0tohost\0begin_signature\0end_signature\0';
  const symbols = [
    [1, BASE + DATA],
    [8, BASE + DATA + 16],
    [24, BASE + DATA + 24],
  ] as const;
  const bytes = new Uint8Array(0x3000);
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  put(24, BASE);
  put(32, 64); // program headers
  put(40, 0x2000); // section headers
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 3, true);
  view.setUint32(64, 1, true);
  put(72, 0x100);
  put(88, BASE);
  put(96, DATA + 32);
  put(104, DATA + 32);
  new Uint32Array(bytes.buffer, 0x100, code.length).set(code);
  // Section 1: symbols, which name section 2: strings.
  view.setUint32(0x2040 + 4, 2, true);
  put(0x2040 + 24, 0x2800);
  put(0x2040 + 32, symbols.length * 24);
  view.setUint32(0x2040 + 40, 2, true);
  put(0x2080 + 24, 0x2900);
  put(0x2080 + 32, names.length);
  symbols.forEach(([name, value], i) => {
    view.setUint32(0x2800 + i * 24, name, true);
    put(0x2800 + i * 24 + 8, value);
  });
  bytes.set(Buffer.from(names), 0x2900);
  return bytes;
}

const END_WITH = (value: number): number[] => [
  0x0000_1297, // auipc t0, 1
  0x0000_0313 | (value << 20), // li t1, value
  0x0062_b823, // sd t1, 16(t0): first words of the signature
  0x0062_b023, // sd t1, 0(t0): tohost
  0x0000_006f, // j .
];

const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
afterAll(() => rmSync(folder, { recursive: true }));
const put = (suite: string, name: string, data: Uint8Array | string): void => {
  mkdirSync(join(folder, suite), { recursive: true });
  writeFileSync(join(folder, suite, name), data);
};
put('riscv-tests', 'rv64ui-p-good', elfOf(END_WITH(1)));
put('riscv-tests', 'rv64ui-p-bad', elfOf(END_WITH(7)));
put('riscv-tests', 'rv64ui-p-endless', elfOf([0x0000_006f]));
put('riscv-tests', 'rv64ui-p-foreign', 'no ELF file at all, but long enough for a header, which is 64 bytes');
put('riscv-tests', 'rv64ui-p-good.dump', 'not a test');
put('riscv-arch-test', 'same.elf', elfOf(END_WITH(1)));
put('riscv-arch-test', 'same.reference', '00000001\n00000000\n');
put('riscv-arch-test', 'other.elf', elfOf(END_WITH(1)));
put('riscv-arch-test', 'other.reference', '00000001\n00000002\n');
put('riscv-arch-test', 'none.elf', elfOf(END_WITH(1)));

async function results(tier: TestResult['tier'], from = folder): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  const selection = { folder: from, suites: ['riscv-tests', 'riscv-arch-test'], tiers: [tier], filter: '' };
  for await (const result of runSuites({ ...selection, limits: { instructions: 1e6, cpuSeconds: 1 } })) {
    const reason = result.reason === undefined ? '' : `: ${result.reason}`;
    all[`${result.suite}/${result.test}`] = result.status + reason;
  }
  return all;
}

const built = ['tcg', 'isa-riscv', 'softfloat'].map(
  (name) => new URL(`../../../${name}/dist/${name}.wasm`, import.meta.url).pathname,
);

describeWith({ devices: built }, 'the runner of conformance suites', () => {
  test.each(['interpreter', 'translator', 'lockstep', 'auto'] as const)(
    'tells good from bad, %s',
    async (tier) => {
      expect(await results(tier)).toEqual({
        'riscv-tests/rv64ui-p-bad': 'failed: check 3',
        'riscv-tests/rv64ui-p-endless': 'failed: limit at pc 0x80000000',
        'riscv-tests/rv64ui-p-foreign': 'failed: not a 64-bit RISC-V ELF file',
        'riscv-tests/rv64ui-p-good': 'passed',
        'riscv-arch-test/none': 'skipped: no file none.reference',
        'riscv-arch-test/other': 'failed: word 1 is 00000000, reference 00000002',
        'riscv-arch-test/same': 'passed',
      });
    },
  );
  test('a missing suite is told', async () => {
    const empty = join(folder, 'nothing');
    expect(await results('interpreter', empty)).toEqual({
      'riscv-tests/*': `skipped: no folder ${empty}/riscv-tests`,
      'riscv-arch-test/*': `skipped: no folder ${empty}/riscv-arch-test`,
    });
  });
});

describe('files', () => {
  test('truncated programs are refused', () => {
    const whole = elfOf(END_WITH(1));
    for (const length of [8, 64, 0x100, 0x2000, 0x2041, 0x2801])
      expect(() => readElf(whole.subarray(0, length))).toThrow();
  });
  test('signatures', () => {
    expect(compareSignature(new Uint8Array(4), '00000000\n00000000').reason).toBe('1 words, reference has 2');
    expect(compareSignature(Uint8Array.of(1, 2, 3, 0xff), 'FF030201').status).toBe('passed');
    expect(compareSignature(new Uint8Array(4), '').status).toBe('failed');
  });
});
