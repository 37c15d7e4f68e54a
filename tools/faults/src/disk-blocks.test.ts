import { describe, expect, test } from '@jest/globals';
import { blockFault, expectedSequences, mix } from './disk-blocks.ts';

const load = { blocks: 64, writers: 4, seed: 0xdead_beef };

/** fault-work.c, fill(). */
function blockOf(number: number, writer: number, sequence: number, seed: number): Uint32Array {
  const words = new Uint32Array(1024);
  words.set([0x5056_4231, number, writer, sequence, seed]);
  let state = mix(number, sequence, seed);
  for (let index = 6; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[index] = state;
  }
  let hash = (mix(number, sequence, seed) ^ writer) >>> 0;
  for (let index = 6; index < words.length; index++)
    hash = (((hash << 5) | (hash >>> 27)) ^ (words[index] as number)) >>> 0;
  words[5] = hash;
  return words;
}

describe('blocks of the disk load', () => {
  test('are where the writer puts them', () => {
    // What fault-work.c computes.
    expect([mix(1, 2, 3), mix(0xffff_ffff, 0, 7)].every((value) => value >= 0)).toBe(true);
    const expected = expectedSequences(load, [5, 0, 1, 100]);
    expect(expected.subarray(16, 32).every((sequence) => sequence === 0)).toBe(true);
    expect(expected[mix(load.seed, 0, 5) % 16]).toBe(5);
    expect(expected[32 + (mix(load.seed, 2, 1) % 16)]).toBe(1);
    expect(Math.max(...expected.subarray(48))).toBe(100);
  });

  test('that are lost, torn, misplaced or late are told', () => {
    const good = blockOf(7, 0, 5, load.seed);
    expect(blockFault(good, load, 7, 5, true)).toBeUndefined();
    expect(blockFault(good, load, 8, 5, true)).toBe('block of place 7');
    expect(blockFault(good, load, 7, 6, false)).toMatch(/^lost/);
    expect(blockFault(good, load, 7, 4, true)).toMatch(/later/);
    expect(blockFault(good, load, 7, 4, false)).toBeUndefined();
    expect(blockFault(blockOf(7, 0, 5, 1), load, 7, 1, false)).toMatch(/earlier run/);
    const torn = good.slice();
    torn[900] = 0;
    expect(blockFault(torn, load, 7, 5, true)).toBe('torn');
    expect(blockFault(new Uint32Array(1024), load, 7, 0, true)).toBeUndefined();
    expect(blockFault(new Uint32Array(1024), load, 7, 1, true)).toBe('not a block');
  });
});
