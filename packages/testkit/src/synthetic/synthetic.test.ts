import { describe, expect, test } from '@jest/globals';
import {
  assertSound,
  Builder,
  evaluateBlock,
  ENV,
  PageReader,
  verifyBlock,
  type Decoded,
  type EvaluatorState,
} from '@polyvisor/tcg';
import { SyntheticAssembler } from './assembler.ts';
import { CAUSE, MODE_DELAY, SYSTEM } from './encoding.ts';
import { syntheticFrontEnd } from './front-end.ts';
import { readState, syntheticModules, writeState } from './host.ts';
import type { SyntheticOracle } from './oracle.ts';
import { Ports } from './ports.ts';
import { dice, randomProgram } from './random-program.ts';
import {
  initialState,
  oracleState,
  SYNTHETIC_BASE,
  SYNTHETIC_RAM_BYTES,
  syntheticOracle,
} from './reference.ts';
import { SyntheticMachine, type SyntheticMachineOptions } from './synthetic-machine.ts';

describe('front end and oracle agree, instruction by instruction', () => {
  test('through the reference evaluator', () => {
    const reader = new PageReader(true);
    const decoded: Decoded = { def: 0, length: 0, operands: [] };
    const covered = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const program = randomProgram(seed, SYNTHETIC_BASE);
      const { oracle, ports } = syntheticOracle(program);
      const memory = new WebAssembly.Memory({ initial: 1 });
      const view = new DataView(memory.buffer);
      const mine = new Ports();
      const modules = syntheticModules(memory, mine);
      const ram = new Uint8Array(SYNTHETIC_RAM_BYTES);
      ram.set(program.code, program.base - SYNTHETIC_BASE);
      writeState(view, 0, initialState(program));
      const offset = (at: bigint, width: number): number => {
        const o = Number(at) - SYNTHETIC_BASE;
        if (o >= 0 && o + width <= SYNTHETIC_RAM_BYTES) return o;
        view.setInt32(ENV.fault, CAUSE.access, true);
        view.setBigUint64(ENV.faultValue, at, true);
        return -1;
      };
      const evaluator: EvaluatorState = {
        env: view,
        load: (at, mem) => {
          const o = offset(at, mem.width);
          let v = 0n;
          for (let i = 0; o >= 0 && i < mem.width; i++) v = (v << 8n) | BigInt(ram[o + i] as number);
          return v;
        },
        store: (at, value, mem) => {
          const o = offset(at, mem.width);
          for (let i = 0; o >= 0 && i < mem.width; i++)
            ram[o + i] = Number((value >> BigInt(8 * (mem.width - 1 - i))) & 255n);
        },
        call: (h, args) => {
          const all = { ...modules.isa, ...modules.host } as unknown as Record<
            string,
            (...a: number[]) => number | void
          >;
          return BigInt(
            (all[h.name] as (...a: number[]) => number | void)(...args.map((v) => Number(v))) ?? 0,
          );
        },
      };
      for (let i = 0; i < 400 && !oracle.halted; i++) {
        const { pc, mode } = readState(view, 0);
        const o = pc - SYNTHETIC_BASE;
        const page = ram.subarray(o & ~4095, (o & ~4095) + 4096);
        reader.move(page, ram.subarray((o & ~4095) + 4096, (o & ~4095) + 8192), o & 4095, 15);
        if (!syntheticFrontEnd.decode(reader, BigInt(pc), mode, decoded)) throw new Error('code ends');
        const def = syntheticFrontEnd.instructions[decoded.def];
        if (def === undefined) throw new Error('no definition');
        covered.add(def.name);
        if (!def.lengths.includes(decoded.length))
          throw new Error(`${def.name} has no length ${decoded.length}`);
        const b = new Builder({ record: false, mode, addressType: 'i32' });
        b.begin({ pc: BigInt(pc), length: decoded.length });
        const names = Object.keys(def.operands);
        def.translate(b, Object.fromEntries(names.map((n, k) => [n, decoded.operands[k] as number])));
        if (b.terminator === undefined) b.jump('next');
        const block = b.finish(BigInt(pc));
        assertSound(verifyBlock(block, { addressType: 'i32' }));
        const outcome = evaluateBlock(block, evaluator);
        view.setBigUint64(ENV.pc, outcome.pc, true);
        if (outcome.kind === 'fault') modules.isa.deliver(0);
        oracle.step();
        const [got, want] = [readState(view, 0), oracleState(oracle)];
        if (JSON.stringify(got) !== JSON.stringify(want))
          expect([seed, i, def.name, got]).toEqual([seed, i, def.name, want]);
      }
      expect(mine.log).toEqual(ports.log);
      expect(Buffer.compare(ram, oracle.ram)).toBe(0);
    }
    // Everything that random programs contain was executed, most of it in delay slots too.
    expect(covered.size).toBeGreaterThan(70);
  });
});

/** Runs a program in chunks of random size on machine and oracle; compares after each. */
function lockstep(seed: number, options: SyntheticMachineOptions, instructions = 3000): SyntheticMachine {
  const program = randomProgram(seed, SYNTHETIC_BASE);
  const { oracle, ports } = syntheticOracle(program);
  const machine = new SyntheticMachine(program, initialState(program), options);
  const roll = dice(seed);
  while (!oracle.halted && oracle.executed < instructions) {
    const chunk = 1 + roll(roll(3) === 0 ? 500 : 40);
    for (let i = 0; i < chunk && !oracle.halted; i++) oracle.step();
    machine.run(chunk);
    expect([seed, oracle.executed, machine.halted, machine.state()]).toEqual([
      seed,
      oracle.executed,
      oracle.halted,
      oracleState(oracle),
    ]);
  }
  expect([seed, machine.ports.log]).toEqual([seed, ports.log]);
  expect([seed, Buffer.compare(machine.ram(), oracle.ram)]).toEqual([seed, 0]);
  return machine;
}

describe('lockstep with the oracle', () => {
  test('interpreter', () => {
    for (let seed = 1; seed <= 25; seed++) lockstep(seed, { tier: 'interpreter' });
  });
  test('regions as translated', () => {
    let regions = 0;
    for (let seed = 1; seed <= 25; seed++) regions += lockstep(seed, { tier: 'regions' }).regions.length;
    expect(regions).toBeGreaterThan(40);
  });
  test('regions, optimised', () => {
    for (let seed = 1; seed <= 25; seed++) lockstep(seed, { tier: 'regions', optimized: true });
  });
});

describe('regions that do not count', () => {
  test('a program that ends gives the same', () => {
    let merged = 0;
    for (let seed = 100; seed < 125; seed++) {
      const program = randomProgram(seed, SYNTHETIC_BASE, { rounds: 200, wild: 400 });
      const { oracle } = syntheticOracle(program);
      while (!oracle.halted && oracle.executed < 200_000) oracle.step();
      if (!oracle.halted) continue;
      const machine = new SyntheticMachine(program, initialState(program), {
        tier: 'regions',
        optimized: true,
        counting: false,
      });
      machine.run(1 << 30);
      expect([seed, machine.state()]).toEqual([seed, oracleState(oracle)]);
      merged += machine.regions.length;
    }
    expect(merged).toBeGreaterThan(10);
  });

  test('a loop with a delay slot becomes one block, without a store of the mode or of dead flags', () => {
    const a = new SyntheticAssembler(SYNTHETIC_BASE);
    a.emit('movi', { d: 0, v: 1000 }).label('loop');
    a.emit('add', { d: 1, s: 0 }).emit('subi', { d: 0, v: 1 });
    a.emit('jccd', { n: SyntheticAssembler.condition('nz'), t: 'loop' }).emit('xor', { d: 2, s: 1 });
    a.emit('halt');
    const program = {
      base: SYNTHETIC_BASE,
      code: a.finish(),
      entry: SYNTHETIC_BASE,
      data: SYNTHETIC_BASE + 0x4000,
    };
    const machine = new SyntheticMachine(program, initialState(program), {
      tier: 'regions',
      optimized: true,
      counting: false,
    });
    machine.run(1 << 30);
    const { oracle } = syntheticOracle(program);
    while (!oracle.halted) oracle.step();
    expect(machine.state()).toEqual(oracleState(oracle));
    const region = machine.regions[0];
    const loop = region?.blocks.get(BigInt(SYNTHETIC_BASE + 6));
    expect(loop?.terminator).toMatchObject({ kind: 'branch', taken: BigInt(SYNTHETIC_BASE + 6) });
    expect(loop?.instructions).toBe(4);
    expect(loop?.insts.filter((i) => i.op === 'store_env')).toEqual([]);
    expect(
      loop?.insts
        .filter((i) => i.op === 'put')
        .map((i) => `${i.reg?.file.name}${i.reg?.index}`)
        .sort(),
    ).toEqual(['cc0', 'cc1', 'cc2', 'h0', 'r0', 'r1', 'r2']);
  });
});

describe('the oracle itself', () => {
  const run = (build: (a: SyntheticAssembler) => void): SyntheticOracle => {
    const a = new SyntheticAssembler(SYNTHETIC_BASE);
    build(a);
    a.emit('halt');
    const { oracle } = syntheticOracle({
      base: SYNTHETIC_BASE,
      code: a.finish(),
      entry: SYNTHETIC_BASE,
      data: SYNTHETIC_BASE + 0x4000,
    });
    while (!oracle.halted) oracle.step();
    return oracle;
  };
  test('flags', () => {
    const o = run((a) => a.emit('movi', { d: 0, v: 0x7fffffff }).emit('addi', { d: 0, v: 1 }));
    expect([o.c, o.v, o.z, o.n]).toEqual([false, true, false, true]);
    const p = run((a) => a.emit('movi', { d: 0, v: 3 }).emit('cmpi', { d: 0, v: 5 }));
    expect([p.c, p.v, p.z, p.n, p.r[0]]).toEqual([true, false, false, true, 3]);
  });
  test('a delay slot runs before its jump, taken or not, and a fault there says so', () => {
    const o = run((a) => {
      a.emit('cmp', { d: 0, s: 0 });
      a.emit('jccd', { n: SyntheticAssembler.condition('z'), t: 'over' }).emit('movi', { d: 1, v: 77 });
      a.emit('movi', { d: 2, v: 99 }).label('over');
      a.emit('jccd', { n: SyntheticAssembler.condition('nz'), t: 'never' }).emit('movi', { d: 3, v: 55 });
      a.label('never');
    });
    expect([o.r[1], o.r[2], o.r[3]]).toEqual([77, 3, 55]);
    const p = syntheticOracle({
      base: SYNTHETIC_BASE,
      code: new SyntheticAssembler(SYNTHETIC_BASE).emit('jmpd', { t: 8 }).emit('trap', { n: 3 }).finish(),
      entry: SYNTHETIC_BASE,
      data: 0,
    }).oracle;
    p.step();
    p.step();
    expect([p.s[SYSTEM.pc], p.s[SYSTEM.cause], p.s[SYSTEM.mode], p.mode]).toEqual([
      SYNTHETIC_BASE + 5,
      CAUSE.trap + 3,
      MODE_DELAY,
      0,
    ]);
  });
});
