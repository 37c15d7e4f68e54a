import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createEpochs, openRemoteDisk } from '../../src/block/index.ts';
import { BlockHostChild } from './block-host-child.ts';

const MIB = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), 'disk-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status === 0;
if (!mounted) process.stderr.write('SKIPPED: disk full: needs the right to mount a tmpfs\n');

(mounted ? test : test.skip)(
  'a host without space: the disk waits, and goes on when there is some',
  async () => {
    const ballast = join(folder, 'ballast');
    const host = new BlockHostChild(8 * MIB, false, folder);
    writeFileSync(ballast, new Uint8Array(3 * MIB));
    await host.start();
    const connection = host.connectDevices();
    const stalls: [boolean, string][] = [];
    const disk = await openRemoteDisk({
      connect: () => connection.call.attach(),
      capability: await host.grant(),
      epochs: createEpochs(0),
      onStall: (active, reason) => stalls.push([active, reason]),
    });
    const data = Uint8Array.from({ length: 2 * MIB }, (_, index) => index % 249);
    let done = false;
    const written = disk.write(0, data).then(() => {
      done = true;
    });
    while (stalls.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    expect([done, stalls]).toEqual([false, [[true, 'no space left on the host']]]);
    truncateSync(ballast, 0);
    await written;
    expect(stalls).toEqual([
      [true, 'no space left on the host'],
      [false, 'no space left on the host'],
    ]);
    expect(readFileSync(host.image).subarray(0, data.length).equals(data)).toBe(true);
    await disk.close();
    connection.close();
    await host.kill();
    spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
  },
  30_000,
);
