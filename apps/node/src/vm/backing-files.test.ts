import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createImage } from '@polyvisor/block';
import { NODE_DRIVERS } from '@polyvisor/block/node';
import { backingFilesOf } from './backing-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'backing-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('backing files', () => {
  test('of a chain, each once; none of raw disks, which say nothing', async () => {
    const environment = { drivers: NODE_DRIVERS };
    const [base, middle, top, other] = ['base', 'middle', 'top', 'other'].map((name) => join(folder, name));
    const overlay = (path: string, backing_file: string): Promise<void> =>
      createImage(path, { format: 'qcow2', values: { backing_file, backing_fmt: 'qcow2' } }, environment);
    await createImage(base!, { format: 'qcow2', size: 1 << 20 }, environment);
    await overlay(middle!, base!);
    await overlay(top!, middle!);
    await overlay(other!, middle!);
    const disks = [top!, other!].map((path) => ({ path, format: 'qcow2' as const, readOnly: false }));
    expect((await backingFilesOf(disks)).sort()).toEqual([base, middle].sort());
    expect(await backingFilesOf([{ path: '/nowhere', format: 'raw', readOnly: false }])).toEqual([]);
    const missing = [{ path: join(folder, 'none'), format: 'qcow2' as const, readOnly: false }];
    await expect(backingFilesOf(missing)).rejects.toThrow(/none/);
  });
});
