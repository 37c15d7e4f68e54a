import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

describeWith({ variables: ['CONFORMANCE_DIR'] }, 'qemu-iotests', () => {
  test('what is on the pass list passes', () => {
    const runner = fileURLToPath(new URL('iotests.ts', import.meta.url));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--conditions=@polyvisor/source', runner, '--passed', '--jobs', '2'],
      { encoding: 'utf8' },
    );
    expect({
      status,
      failed: stdout.split('\n').filter((line) => line.startsWith('failed')),
      stderr,
    }).toEqual({
      status: 0,
      failed: [],
      stderr: expect.any(String),
    });
  }, 3_600_000);
});
