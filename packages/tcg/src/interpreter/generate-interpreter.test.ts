import { describe, expect, test } from '@jest/globals';
import { ENV, EXIT, PAGE_SIZE } from '../env.ts';
import type { Decoded, FrontEnd, Operand } from '../front-end.ts';
import { Random } from '../filetests/random-block.ts';
import { PageReader } from '../former/code-source.ts';
import { Builder } from '../ir/builder.ts';
import { evaluateBlock, type EvaluatorState } from '../ir/evaluate.ts';
import type { MemoryAccess } from '../ir/ir.ts';
import { FlatMachine } from '../testing/flat-machine.ts';
import { toyGuest, type ToyGuest, type ToyOptions } from '../testing/toy-front-end.ts';
import { generateInterpreter, type InterpreterOptions } from './generate-interpreter.ts';

const GUESTS: readonly (ToyOptions & { base: bigint })[] = [
  { addressType: 'i64', bigEndian: false, alignmentLog2: 0, base: 0x10000000n },
  { addressType: 'i64', bigEndian: true, alignmentLog2: 1, base: 0xffffffff80000000n },
  { addressType: 'i32', bigEndian: true, alignmentLog2: 2, base: 0xc0000000n },
  { addressType: 'i32', bigEndian: false, alignmentLog2: 0, base: 0x1000n },
];

function machine(guest: ToyGuest, base: bigint, interpreter: InterpreterOptions = {}): FlatMachine {
  const m: FlatMachine = new FlatMachine({
    frontEnd: guest.frontEnd,
    base,
    interpreter,
    isa: {
      check: (_env: number, v: bigint) => {
        if (v === 13n) m.setI32(ENV.fault, 7);
        return BigInt.asIntN(64, v * 2n);
      },
      shuffle: () => {
        const one = m.u64(ENV.guest + 8);
        m.setU64(ENV.guest + 8, m.u64(ENV.guest + 16));
        m.setU64(ENV.guest + 16, one);
      },
      trap: () => m.setI32(ENV.fault, 9),
    },
  });
  m.setU64(ENV.pc, base);
  return m;
}
const x = (m: FlatMachine, i: number): bigint => m.u64(ENV.guest + 8 * i);

describe.each(GUESTS)(
  'interpreter of $addressType, big-endian $bigEndian, alignment $alignmentLog2',
  (options) => {
    const guest = toyGuest(options);
    const { base } = options;

    test('is a valid module, with and without its options', () => {
      for (const o of [{}, { exact: true }, { hotThreshold: 5 }])
        expect(WebAssembly.validate(generateInterpreter(guest.frontEnd, o).bytes)).toBe(true);
    });

    test('loops, calls, returns and halts', () => {
      const m = machine(guest, base);
      const program = guest.assemble(base, [
        ['li', 1, 10],
        ['li', 2, 0],
        'loop',
        ['call', 3, 'double'],
        ['addi', 1, 1, -1],
        ['bne', 1, 0, 'loop'],
        ['halt'],
        'double',
        ['addi', 2, 2, 2],
        ['addi', 0, 2, 2],
        ['return', 0, 3],
      ]);
      m.write(base, program);
      expect(m.run()).toBe(EXIT.host);
      expect(x(m, 2)).toBe(20n);
      expect(x(m, 0)).toBe(0n);
      expect((1 << 30) - m.i32(ENV.budget)).toBe(2 + 10 * 6 + 1);
      expect(m.u64(ENV.pc)).toBe(
        base +
          BigInt(
            program.length -
              guest.assemble(base, [
                ['addi', 0, 0, 0],
                ['addi', 0, 0, 0],
                ['return', 0, 0],
              ]).length,
          ),
      );
    });

    test('budget: exact stops after that many instructions, else soon after', () => {
      const program = guest.assemble(base, ['loop', ['addi', 1, 1, 1], ['addi', 2, 2, 1], ['jump', 'loop']]);
      const exact = machine(guest, base, { exact: true });
      exact.write(base, program);
      for (let n = 1; n <= 10; n++) {
        expect(exact.run(1)).toBe(EXIT.budget);
        expect(exact.i32(ENV.budget)).toBe(0);
        expect(x(exact, 1) + x(exact, 2)).toBe(BigInt(Math.ceil(n / 3) + Math.ceil((n - 1) / 3)));
      }
      const loose = machine(guest, base);
      loose.write(base, program);
      expect(loose.run(1000)).toBe(EXIT.budget);
      expect(x(loose, 1)).toBe(334n);
      expect(loose.u64(ENV.pc)).toBe(base);
    });

    test('faults leave the exact pc and registers; an exit request ends the run', () => {
      const m = machine(guest, base);
      const before = guest.assemble(base, [['li', 1, 5]]);
      m.write(
        base,
        guest.assemble(base, [
          ['li', 1, 5],
          ['load4u', 1, 0, 8],
          ['li', 1, 6],
        ]),
      );
      m.setU64(ENV.guest, 0n);
      expect(m.run()).toBe(EXIT.host);
      expect(m.faults).toEqual([{ fault: 5, pc: base + BigInt(before.length), value: 8n }]);
      expect(x(m, 1)).toBe(5n);
      m.setI32(ENV.exitRequest, 1);
      expect(m.run()).toBe(EXIT.unwind);
      expect(m.i32(ENV.hostExit)).toBe(0);
    });

    test('counts entries and reports a hot place once', () => {
      const m = machine(guest, base, { hotThreshold: 20 });
      m.write(
        base,
        guest.assemble(base, [['li', 1, 100], 'loop', ['addi', 1, 1, -1], ['bne', 1, 0, 'loop'], ['halt']]),
      );
      expect(m.run()).toBe(EXIT.host);
      expect(m.counts.hot).toBe(1);
    });

    test('enters a region, and single instructions where its mode does not fit', () => {
      const m = machine(guest, base);
      m.write(base, guest.assemble(base, [['addi', 1, 1, 1], ['halt']]));
      expect(m.run()).toBe(EXIT.host);
      expect(x(m, 1)).toBe(1n);
      const record = m.record(base);
      m.view.setUint16(record, 2, true);
      m.view.setUint16(record + 2, 1, true);
      m.view.setUint32(record + 4, 1, true);
      m.view.setUint32(record + 8, 7, true);
      m.setU64(ENV.pc, base);
      expect(m.run()).toBe(EXIT.host);
      expect(x(m, 1)).toBe(2n);
      expect(m.counts.crossing).toBe(1);
    });

    test('random programs behave as their instructions evaluated one by one', () => {
      for (let seed = 2; seed <= 80; seed += 2) compareRandomProgram(guest, base, seed);
    });
  },
);

/** Executes the instruction at env.pc by evaluating its translation. @returns false when it exited or faulted. */
function evaluateOne(frontEnd: FrontEnd, m: FlatMachine): boolean {
  const pc = m.u64(ENV.pc);
  const at = m.hostOf(pc);
  const reader = new PageReader(frontEnd.bigEndian);
  reader.move(
    m.bytes.subarray(at & -PAGE_SIZE, (at & -PAGE_SIZE) + PAGE_SIZE),
    m.bytes.subarray((at & -PAGE_SIZE) + PAGE_SIZE, (at & -PAGE_SIZE) + 2 * PAGE_SIZE),
    at & 0xfff,
    frontEnd.maxLength,
  );
  const decoded: Decoded = { def: 0, length: 0, operands: [] };
  frontEnd.decode(reader, pc, 0, decoded);
  const def = frontEnd.instructions[decoded.def]!;
  const operands: Record<string, Operand> = {};
  Object.keys(def.operands).forEach((name, i) => (operands[name] = decoded.operands[i]!));
  const b = new Builder({ record: false, mode: 0, addressType: frontEnd.addressType });
  b.begin({ pc, length: decoded.length });
  def.translate(b, operands);
  if (b.terminator === undefined) b.jump('next');
  const softmmu = m.imports['softmmu'] as Record<string, (...args: unknown[]) => bigint>;
  const desc = (mem: MemoryAccess): number =>
    Math.log2(mem.width) | (mem.bigEndian ? 8 : 0) | (mem.alignment === 'fault' ? 32 : 0);
  const state: EvaluatorState = {
    env: new DataView(m.memory.buffer, m.env, 0x1000),
    load: (address, mem) => softmmu['load']!(0, address, desc(mem)),
    store: (address, value, mem) => void softmmu['store']!(0, address, value, desc(mem)),
    call: (h, args) =>
      BigInt((m.imports['isa'] as Record<string, (...a: unknown[]) => bigint>)[h.name]!(...args) ?? 0n),
  };
  const outcome = evaluateBlock(b.finish(pc), state);
  m.setU64(ENV.pc, outcome.pc);
  if (outcome.kind === 'fault') (m.imports['isa'] as Record<string, () => void>)['deliver']!();
  return outcome.kind !== 'exit' || m.i32(ENV.hostExit) === 0;
}

function compareRandomProgram(guest: ToyGuest, base: bigint, seed: number): void {
  const random = new Random(seed);
  const names = guest.frontEnd.instructions
    .map((d) => d.name)
    .filter((n) => !['illegal', 'mode'].includes(n));
  const rows: (string | [string, ...(number | bigint | string)[]])[] = [];
  const count = 400;
  const data = base + 0x8000n;
  rows.push(['li', 6, data + 0xff0n], ['li', 5, data], ['jump', 'near0']);
  for (let i = 0; i < count; i++) {
    if (i % 10 === 0) rows.push(`near${i / 10}`);
    const name = random.pick(names);
    if ((name === 'halt' && random.below(8) > 0) || /^(jumpr|callr|return)$/.test(name)) continue;
    const def = guest.frontEnd.instructions.find((d) => d.name === name)!;
    const memory = /load|store|swapmem/.test(name);
    const operands = Object.entries(def.operands).map(([field, kind]) => {
      if (kind.kind === 'target') return `near${random.below(count / 10)}`;
      if (kind.kind === 'imm') return random.bits(64);
      if (kind.kind === 'imm32') return random.below(64) - 32;
      if (memory && field === 'a' && random.below(12) > 0) return 5 + random.below(2);
      if (field === 'd') return random.below(5);
      return random.below(8);
    });
    rows.push([name, ...operands]);
  }
  rows.push(['halt']);
  const program = guest.assemble(base, rows);
  // Two pages and a bit, so that instructions and jumps cross pages.
  const start = base + BigInt(random.below(2) * 0xf00);
  const both = [machine(guest, base, { exact: true }), machine(guest, base)].map((m) => {
    m.write(start, program);
    m.setU64(ENV.pc, start);
    m.vector = start;
    m.bytes.fill(0x5a, m.hostOf(data - 4096n), m.hostOf(data + 8192n));
    return m;
  }) as [FlatMachine, FlatMachine];
  const [a, b] = both;
  let left = 2000;
  while (left > 0 && evaluateOne(guest.frontEnd, b)) left--;
  if (left > 0) left--;
  const steps = 2000 - left;
  let code = 0;
  let rest = steps;
  while (rest > 0) {
    const quantum = Math.min(rest, 1 + random.below(200));
    code = a.run(quantum);
    rest -= quantum - a.i32(ENV.budget);
    if (code !== EXIT.budget) break;
  }
  const place = { seed, steps, code };
  expect({ ...place, pc: a.u64(ENV.pc), faults: a.faults }).toEqual({
    ...place,
    pc: b.u64(ENV.pc),
    faults: b.faults,
  });
  for (let i = 0; i < 8; i++) expect({ ...place, i, x: x(a, i) }).toEqual({ ...place, i, x: x(b, i) });
  expect(
    Buffer.compare(a.bytes.subarray(a.ram, a.ram + 0x10000), b.bytes.subarray(b.ram, b.ram + 0x10000)),
  ).toBe(0);
}
