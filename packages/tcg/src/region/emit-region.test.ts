import { describe, expect, test } from '@jest/globals';
import { ENV, EXIT } from '../env.ts';
import { Random, RANDOM_GUEST, randomBlock } from '../filetests/random-block.ts';
import { evaluateBlock, type EvaluatorState, type Outcome } from '../ir/evaluate.ts';
import { moveValues, renameTerminator } from '../ir/edges.ts';
import type { Block, HelperDef, Inst, Region, RegisterFile } from '../ir/ir.ts';
import { accessDescriptor } from '../lower/access-descriptor.ts';
import { FlatMachine } from '../testing/flat-machine.ts';
import { toyGuest } from '../testing/toy-front-end.ts';
import { emitRegion, type RegionOptions } from './emit-region.ts';

const { frontEnd } = toyGuest({ addressType: 'i64', bigEndian: false, alignmentLog2: 0 });

/** Helpers of random blocks, over a machine's vCPU block. */
function helpers(m: FlatMachine): Record<string, (...args: never[]) => number | bigint | void> {
  const { x, w, field } = RANDOM_GUEST;
  let fuel = 0;
  return {
    mix: (a: bigint, b: bigint) => BigInt.asIntN(64, a * 3n + b),
    touch: (v: number) => {
      m.setI32(field, m.i32(field) + v);
      return m.i32(field) ^ 5;
    },
    shuffle: (v: bigint) => {
      for (let i = 1; i < x.count; i++)
        m.setU64(x.offset + 8 * i, BigInt.asUintN(64, m.u64(x.offset + 8 * i) + v));
      for (let i = 0; i < w.count; i++) m.setI32(w.offset + 4 * i, m.i32(w.offset + 4 * i) ^ i);
    },
    fuel: () => {
      if (++fuel > TANK) m.setI32(ENV.fault, 8);
    },
    check: (v: bigint) => {
      if ((v & 63n) === 5n) m.setI32(ENV.fault, 3);
      return v + 1n;
    },
  } as Record<string, (...args: never[]) => number | bigint | void>;
}

function machine(seed: number): FlatMachine {
  const isa = {};
  const m = new FlatMachine({ frontEnd, base: undefined, isa });
  Object.assign(m.imports['isa']!, helpers(m));
  const random = new Random(seed);
  for (let i = 1; i < RANDOM_GUEST.x.count; i++) m.setU64(RANDOM_GUEST.x.offset + 8 * i, random.bits(64));
  for (let i = 0; i < RANDOM_GUEST.w.count; i++)
    m.setI32(RANDOM_GUEST.w.offset + 4 * i, Number(random.bits(32)) | 0);
  m.setU64(RANDOM_GUEST.field, random.bits(64));
  for (let i = 0; i < 0x8000; i++) m.bytes[m.ram + i] = (i * 37 + (i >> 8)) & 255;
  return m;
}

function evaluatorState(m: FlatMachine, delta: bigint): EvaluatorState {
  const softmmu = m.imports['softmmu'] as Record<string, (...args: unknown[]) => bigint>;
  const isa = m.imports['isa'] as Record<string, (...args: unknown[]) => bigint | number | undefined>;
  return {
    env: new DataView(m.memory.buffer, m.env, 0x1000),
    delta,
    load: (address, mem) => softmmu['load']!(0, address, accessDescriptor({ ...mem, signed: false }, 'i64')),
    store: (address, value, mem) => void softmmu['store']!(0, address, value, accessDescriptor(mem, 'i64')),
    call: (h: HelperDef, args) =>
      BigInt(
        isa[h.name]!(
          ...args.map((a, i) =>
            h.params[i] === 'i32' ? Number(BigInt.asIntN(32, a)) : BigInt.asIntN(64, a),
          ),
        ) ?? 0,
      ),
  };
}

/** More registers, so that sets of them have more than one word and use the sign bit. */
const PAD: RegisterFile = { name: 'pad', type: 'i64', offset: 0x600, count: 60, stride: 8 };

/** The block, counting up all registers of {@link PAD} first. */
function withPad(block: Block): Block {
  const [first, ...rest] = block.insts;
  const pad: Inst[] = [{ op: 'const', type: 'i64', args: [], imm: 1n }];
  for (let index = 0; index < PAD.count; index++) {
    const reg = { file: PAD, index };
    pad.push({ op: 'get', type: 'i64', args: [], reg });
    pad.push({ op: 'add', type: 'i64', args: [pad.length, 1] });
    pad.push({ op: 'put', type: 'i64', args: [pad.length], reg });
  }
  moveValues(rest, pad.length);
  const terminator = renameTerminator(block.terminator, (v) => v + pad.length);
  return { ...block, insts: [first!, ...pad, ...rest], terminator };
}

function regionOf(blocks: readonly Block[]): Region {
  return { entry: blocks[0]!.pc, mode: 0, blocks: new Map(blocks.map((b) => [b.pc, b])), pages: new Map() };
}

function runRegion(m: FlatMachine, region: Region, options: RegionOptions, delta: bigint): number {
  const bytes = emitRegion(region, frontEnd, options);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), m.imports);
  m.setU64(ENV.pc, BigInt.asUintN(64, region.entry + delta));
  return (instance.exports['region'] as (env: number) => number)(m.env);
}

/** Blocks that {@link walk} went through. */
let walked = 0;
/** Blocks that a random region executes at most: {@link FUEL} raises then. */
const TANK = 40;

const FUEL: HelperDef = {
  name: 'fuel',
  module: 'isa',
  params: [],
  result: null,
  effect: 'state',
  mayFault: true,
  noReturn: false,
};

/** The block, calling {@link FUEL} first. */
function withFuel(block: Block): Block {
  const [first, ...rest] = block.insts;
  moveValues(rest, 1);
  const call: Inst = { op: 'call_void', type: 'i32', args: [], helper: FUEL };
  return {
    ...block,
    insts: [first!, call, ...rest],
    terminator: renameTerminator(block.terminator, (v) => v + 1),
  };
}

/** Walks blocks until control leaves, or until the budget (when given) does not suffice for the next block. */
function walk(m: FlatMachine, region: Region, budget: number | undefined, delta: bigint): Outcome | 'budget' {
  const state = evaluatorState(m, delta);
  let block = region.blocks.get(region.entry)!;
  for (walked = 1; walked < 400; walked++) {
    if (budget !== undefined) {
      if (m.i32(ENV.budget) < block.instructions) {
        m.setU64(ENV.pc, BigInt.asUintN(64, block.pc + delta));
        return 'budget';
      }
      m.setI32(ENV.budget, m.i32(ENV.budget) - block.instructions);
    }
    let seen = 0;
    // Counts the instructions that were begun: a `leave` may cut a block short.
    const insts = new Proxy(block.insts, {
      get: (list, key): unknown => {
        const value = Reflect.get(list, key) as { op?: string };
        if (value?.op === 'insn') seen++;
        return value;
      },
    });
    const outcome = evaluateBlock({ ...block, insts }, state);
    if (budget !== undefined) m.setI32(ENV.budget, m.i32(ENV.budget) + block.instructions - seen);
    m.setU64(ENV.pc, outcome.pc);
    const next = region.blocks.get(BigInt.asUintN(64, outcome.pc - delta));
    if (outcome.kind !== 'next' || outcome.by === 'indirect' || next === undefined) return outcome;
    block = next;
  }
  throw new Error('fuel did not end it');
}

function expectEqual(
  a: FlatMachine,
  b: FlatMachine,
  code: number,
  outcome: Outcome | 'budget',
  seed: number,
): void {
  const expected = outcome === 'budget' ? EXIT.budget : outcome.kind === 'next' ? EXIT.next : EXIT.unwind;
  const state = (m: FlatMachine): unknown => ({
    seed,
    pc: m.u64(ENV.pc),
    fault: m.i32(ENV.fault),
    budget: m.i32(ENV.budget),
    x: Array.from({ length: RANDOM_GUEST.x.count }, (_, i) => m.u64(RANDOM_GUEST.x.offset + 8 * i)),
    w: Array.from({ length: RANDOM_GUEST.w.count }, (_, i) => m.i32(RANDOM_GUEST.w.offset + 4 * i)),
    field: m.u64(RANDOM_GUEST.field),
    pad: Array.from({ length: PAD.count }, (_, i) => m.u64(PAD.offset + 8 * i)),
  });
  expect({ ...(state(a) as object), code }).toEqual({ ...(state(b) as object), code: expected });
  expect(
    Buffer.compare(a.bytes.subarray(a.ram, a.ram + 0x40010), b.bytes.subarray(b.ram, b.ram + 0x40010)),
  ).toBe(0);
}

/** How far from where they were translated for regions run. */
const DELTAS = [0n, 0x5000n, -0x1000n, 0x7654_3210_f000n, -0x7fff_ffff_8000_0000n];
const deltaOf = (seed: number): bigint => DELTAS[(seed >> 1) % DELTAS.length]!;

const seeds = (n: number): number[] => Array.from({ length: n }, (_, i) => 2 * i + 2);

describe('emitRegion', () => {
  test('random straight-line blocks do what they mean', () => {
    let faults = 0;
    for (const seed of seeds(200)) {
      const block = randomBlock(new Random(seed), { instructions: 5 });
      // A jump back to the block itself would make a loop.
      const region = regionOf([{ ...block, pc: 0xf000n }]);
      const [a, b] = [machine(seed), machine(seed)];
      const outcome = walk(b, region, undefined, deltaOf(seed)) as Outcome;
      if (outcome.kind === 'fault') faults++;
      expectEqual(
        a,
        b,
        runRegion(a, region, { fixed: seed % 4 === 0 && deltaOf(seed) === 0n }, deltaOf(seed)),
        outcome,
        seed,
      );
    }
    expect(faults).toBeGreaterThan(15);
    expect(faults).toBeLessThan(180);
  });

  test.each([false, true])('random control flow, reducible or not (counting: %s)', (counting) => {
    let long = 0;
    for (const seed of seeds(160)) {
      const random = new Random(seed);
      const count = 2 + random.below(14);
      const pcs = Array.from({ length: count }, (_, i) => BigInt(0x1000 + i * 0x100));
      const targets = [...pcs, 0x9000n];
      const blocks = pcs
        .map((pc, i) =>
          randomBlock(random, {
            pc,
            instructions: 1 + random.below(3),
            targets,
            terminator: (_b, r, any32) => {
              const near = (): bigint =>
                r.below(2) === 0 ? pcs[Math.min(count - 1, i + 1 + r.below(3))]! : r.pick(targets);
              return r.below(4) === 0
                ? { kind: 'goto', target: near() }
                : { kind: 'branch', condition: any32(), taken: near(), notTaken: near() };
            },
          }),
        )
        .map(withFuel);
      if (seed % 4 === 0) blocks[0] = withPad(blocks[0]!);
      const region = regionOf(blocks);
      const [a, b] = [machine(seed), machine(seed)];
      const budget = counting ? random.below(120) : undefined;
      a.setI32(ENV.budget, budget ?? 0);
      b.setI32(ENV.budget, budget ?? 0);
      const outcome = walk(b, region, budget, deltaOf(seed));
      if (walked > 5) long++;
      expectEqual(
        a,
        b,
        runRegion(a, region, { counting, fixed: seed % 4 === 0 && deltaOf(seed) === 0n }, deltaOf(seed)),
        outcome,
        seed,
      );
    }
    expect(long).toBeGreaterThan(50);
  });
});
