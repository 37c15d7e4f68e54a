import { describe, expect, test } from '@jest/globals';
import { Random, randomBlock, randomChain } from '../filetests/random-block.ts';
import { randomState, type ComparableState } from '../filetests/random-state.ts';
import { evaluateBlock, evaluateRegion } from '../ir/evaluate.ts';
import type { Block, Region } from '../ir/ir.ts';
import { printRegion } from '../ir/print.ts';
import { verifyRegion } from '../ir/verify.ts';
import { buildGraph } from './graph.ts';
import { optimize, optimizeBlock, PASSES } from './optimize.ts';

/** Compares cheaply: `expect` is slow, and long strings are what is compared most. */
function same(seed: number, got: unknown, want: unknown): void {
  if (typeof got === 'string' ? got === want : JSON.stringify(got, big) === JSON.stringify(want, big)) return;
  expect([seed, got]).toEqual([seed, want]);
}
const big = (_: string, v: unknown): unknown => (typeof v === 'bigint' ? `${v}` : v);

const regionOf = (...blocks: Block[]): Region => ({
  entry: (blocks[0] as Block).pc,
  mode: 0,
  blocks: new Map(blocks.map((b) => [b.pc, b])),
  pages: new Map(),
});

/** A region of blocks that go to each other, and sometimes out. */
function randomRegion(seed: number): Region {
  const random = new Random(seed);
  const count = 1 + random.below(6);
  const targets = [...Array.from({ length: count }, (_, i) => 0x1000n + BigInt(i) * 0x100n), 0x9000n];
  return regionOf(
    ...Array.from({ length: count }, (_, i) =>
      randomBlock(random, {
        pc: 0x1000n + BigInt(i) * 0x100n,
        targets,
        instructions: 1 + random.below(4),
        quiet: random.below(3) > 0,
        ...(random.below(3) === 0
          ? { terminator: () => ({ kind: 'goto', target: random.pick(targets) }) as const }
          : {}),
      }),
    ),
  );
}

describe('passes keep what blocks mean', () => {
  test.each(Object.keys(PASSES))('%s, one block', (name) => {
    for (let seed = 1; seed <= 250; seed++) {
      const make = (): Region =>
        regionOf(
          randomBlock(new Random(seed), {
            instructions: 8,
            targets: [0x5000n, 0x6000n],
            quiet: seed % 3 === 0,
          }),
        );
      const original = make();
      const region = make();
      PASSES[name]?.(region);
      same(seed, verifyRegion(region, { addressType: 'i64' }), []);
      for (const start of [seed, seed + 1]) {
        const delta = BigInt(start % 3) * 0x7fff_ffff_f000n;
        const state = (): ComparableState => randomState(new Random(start), 8n, delta);
        const [a, b] = [state(), state()];
        const want = evaluateBlock(original.blocks.get(0x1000n) as Block, a);
        const got = evaluateBlock(region.blocks.get(0x1000n) as Block, b);
        // A computed jump may have become direct.
        same(seed, { ...got, by: '' }, { ...want, by: '' });
        same(seed, b.snapshot(), a.snapshot());
      }
    }
  });

  test('chains of shifts, masks and extensions', () => {
    let [before, after] = [0, 0];
    for (let seed = 1; seed <= 4000; seed++) {
      const original = randomChain(new Random(seed));
      const block = optimizeBlock(randomChain(new Random(seed)));
      before += original.insts.length;
      after += block.insts.length;
      for (const start of [seed]) {
        const [a, b] = [randomState(new Random(start)), randomState(new Random(start))];
        evaluateBlock(original, a);
        evaluateBlock(block, b);
        same(seed, b.snapshot(), a.snapshot());
      }
    }
    expect(after).toBeLessThan(before * 0.95);
  });

  test('loops of quiet blocks: what is dead between blocks', () => {
    const make = (seed: number): Region => {
      const random = new Random(seed);
      const at = (i: number): bigint => 0x1000n + BigInt(i) * 0x100n;
      const count = 2 + random.below(5);
      const target = (): bigint => (random.below(8) === 0 ? 0x9000n : at(random.below(count)));
      return regionOf(
        ...Array.from({ length: count }, (_, i) =>
          randomBlock(random, {
            pc: at(i),
            targets: [at(random.below(count)), 0x9000n],
            instructions: 1 + random.below(5),
            quiet: random.below(4) === 0 ? true : 'straight',
            terminator: (_b, _r, any) =>
              random.below(2) === 0
                ? { kind: 'goto', target: target() }
                : { kind: 'branch', condition: any(), taken: target(), notTaken: target() },
          }),
        ),
      );
    };
    for (let seed = 1; seed <= 1200; seed++) {
      const [original, region] = [make(seed), optimize(make(seed))];
      const graph = buildGraph(region);
      const headers = new Set(graph.keys.filter((_, i) => graph.header[i]));
      const run = (r: Region): string[] => {
        const state = randomState(new Random(seed));
        const seen: string[] = [];
        const onBlock = (key: bigint): void =>
          void (headers.has(key) && seen.push(`${key} ${state.snapshot()}`));
        const outcome = evaluateRegion(r, state, { limit: 25, onBlock });
        if (!r.blocks.has(outcome.pc)) seen.push(`${outcome.pc} ${state.snapshot()}`);
        return seen;
      };
      const [want, got] = [run(original), run(region)];
      const both = Math.min(want.length, got.length);
      same(seed, got.slice(0, both), want.slice(0, both));
    }
  });

  test.each(['merge', 'registers', 'optimize'])('%s, regions, seen from every loop header', (name) => {
    let finished = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const original = randomRegion(seed);
      const region = randomRegion(seed);
      PASSES[name]?.(region);
      same(seed, verifyRegion(region, { addressType: 'i64' }), []);
      const graph = buildGraph(region);
      const headers = new Set(graph.keys.filter((_, i) => graph.header[i]));
      const [a, b] = [randomState(new Random(seed), 64n), randomState(new Random(seed), 64n)];
      const seenA: string[] = [];
      const seenB: string[] = [];
      const walk = (r: Region, state: typeof a, seen: string[]) =>
        evaluateRegion(r, state, {
          limit: 60,
          onBlock: (key) => void (headers.has(key) && seen.push(`${key} ${state.snapshot()}`)),
        });
      const want = walk(original, a, seenA);
      const got = walk(region, b, seenB);
      const both = Math.min(seenA.length, seenB.length);
      same(seed, seenB.slice(0, both), seenA.slice(0, both));
      // Merged blocks make the walks' limits differ.
      if (want.kind === 'exit' && original.blocks.has(want.pc)) continue;
      finished++;
      same(seed, { ...got, by: '' }, { ...want, by: '' });
      same(seed, b.snapshot(), a.snapshot());
    }
    expect(finished).toBeGreaterThan(200);
  });

  test('optimising twice changes little, and shrinks', () => {
    let [before, once, twice] = [0, 0, 0];
    for (let seed = 1; seed <= 100; seed++) {
      const region = randomRegion(seed);
      const size = (): number => [...region.blocks.values()].reduce((n, b) => n + b.insts.length, 0);
      before += size();
      optimize(region);
      once += size();
      optimize(region);
      twice += size();
    }
    expect(once).toBeLessThan(before * 0.8);
    expect(twice).toBeGreaterThan(once * 0.97);
  });

  test('blocks may be seen at their start when they are counted', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const original = randomRegion(seed);
      const region = optimize(randomRegion(seed), { everyBlock: true });
      const [a, b] = [randomState(new Random(seed), 64n), randomState(new Random(seed), 64n)];
      const seen = (r: Region, state: typeof a): string[] => {
        const list: string[] = [];
        evaluateRegion(r, state, {
          limit: 40,
          onBlock: (key) => void (region.blocks.has(key) && list.push(`${key} ${state.snapshot()}`)),
        });
        return list;
      };
      const [want, got] = [seen(original, a), seen(region, b)];
      const both = Math.min(want.length, got.length);
      same(seed, got.slice(0, both), want.slice(0, both));
    }
  });

  test('optimizeBlock gives sound blocks', () => {
    const block = optimizeBlock(randomBlock(new Random(5)));
    expect(printRegion(regionOf(block))).toContain('block 0x1000');
    expect(verifyRegion(regionOf(block))).toEqual([]);
  });
});
