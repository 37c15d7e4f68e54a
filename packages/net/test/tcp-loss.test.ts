import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { transferFaults } from './transfer.ts';

const transferArbitrary = fc.record({
  wire: fc.record({
    seed: fc.integer(),
    loss: fc.constantFrom(0, 0.02, 0.1, 0.2),
    duplicate: fc.constantFrom(0, 0.1),
    jitterMs: fc.constantFrom(0, 1, 20),
    full: fc.constantFrom(0, 0.05),
  }),
  peer: fc.record({
    mss: fc.constantFrom(100, 536, 1460),
    buffer: fc.constantFrom(300, 4_000, 60_000, 200_000),
    readPerTick: fc.constantFrom(50, 2_000, 1_000_000),
    scale: fc.constantFrom(-1, 0, 3),
    // Near the wrap too.
    sequence: fc.constantFrom(0, 1, 0x7fff_f000, 0xffff_ff00, 0xffff_ffff),
  }),
  up: fc.nat(8_000),
  down: fc.nat(8_000),
  forwarded: fc.boolean(),
  hostReads: fc.constantFrom(500, 20_000, Infinity),
  first: fc.constantFrom('guest' as const, 'host' as const, 'both' as const),
});

describe('TCP over a bad wire', () => {
  test('every byte arrives once, in order, both ways; both sides close', () => {
    fc.assert(
      fc.property(transferArbitrary, (transfer) => {
        expect(transferFaults(transfer)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
