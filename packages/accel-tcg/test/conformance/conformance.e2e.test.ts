import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { DEFAULT_LIMITS, runSuites } from './run-suites.ts';
import { SUITES } from './suites.ts';

// Everything that `npm run conformance` runs, and the tier that users run besides.
describeWith({ variables: ['CONFORMANCE_DIR'] }, 'conformance suites', () => {
  test.each(['interpreter', 'translator', 'lockstep', 'auto'] as const)(
    '%s',
    async (tier) => {
      const failures: string[] = [];
      let passed = 0;
      const folder = process.env['CONFORMANCE_DIR'] ?? '';
      const suites = SUITES.map(({ name }) => name);
      for await (const result of runSuites({
        folder,
        suites,
        tiers: [tier],
        filter: '',
        limits: DEFAULT_LIMITS,
      })) {
        if (result.status === 'passed') passed++;
        if (result.status === 'failed') failures.push(`${result.test}: ${result.reason}`);
      }
      expect(failures).toEqual([]);
      expect(passed).toBeGreaterThan(0);
    },
    900_000,
  );
});
