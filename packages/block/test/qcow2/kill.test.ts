import { afterAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createImage, openImage } from '../../src/index.ts';
import { NODE_DRIVERS } from '../../src/node/index.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 3);
const environment = { drivers: NODE_DRIVERS };
const folder = mkdtempSync(join(tmpdir(), 'kill-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a process that writes, kills it after so many acknowledged writes; what it had acknowledged. */
function killWriter(path: string, seed: number, writes: number): Promise<Map<number, number>> {
  const writer = fileURLToPath(new URL('kill-writer.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@polyvisor/source', writer, path, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.split('\n').length > writes) child.kill('SIGKILL');
  });
  return new Promise((resolve) => {
    child.once('close', () => {
      const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
      resolve(
        new Map(
          whole.filter((line) => line !== '').map((line) => line.split(' ').map(Number) as [number, number]),
        ),
      );
    });
  });
}

test.each([{ cluster_size: 65536 }, { cluster_size: 4096, lazy_refcounts: true }, { extended_l2: true }])(
  `acknowledged writes survive kill -9 of the process, %p`,
  async (values: Readonly<Record<string, number | boolean>>) => {
    for (let round = 0; round < ROUNDS; round++) {
      const path = join(folder, `${round}.qcow2`);
      await createImage(path, { format: 'qcow2', size: 16 * 2 ** 20, values: { ...values } }, environment);
      const acknowledged = await killWriter(path, round, 40 + round * 150);
      expect(acknowledged.size).toBeGreaterThan(30);
      // The lock went with the process, and nothing but leaks is wrong.
      const looked = await openImage(path, { readOnly: true, purpose: 'check' }, environment);
      const report = await looked.checking!.check('none');
      if (!('lazy_refcounts' in values)) expect(report).toMatchObject({ corruptions: 0, checkErrors: 0 });
      await looked.close();
      const node = await openImage(path, { readOnly: false }, environment);
      expect(await node.checking!.check('none')).toMatchObject({ corruptions: 0, checkErrors: 0 });
      const bytes = new Uint8Array(4096);
      for (const [block, value] of acknowledged) {
        await node.read(block * 4096, bytes);
        expect([block, bytes[0], bytes[4095]]).toEqual([block, value, value]);
      }
      await node.close();
    }
  },
  120_000,
);
