// `npm run conformance`: public conformance suites, ready-built in $CONFORMANCE_DIR, on every tier.
import { parseArgs } from 'node:util';
import type { Tier } from '../../src/index.ts';
import { DEFAULT_LIMITS, runSuites, type TestResult } from './run-suites.ts';
import { SUITES } from './suites.ts';

const TIERS: readonly Tier[] = ['interpreter', 'translator', 'lockstep', 'auto'];
const NAMES = SUITES.map(({ name }) => name);
const USAGE = `Usage: CONFORMANCE_DIR=FOLDER npm run conformance -- [--suite NAME]... [--tier TIER]...
         [--filter TEXT] [--format text|json]
Suites: ${NAMES.join(', ')}; each in a folder of that name. Tiers: ${TIERS.join(', ')} (default: all but auto).`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string', multiple: true, default: NAMES },
      tier: { type: 'string', multiple: true, default: TIERS.slice(0, 3) },
      filter: { type: 'string', default: '' },
      format: { type: 'string', default: 'text' },
      help: { type: 'boolean', default: false },
    },
  });
  const tiers = TIERS.filter((tier) => values.tier.includes(tier));
  const known =
    values.suite.every((name) => NAMES.includes(name)) &&
    tiers.length === new Set(values.tier).size &&
    ['text', 'json'].includes(values.format);
  if (values.help || !known) {
    process.stderr.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  const folder = process.env['CONFORMANCE_DIR'];
  if (folder === undefined) {
    process.stderr.write(
      'SKIPPED: conformance: CONFORMANCE_DIR is not set: a folder with ready-built suites\n',
    );
    return 0;
  }

  const results: TestResult[] = [];
  const selection = { folder, suites: values.suite, tiers, filter: values.filter, limits: DEFAULT_LIMITS };
  for await (const result of runSuites(selection)) {
    results.push(result);
    if (result.status === 'passed' || values.format === 'json') continue;
    process.stdout.write(
      `${result.status} ${result.suite} ${result.tier} ${result.test}: ${result.reason}\n`,
    );
  }
  const count = (status: TestResult['status'], of = results): number =>
    of.filter((result) => result.status === status).length;
  const failures = count('failed');
  if (values.format === 'json') {
    process.stdout.write(
      `${JSON.stringify({ passed: count('passed'), failed: failures, skipped: count('skipped'), results })}\n`,
    );
  } else {
    for (const suite of values.suite) {
      for (const tier of tiers) {
        const own = results.filter((result) => result.suite === suite && result.tier === tier);
        process.stdout.write(`${suite} ${tier}: ${summary(own)}\n`);
      }
    }
    process.stdout.write(`${summary(results)}\n`);
  }
  return failures === 0 ? 0 : 1;

  function summary(of: TestResult[]): string {
    return `${count('passed', of)} passed, ${count('failed', of)} failed, ${count('skipped', of)} skipped`;
  }
}
