import { expect, test } from '@jest/globals';
import { fuzzQcow } from './fuzz.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 20_000);

test(`${RUNS} images with damaged headers and tables are refused or used, in order`, async () => {
  const opened = await fuzzQcow(RUNS, 'test');
  // Most damage shows late: the deep parts have been reached.
  expect(opened).toBeGreaterThan(RUNS / 10);
}, 600_000);
