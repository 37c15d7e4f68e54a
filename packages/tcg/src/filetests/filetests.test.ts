import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ENV } from '../env.ts';
import { evaluateRegion, type EvaluatorState } from '../ir/evaluate.ts';
import type { HelperDef, Region } from '../ir/ir.ts';
import type { ParsedIr } from '../ir/parse.ts';
import { accessDescriptor } from '../lower/access-descriptor.ts';
import { optimize } from '../passes/optimize.ts';
import { emitRegion } from '../region/emit-region.ts';
import { FlatMachine } from '../testing/flat-machine.ts';
import { toyGuest } from '../testing/toy-front-end.ts';
import { applyPasses, printResult, readFileTests, regionOf, withResults } from './file-test.ts';
import type { Assignment, FileTest, RunLine } from './file-test.ts';

/** With UPDATE_FILETESTS=1 the expected texts are written anew, to be read before they are committed. */
const update = process.env['UPDATE_FILETESTS'] === '1';
const folder = new URL('./cases/', import.meta.url);

/** Helpers that run tests may call. */
const HELPERS: Record<string, (v: bigint) => bigint> = { twice: (v) => BigInt.asIntN(64, v * 2n) };

function machine(test: FileTest): FlatMachine {
  const { frontEnd } = toyGuest({ addressType: test.addressType, bigEndian: false, alignmentLog2: 0 });
  return new FlatMachine({ frontEnd, base: undefined, isa: HELPERS });
}

function offsetOf(parsed: ParsedIr, a: Assignment): { at: number; wide: boolean } {
  const file = parsed.files.get(a.file);
  if (file === undefined) throw new Error(`no register file ${a.file}`);
  return { at: file.offset + a.index * file.stride, wide: file.type === 'i64' };
}
function set(m: FlatMachine, parsed: ParsedIr, assignments: readonly Assignment[]): void {
  for (const a of assignments) {
    const { at, wide } = offsetOf(parsed, a);
    if (wide) m.setU64(at, BigInt.asUintN(64, a.value));
    else m.setI32(at, Number(BigInt.asIntN(32, a.value)));
  }
}
/** What a machine holds where the run line says something. */
function results(m: FlatMachine, parsed: ParsedIr, run: RunLine): string {
  return run.after
    .map((a) => {
      if (a.file === 'pc') return `pc=0x${m.u64(ENV.pc).toString(16)}`;
      const { at, wide } = offsetOf(parsed, a);
      return `${a.file}[${a.index}]=0x${(wide ? m.u64(at) : BigInt(m.i32(at) >>> 0)).toString(16)}`;
    })
    .join(', ');
}
function wanted(parsed: ParsedIr, run: RunLine): string {
  return run.after
    .map((a) => {
      const wide = a.file === 'pc' || offsetOf(parsed, a).wide;
      const name = a.file === 'pc' ? 'pc' : `${a.file}[${a.index}]`;
      return `${name}=0x${BigInt.asUintN(wide ? 64 : 32, a.value).toString(16)}`;
    })
    .join(', ');
}

function evaluate(region: Region, m: FlatMachine): void {
  const softmmu = m.imports['softmmu'] as Record<string, (...args: unknown[]) => bigint>;
  const state: EvaluatorState = {
    env: new DataView(m.memory.buffer, m.env, 0x1000),
    load: (at, mem) => softmmu['load']?.(0, at, accessDescriptor({ ...mem, signed: false }, 'i64')) ?? 0n,
    store: (at, value, mem) => void softmmu['store']?.(0, at, value, accessDescriptor(mem, 'i64')),
    call: (h: HelperDef, [v]) => HELPERS[h.name]?.(v as bigint) ?? 0n,
  };
  m.setU64(ENV.pc, evaluateRegion(region, state).pc);
}

function execute(region: Region, m: FlatMachine, test: FileTest): void {
  const { frontEnd } = toyGuest({ addressType: test.addressType, bigEndian: false, alignmentLog2: 0 });
  const module = new WebAssembly.Module(emitRegion(region, frontEnd));
  const f = new WebAssembly.Instance(module, m.imports).exports['region'] as (env: number) => number;
  m.setU64(ENV.pc, region.entry);
  f(m.env);
}

for (const name of readdirSync(folder).filter((n) => n.endsWith('.ir'))) {
  const text = readFileSync(new URL(name, folder), 'utf8');
  const { head, tests } = readFileTests(text);
  const printed = new Map<string, string>();

  describe(name, () => {
    test.each(tests.map((t) => [t.title, t] as const))('%s', (_, t) => {
      if (t.expected !== undefined) {
        const result = printResult(applyPasses(head, t));
        printed.set(t.title, result);
        if (!update) expect(result).toBe(t.expected);
      }
      for (const run of t.runs) {
        const ways: Record<string, (m: FlatMachine) => void> = {
          'as written': (m) => evaluate(regionOf(head, t).region, m),
          optimised: (m) => evaluate(optimize(regionOf(head, t).region), m),
          wasm: (m) => execute(regionOf(head, t).region, m, t),
          'wasm, optimised': (m) => execute(optimize(regionOf(head, t).region), m, t),
        };
        for (const [way, go] of Object.entries(ways)) {
          const m = machine(t);
          const { parsed, region } = regionOf(head, t);
          m.setI32(ENV.mode, region.mode);
          set(m, parsed, run.before);
          go(m);
          expect(`${way}: ${results(m, parsed, run)}`).toBe(`${way}: ${wanted(parsed, run)}`);
        }
      }
    });
    if (update) test('write results', () => writeFileSync(new URL(name, folder), withResults(text, printed)));
  });
}
