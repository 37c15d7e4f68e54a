import { expect, test } from '@jest/globals';
import { FUZZ_TARGETS, fuzz } from './fuzz.ts';

/** Broken images of all kinds together; `test/sparse/fuzz-main.ts` tries as many as one likes. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 20_000);

test('broken headers and tables are refused or harmless', async () => {
  const each = Math.ceil(RUNS / FUZZ_TARGETS.length);
  for (const [index, target] of FUZZ_TARGETS.entries()) {
    const opened = await fuzz(target, each, 1000 + index);
    // Mutations that nothing is sensitive to are some of them.
    expect(opened).toBeGreaterThan(0);
    expect(opened).toBeLessThan(each);
  }
}, 600_000);
