import { describe, expect, test } from '@jest/globals';
import { ENV, EXIT } from '../env.ts';
import { optimize } from '../passes/optimize.ts';
import { compareRandomProgram } from '../testing/random-program.ts';
import { TOY_GUESTS, toyMachine } from '../testing/toy-machine.ts';
import { toyGuest } from '../testing/toy-front-end.ts';

/** Between where regions were translated for and where they run. */
const DISTANCES = [0n, 0x1000n, -0x6543_2000n, 0x7fff_ffff_f000n];

describe.each(TOY_GUESTS)(
  'both tiers on $addressType, big-endian $bigEndian, alignment $alignmentLog2',
  (options) => {
    const guest = toyGuest(options);
    const { base } = options;

    test.each([undefined, optimize])(
      'random programs, counting regions made at once (passes: %p)',
      (pass) => {
        let regions = 0;
        for (let seed = 2; seed <= 40; seed += 2) {
          const wrong = compareRandomProgram(guest, base, seed, {
            interpreter: { exact: true, hotThreshold: 1 },
            hot: (m) => {
              regions++;
              m.installRegion(m.u64(ENV.pc), {
                counting: true,
                distance: DISTANCES[regions % DISTANCES.length]!,
                // Half of those that stay where they are know it.
                fixed: regions % (2 * DISTANCES.length) === 0,
                ...(pass === undefined
                  ? {}
                  : { optimize: (region) => void pass(region, { everyBlock: true, groups: true }) }),
              });
            },
          });
          expect(wrong).toEqual([]);
        }
        expect(regions).toBeGreaterThan(25);
      },
    );

    test('recursive calls between regions, deeper than the call depth', () => {
      const m = toyMachine(
        guest,
        base,
        { hotThreshold: 3 },
        { hot: (n) => void n.installRegion(n.u64(ENV.pc), { callDepth: 5, distance: 0x7777_7000n }) },
      );
      const wide = options.addressType === 'i64';
      const [load, store] = wide ? ['load8u', 'store8'] : ['load4u', 'store4'];
      m.write(
        base,
        guest.assemble(base, [
          ['li', 6, base + 0x9000n],
          ['li', 1, 12],
          ['call', 4, 'fib'],
          ['halt'],
          'fib',
          ['li', 3, 2],
          ['blt_u', 1, 3, 'leaf'],
          ['addi', 6, 6, -24],
          [store!, 4, 6, 0],
          [store!, 1, 6, 8],
          ['addi', 1, 1, -1],
          ['call', 4, 'fib'],
          [load!, 1, 6, 8],
          [store!, 2, 6, 16],
          ['addi', 1, 1, -2],
          ['call', 4, 'fib'],
          [load!, 3, 6, 16],
          ['add', 2, 2, 3],
          [load!, 4, 6, 0],
          ['addi', 6, 6, 24],
          ['return', 0, 4],
          'leaf',
          ['addi', 2, 1, 0],
          ['return', 0, 4],
        ]),
      );
      expect(m.run()).toBe(EXIT.host);
      expect(m.u64(ENV.guest + 16)).toBe(144n);
      expect(m.i32(ENV.depth)).toBe(0);
      expect(m.counts.hot).toBeGreaterThan(0);
    });
  },
);
