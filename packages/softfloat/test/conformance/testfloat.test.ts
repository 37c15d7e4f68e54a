import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { OPERATION_NAMES } from '../../src/index.ts';
import { runVectors } from './run-vectors.ts';
import { listRuns } from './vectors.ts';

const folder = process.env['CONFORMANCE_DIR'];
const runs = folder === undefined ? [] : await listRuns(folder);
const names = OPERATION_NAMES.filter((name) => runs.some((run) => run.operation === name));

/** Enough for all of one or two operands; the six million of three are left to main.ts. */
const LIMIT = 100_000;

describeWith({ variables: ['CONFORMANCE_DIR'] }, 'Berkeley TestFloat, level 1', () => {
  if (names.length === 0) {
    const isRequired = process.env['POLYVISOR_REQUIRE_ALL'] !== undefined;
    if (folder !== undefined) {
      process.stderr.write(`SKIPPED: ${folder} has no testfloat/<specialisation>/testfloat_gen\n`);
    }
    (isRequired ? test : test.skip)('there is a generator', () => expect(names).not.toEqual([]));
    return;
  }
  test.each(names)(
    '%s',
    async (name) => {
      for (const run of runs.filter(({ operation }) => operation === name)) {
        const report = await runVectors(run, LIMIT);
        expect(report.examples).toEqual([]);
        expect(report.compared).toBeGreaterThan(100);
      }
    },
    300_000,
  );
});
