import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Worker } from 'node:worker_threads';
import { createPlic, createRecordingSignals, MIP_MEIP, MIP_SEIP, plicWords } from '../index.ts';
import type { Plic, RecordingSignals } from '../index.ts';
import { loadPlic, savePlic } from '../save-state.ts';

const PRIORITY = (source: number): number => source * 4;
const ENABLE = (context: number, word = 0): number => 0x2000 + context * 0x80 + word * 4;
const THRESHOLD = (context: number): number => 0x200000 + context * 0x1000;
const CLAIM = (context: number): number => 0x200004 + context * 0x1000;

function open(harts = 2): { plic: Plic; signals: RecordingSignals; words: Int32Array } {
  const words = new Int32Array(new SharedArrayBuffer(plicWords(harts) * 4));
  const signals = createRecordingSignals(harts);
  return { plic: createPlic({ words, harts, signals }), signals, words };
}

describe('PLIC', () => {
  test('a line goes up, is claimed, completed, and comes again while it is still up', () => {
    const { plic, signals } = open();
    plic.write(PRIORITY(10), 4, 1, 0);
    plic.write(ENABLE(1), 4, 1 << 10, 0);
    const line = plic.line(10);
    line.set(true);
    expect(signals.mip).toEqual([1 << MIP_SEIP, 0]);
    expect(plic.read(0x1000, 4)).toBe(1 << 10);
    expect(plic.read(CLAIM(1), 4)).toBe(10);
    expect(signals.mip).toEqual([0, 0]);
    expect(plic.read(CLAIM(1), 4)).toBe(0);
    plic.write(CLAIM(1), 4, 10, 0);
    expect(signals.mip).toEqual([1 << MIP_SEIP, 0]);
    expect(plic.read(CLAIM(1), 4)).toBe(10);
    line.set(false);
    plic.write(CLAIM(1), 4, 10, 0);
    expect(signals.mip).toEqual([0, 0]);
  });

  test('priority, then the lowest number wins; threshold masks the output but not the claim', () => {
    const { plic, signals } = open();
    for (const source of [3, 40, 41]) plic.write(PRIORITY(source), 4, source === 3 ? 1 : 5, 0);
    plic.write(ENABLE(2, 0), 4, 1 << 3, 0);
    plic.write(ENABLE(2, 1), 4, (1 << 8) | (1 << 9), 0);
    plic.write(THRESHOLD(2), 4, 5, 0);
    for (const source of [3, 41, 40]) plic.line(source).set(true);
    expect(signals.mip).toEqual([0, 0]);
    plic.write(THRESHOLD(2), 4, 4, 0);
    expect(signals.mip).toEqual([0, 1 << MIP_MEIP]);
    expect([1, 2, 3, 4].map(() => plic.read(CLAIM(2), 4))).toEqual([40, 41, 3, 0]);
  });

  test('a completion by a context that has not enabled the source is ignored', () => {
    const { plic } = open();
    plic.write(PRIORITY(5), 4, 7, 0);
    plic.write(ENABLE(0), 4, 1 << 5, 0);
    plic.line(5).set(true);
    expect(plic.read(CLAIM(0), 4)).toBe(5);
    plic.write(CLAIM(1), 4, 5, 0);
    expect(plic.read(CLAIM(0), 4)).toBe(0);
    plic.write(CLAIM(0), 4, 5, 0);
    expect(plic.read(CLAIM(0), 4)).toBe(5);
  });

  test('no access does harm, source 0 never exists, odd widths are bus errors', () => {
    const { plic, signals, words } = open(1);
    fc.assert(
      fc.property(
        fc.nat(0x5fffff),
        fc.constantFrom(1, 2, 4, 8),
        fc.nat(0xffffffff),
        (offset, width, value) => {
          plic.write(offset, width, value, 0);
          expect(plic.fault).toBe(width !== 4 || offset % 4 !== 0);
          expect(plic.read(offset, width)).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 2000 },
    );
    expect(plic.read(0, 4)).toBe(0);
    expect(plic.read(0x1000, 4) & 1).toBe(0);
    expect(plic.read(ENABLE(0), 4) & 1).toBe(0);
    expect(words[0]).toBe(0);
    expect(signals.mip).toHaveLength(1);
  });

  test('a saved state loads into an equal controller and drives the same outputs', () => {
    const registers = fc.oneof(
      fc.integer({ min: 1, max: 95 }).map(PRIORITY),
      fc.constantFrom(ENABLE(0), ENABLE(1), ENABLE(3, 2), THRESHOLD(0), THRESHOLD(3), CLAIM(1), CLAIM(3)),
    );
    const action = fc.oneof(
      fc.record({ offset: registers, value: fc.nat(0xffffffff) }),
      fc.record({ source: fc.integer({ min: 1, max: 95 }), level: fc.boolean() }),
      fc.record({ claim: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const from = open();
        for (const step of actions) {
          if ('offset' in step) from.plic.write(step.offset, 4, step.value, 0);
          else if ('source' in step) from.plic.line(step.source).set(step.level);
          else from.plic.read(CLAIM(step.claim), 4);
        }
        const saved = savePlic(from.plic);
        const to = open();
        loadPlic(to.plic, saved);
        expect(savePlic(to.plic)).toEqual(saved);
        expect(to.words).toEqual(from.words);
        expect(to.signals.mip).toEqual(from.signals.mip);
      }),
      { numRuns: 100 },
    );
  });

  test('a state of another number of harts is refused and leaves a reset controller', () => {
    const { plic, signals } = open(2);
    const saved = savePlic(open(1).plic);
    plic.write(PRIORITY(1), 4, 1, 0);
    plic.write(ENABLE(1), 4, 2, 0);
    plic.line(1).set(true);
    expect(() => loadPlic(plic, saved)).toThrow('bad saved state of the PLIC');
    expect(signals.mip).toEqual([0, 0]);
    expect(plic.read(PRIORITY(1), 4)).toBe(0);
  });

  test('each rise is claimed exactly once while two threads raise and claim', async () => {
    const harts = 1;
    const words = new Int32Array(new SharedArrayBuffer(plicWords(harts) * 4));
    const shared = new Int32Array(new SharedArrayBuffer(16));
    const worker = new Worker(RAISER, {
      eval: true,
      workerData: { words, shared, harts, module: new URL('../index.ts', import.meta.url).href },
    });
    const plic = createPlic({ words, harts, signals: createRecordingSignals(harts) });
    for (let source = 1; source <= 8; source++) plic.write(PRIORITY(source), 4, 1, 0);
    plic.write(ENABLE(1), 4, 0x1fe, 0);
    let claimed = 0;
    const rounds = 4000;
    const deadline = Date.now() + 20_000;
    while (claimed < rounds && Date.now() < deadline) {
      const source = plic.read(CLAIM(1), 4);
      if (source === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      claimed++;
      // The device lowers its line as its handler serves it, then lets the raiser go on.
      Atomics.store(shared, 0, source);
      Atomics.notify(shared, 0);
      while (Atomics.load(shared, 0) !== 0) Atomics.wait(shared, 0, source, 10);
      plic.write(CLAIM(1), 4, source, 0);
    }
    expect(claimed).toBe(rounds);
    expect(plic.read(CLAIM(1), 4)).toBe(0);
    Atomics.store(shared, 0, -1);
    Atomics.notify(shared, 0);
    await new Promise((resolve) => worker.once('exit', resolve));
  });
});

const RAISER = `
  const { workerData } = require('node:worker_threads');
  import(workerData.module).then(({ createPlic, createRecordingSignals }) => {
    const { words, shared, harts } = workerData;
    const plic = createPlic({ words, harts, signals: createRecordingSignals(harts) });
    const lines = Array.from({ length: 8 }, (_, index) => plic.line(index + 1));
    for (let round = 0; round < 4000; round++) {
      const line = lines[round % 8];
      line.set(true);
      Atomics.wait(shared, 0, 0);
      line.set(false);
      Atomics.store(shared, 0, 0);
      Atomics.notify(shared, 0);
    }
    Atomics.wait(shared, 0, 0);
  });
`;
