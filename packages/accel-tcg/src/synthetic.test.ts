import { describe, expect, test } from '@jest/globals';
import { ENV, EXIT, generateInterpreter } from '@polyvisor/tcg';
import { compileSoftmmu } from '@polyvisor/tcg/node';
import {
  CC,
  dice,
  H,
  initialState,
  oracleState,
  Ports,
  R,
  randomProgram,
  readState,
  SYNTHETIC_BASE,
  SYNTHETIC_RAM_BYTES,
  syntheticFrontEnd,
  syntheticModules,
  syntheticOracle,
  SYSTEM_OFFSET,
  writeState,
  type SyntheticProgram,
} from '@polyvisor/testkit/synthetic/index';
import { Deferral } from './deferral.ts';
import { openCodeLog } from './code-log.ts';
import { Engine, type EngineOptions, type Functions } from './engine.ts';
import { LocalCompiler } from './local-compiler.ts';
import { Lockstep, type ComparedField } from './lockstep.ts';
import { PrivatePages } from './private-pages.ts';
import { writeRegionTable, type PhysicalRegion } from './physical-memory.ts';
import { RegionTranslator } from './region-translator.ts';
import { JOURNAL_BYTES, layOutVm, PRIVATE_BYTES } from './vm-layout.ts';

/** A guest that shares nothing with the first real one: 32 bits, big-endian, 1 to 15 bytes, flags, delay slots, ports. */
const interpreters = {
  cold: new WebAssembly.Module(generateInterpreter(syntheticFrontEnd, { exact: true }).bytes),
  hot: new WebAssembly.Module(generateInterpreter(syntheticFrontEnd, { exact: true, hotThreshold: 2 }).bytes),
};
const softmmu = compileSoftmmu();

const word = (name: string, offset: number): ComparedField => ({ name, offset, width: 4 });
const FIELDS: readonly ComparedField[] = [
  { name: 'pc', offset: ENV.pc, width: 8 },
  word('mode', ENV.mode),
  word('hidden', H.offset),
  ...Array.from({ length: 8 }, (_, i) => word(`r${i}`, R.offset + 4 * i)),
  ...Array.from({ length: 8 }, (_, i) => word(`s${i}`, SYSTEM_OFFSET + 4 * i)),
  ...Array.from({ length: 3 }, (_, i) => word(`cc${i}`, CC.offset + 4 * i)),
];

type Tier = 'interpreter' | 'translator' | 'lockstep';

/** Somebody else who works on guest memory, in lockstep. */
interface Device {
  /** Before the second run of each step. */
  readonly between: (machine: Machine) => void;
  readonly outsideWrites: () => number;
}

/** One synthetic vCPU on the engine. */
class Machine {
  readonly ports = new Ports();
  readonly engine: Engine;
  readonly lockstep: Lockstep | undefined;
  halted = false;
  private readonly memory: WebAssembly.Memory;
  private readonly env: number;
  private readonly host: number;

  constructor(program: SyntheticProgram, tier: Tier, device?: Device) {
    const both = tier === 'lockstep';
    const full = layOutVm(1, SYNTHETIC_RAM_BYTES, both);
    // Small record arenas: the whole fits into a few megabytes.
    const arenaBytes = 4 << 20;
    const journals = full.arenas + 2 * arenaBytes;
    const ram = journals + JOURNAL_BYTES;
    const own = ram + SYNTHETIC_RAM_BYTES;
    const pages = Math.ceil((own + PRIVATE_BYTES) / 65536);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.memory = memory;
    this.env = full.vcpus;
    this.host = ram;
    const regions: PhysicalRegion[] = [
      { gpa: SYNTHETIC_BASE, size: SYNTHETIC_RAM_BYTES, host: ram, readOnly: false },
    ];
    writeRegionTable(memory, full.regionTable, regions);
    const late = { lockstep: undefined as Lockstep | undefined };
    const value = new BigUint64Array(memory.buffer);
    // Ports are outside the vCPU: in lockstep the second run gets what the first one got.
    const outside = (key: string, perform: () => number): number => {
      const perform64 = (): number => {
        value[(this.env + ENV.mmioValue) >>> 3] = BigInt(perform() >>> 0);
        return 0;
      };
      if (late.lockstep === undefined) perform64();
      else late.lockstep.access(key, perform64);
      return Number(value[(this.env + ENV.mmioValue) >>> 3]);
    };
    const modules = syntheticModules(
      memory,
      {
        read: (port) => outside(`in ${port}`, () => this.ports.read(port)),
        write: (port, v) => void outside(`out ${port} ${v >>> 0}`, () => (this.ports.write(port, v), 0)),
      },
      { ram: { base: SYNTHETIC_BASE, bytes: SYNTHETIC_RAM_BYTES } },
    );
    const deferral = new Deferral(memory, this.env, modules.isa.deliver);
    const isa = both ? { ...modules.isa, deliver: () => deferral.deliver() } : modules.isa;
    const privatePages = new PrivatePages(memory, own, regions);
    const link = {
      frontEnd: syntheticFrontEnd,
      modules: { isa: isa as unknown as Functions, host: modules.host as unknown as Functions },
    };
    const base: Omit<EngineOptions, 'arena' | 'interpreter'> = {
      memory,
      env: this.env,
      regions,
      regionTable: full.regionTable,
      flags: full.flags,
      flagsBase: ram,
      softmmu,
      codeLog: openCodeLog(new Int32Array(memory.buffer), full.codeLog),
      vcpus: 1,
      ...(both ? { lockstep: { pages: privatePages, deferral } } : {}),
    };
    const make = (index: number, compiles: boolean): Engine =>
      new Engine(
        {
          ...base,
          arena: { start: full.arenas + index * arenaBytes, bytes: arenaBytes },
          interpreter: compiles ? interpreters.hot : interpreters.cold,
          ...(compiles
            ? {
                compiler: new LocalCompiler(
                  new RegionTranslator(syntheticFrontEnd, memory, regions, { counting: true }),
                ),
              }
            : {}),
        },
        link,
        { mmioRead: () => 1, mmioWrite: () => 1, installed: () => {} },
      );
    this.engine = make(0, tier !== 'interpreter');
    if (both) {
      const journal = { at: journals, bytes: JOURNAL_BYTES };
      const interpreter = make(1, false);
      if (device !== undefined) {
        const run = interpreter.run.bind(interpreter);
        interpreter.run = () => {
          device.between(this);
          return run();
        };
      }
      this.lockstep = new Lockstep(
        memory,
        { translator: this.engine, interpreter, pages: privatePages, deferral, journal },
        {
          fields: FIELDS,
          ...(device === undefined ? {} : { outsideWrites: device.outsideWrites }),
        },
      );
      late.lockstep = this.lockstep;
    }
    new Uint8Array(memory.buffer, ram).set(program.code, program.base - SYNTHETIC_BASE);
    const view = new DataView(memory.buffer);
    writeState(view, this.env, initialState(program));
    // A flush takes only what was used: an unused TLB holds zeros, which would match address 0.
    view.setInt32(this.env + ENV.tlbUsed, -1, true);
    (this.lockstep ?? this.engine).flushCode();
    this.engine.flushTlb();
  }

  /** Executes at most `count` instructions; returns how many it were. */
  run(count: number): number {
    const view = new DataView(this.memory.buffer);
    this.engine.safePoint();
    if (this.lockstep === undefined) this.engine.setBudget(count);
    const before = this.lockstep?.counts.instructions ?? 0;
    const code = this.lockstep?.run(count) ?? this.engine.run();
    if (code === EXIT.host) this.halted = true;
    else if (code !== EXIT.budget && code !== EXIT.next) throw new Error(`run returned ${code}`);
    if (this.lockstep !== undefined) return this.lockstep.counts.instructions - before;
    return count - view.getInt32(this.env + ENV.budget, true);
  }
  state(): ReturnType<typeof readState> {
    return readState(new DataView(this.memory.buffer), this.env);
  }
  /** Makes the next run differ from one that began with the registers as they are. */
  disturb(): void {
    const view = new DataView(this.memory.buffer);
    view.setInt32(this.env + SYSTEM_OFFSET + 28, ~view.getInt32(this.env + SYSTEM_OFFSET + 28, true), true);
  }
  ram(): Uint8Array {
    return new Uint8Array(this.memory.buffer, this.host, SYNTHETIC_RAM_BYTES);
  }
}

function compare(seed: number, tier: Tier, instructions = 4000): Machine {
  const program = randomProgram(seed, SYNTHETIC_BASE);
  const { oracle, ports } = syntheticOracle(program);
  const machine = new Machine(program, tier);
  const roll = dice(seed);
  while (!machine.halted && oracle.executed < instructions) {
    const executed = machine.run(1 + roll(roll(3) === 0 ? 500 : 40));
    for (let i = 0; i < executed; i++) oracle.step();
    expect([seed, oracle.executed, machine.state()]).toEqual([seed, oracle.executed, oracleState(oracle)]);
  }
  expect([seed, machine.halted]).toEqual([seed, oracle.halted]);
  expect([seed, machine.ports.log]).toEqual([seed, ports.log]);
  expect([seed, Buffer.compare(machine.ram(), oracle.ram)]).toEqual([seed, 0]);
  return machine;
}

describe('the synthetic guest on the engine', () => {
  test('interpreter', () => {
    for (let seed = 1; seed <= 12; seed++) compare(seed, 'interpreter');
  });
  test('translator', () => {
    let installed = 0;
    for (let seed = 1; seed <= 12; seed++)
      installed += compare(seed, 'translator').engine.counts.regionsInstalled;
    expect(installed).toBeGreaterThan(10);
  });
  test('lockstep of both tiers', () => {
    let instructions = 0;
    for (let seed = 1; seed <= 12; seed++)
      instructions += compare(seed, 'lockstep').lockstep?.counts.instructions ?? 0;
    expect(instructions).toBeGreaterThan(12_000);
  });

  test('lockstep: nobody sees what the first run stores', () => {
    let looks = 0;
    let stores = 0;
    for (let seed = 1; seed <= 4; seed++) {
      let before = new Uint8Array(0);
      const device: Device = {
        between(machine) {
          looks++;
          expect(Buffer.compare(machine.ram(), before)).toBe(0);
        },
        outsideWrites: () => 0,
      };
      const machine = new Machine(randomProgram(seed, SYNTHETIC_BASE), 'lockstep', device);
      for (let step = 0; step < 40 && !machine.halted; step++) {
        before = machine.ram().slice();
        machine.run(50);
        if (Buffer.compare(machine.ram(), before) !== 0) stores++;
      }
    }
    expect(looks).toBeGreaterThan(40);
    expect(stores).toBeGreaterThan(20);
  });

  test('lockstep: a difference counts unless a device has written meanwhile', () => {
    let writes = 0;
    const program = randomProgram(1, SYNTHETIC_BASE);
    const busy: Device = { between: (machine) => machine.disturb(), outsideWrites: () => writes++ };
    const machine = new Machine(program, 'lockstep', busy);
    for (let step = 0; step < 10 && !machine.halted; step++) machine.run(20);
    expect(machine.lockstep?.counts.unjudged).toBeGreaterThan(2);
    const quiet: Device = { between: (other) => other.disturb(), outsideWrites: () => 0 };
    const honest = new Machine(program, 'lockstep', quiet);
    expect(() => {
      for (let step = 0; step < 10; step++) honest.run(20);
    }).toThrow(/tiers differ.*s7: translator/);
  });
});
