import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Tier } from '../../src/index.ts';
import { BareHart, type Limits } from './bare-hart.ts';
import { SUITES, type Outcome } from './suites.ts';

/** One test in one tier. */
export interface TestResult extends Outcome {
  readonly suite: string;
  readonly tier: Tier;
  readonly test: string;
}

/** What to run. */
export interface Selection {
  /** $CONFORMANCE_DIR. */
  readonly folder: string;
  readonly suites: readonly string[];
  readonly tiers: readonly Tier[];
  /** Only tests whose names contain it. */
  readonly filter: string;
  readonly limits: Limits;
}

/** Generous for these suites: none of their programs needs a tenth. */
export const DEFAULT_LIMITS: Limits = { instructions: 50_000_000, cpuSeconds: 20 };

/** Runs suites, one result after another. A suite whose folder is missing gives one skipped result a tier. */
export async function* runSuites(selection: Selection): AsyncGenerator<TestResult> {
  for (const tier of selection.tiers) {
    let hart = await BareHart.open(tier);
    try {
      for (const suite of SUITES.filter(({ name }) => selection.suites.includes(name))) {
        const folder = join(selection.folder, suite.folder);
        const common = { suite: suite.name, tier };
        if (!existsSync(folder)) {
          yield { ...common, test: '*', status: 'skipped', reason: `no folder ${folder}` };
          continue;
        }
        for (const test of suite.list(folder).filter((name) => name.includes(selection.filter))) {
          try {
            yield { ...common, test, ...(await suite.run(hart, folder, test, selection.limits)) };
          } catch (error) {
            yield {
              ...common,
              test,
              status: 'failed',
              reason: error instanceof Error ? error.message : String(error),
            };
            // Whatever state it is in, the next test gets another one.
            await hart.close();
            hart = await BareHart.open(tier);
          }
        }
      }
    } finally {
      await hart.close();
    }
  }
}
