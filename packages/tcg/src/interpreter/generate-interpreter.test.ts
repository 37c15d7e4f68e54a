import { describe, expect, test } from '@jest/globals';
import { ENV, EXIT } from '../env.ts';
import type { FlatMachine } from '../testing/flat-machine.ts';
import { compareRandomProgram } from '../testing/random-program.ts';
import { TOY_GUESTS, toyMachine } from '../testing/toy-machine.ts';
import { toyGuest } from '../testing/toy-front-end.ts';
import { generateInterpreter } from './generate-interpreter.ts';

const x = (m: FlatMachine, i: number): bigint => m.u64(ENV.guest + 8 * i);

describe.each(TOY_GUESTS)(
  'interpreter of $addressType, big-endian $bigEndian, alignment $alignmentLog2',
  (options) => {
    const guest = toyGuest(options);
    const { base } = options;

    test('is a valid module, with and without its options', () => {
      for (const o of [{}, { exact: true }, { hotThreshold: 5 }])
        expect(WebAssembly.validate(generateInterpreter(guest.frontEnd, o).bytes)).toBe(true);
    });

    test('loops, calls, returns and halts', () => {
      const m = toyMachine(guest, base);
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
      const exact = toyMachine(guest, base, { exact: true });
      exact.write(base, program);
      for (let n = 1; n <= 10; n++) {
        expect(exact.run(1)).toBe(EXIT.budget);
        expect(exact.i32(ENV.budget)).toBe(0);
        expect(x(exact, 1) + x(exact, 2)).toBe(BigInt(Math.ceil(n / 3) + Math.ceil((n - 1) / 3)));
      }
      const loose = toyMachine(guest, base);
      loose.write(base, program);
      expect(loose.run(1000)).toBe(EXIT.budget);
      expect(x(loose, 1)).toBe(334n);
      expect(loose.u64(ENV.pc)).toBe(base);
    });

    test('faults leave the exact pc and registers; an exit request ends the run', () => {
      const m = toyMachine(guest, base);
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
      const m = toyMachine(guest, base, { hotThreshold: 20 });
      m.write(
        base,
        guest.assemble(base, [['li', 1, 100], 'loop', ['addi', 1, 1, -1], ['bne', 1, 0, 'loop'], ['halt']]),
      );
      expect(m.run()).toBe(EXIT.host);
      expect(m.counts.hot).toBe(1);
    });

    test('enters a region, and single instructions where its mode does not fit', () => {
      const m = toyMachine(guest, base);
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
      for (let seed = 2; seed <= 80; seed += 2)
        expect(compareRandomProgram(guest, base, seed, { interpreter: { exact: true } })).toEqual([]);
    });
  },
);
