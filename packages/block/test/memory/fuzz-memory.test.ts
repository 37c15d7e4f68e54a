import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const RUNS = process.env['FUZZ_MEMORY_RUNS'] ?? '300';
const MOST_MIB = 256;

// Node collects garbage lazily where there is memory: with little of it, what is live shows.
test.each(['sparse/fuzz-main.ts', 'qcow2/fuzz.ts'])(
  `broken images take at most ${MOST_MIB} MiB, the program itself included: %s`,
  (script) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        '--conditions=@polyvisor/source',
        '--max-old-space-size=96',
        '--max-semi-space-size=4',
        fileURLToPath(new URL(`../${script}`, import.meta.url)),
        RUNS,
      ],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const peaks = [...stdout.matchAll(/(\d+) MiB/g)].map((found) => Number(found[1]));
    expect(peaks.length).toBeGreaterThan(0);
    expect(Math.max(...peaks)).toBeLessThanOrEqual(MOST_MIB);
  },
  300_000,
);
