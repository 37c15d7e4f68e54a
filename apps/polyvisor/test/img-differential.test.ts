import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from '@polyvisor/testkit/needs';
import { runOurs, runTheirs } from './img-command.ts';

type Step = readonly [program: 'img' | 'io', ...args: string[]];

/** Words that begin with `/` are files in the folder of whoever runs the step. */
const SEQUENCES: Readonly<Record<string, readonly Step[]>> = {
  raw: [
    ['img', 'create', '-q', '-f', 'raw', '/a', '4M'],
    ['img', 'info', '-f', 'raw', '/a'],
    [
      'io',
      '-f',
      'raw',
      '-c',
      'write -P 7 1M 128k',
      '-c',
      'write -z 64k 64k',
      '-c',
      'read -P 7 1M 128k',
      '-c',
      'read -P 1 0 512',
      '/a',
    ],
    [
      'io',
      '-f',
      'raw',
      '-c',
      'length',
      '-c',
      'alloc 0 4M',
      '-c',
      'discard 1M 64k',
      '-c',
      'read -v 1179640 20',
      '-c',
      'write 4M 512',
      '/a',
    ],
    ['img', 'map', '-f', 'raw', '--output=json', '/a'],
    ['img', 'map', '-f', 'raw', '/a'],
    ['img', 'resize', '-f', 'raw', '/a', '+1M'],
    ['img', 'resize', '-f', 'raw', '/a', '-2M'],
    ['img', 'resize', '-f', 'raw', '--shrink', '/a', '-2M'],
    ['img', 'convert', '-f', 'raw', '-O', 'raw', '/a', '/b'],
    ['img', 'compare', '-f', 'raw', '-F', 'raw', '/a', '/b'],
    ['io', '-f', 'raw', '-c', 'write -q -P 9 2M 512', '/b'],
    ['img', 'compare', '-f', 'raw', '-F', 'raw', '/a', '/b'],
    ['img', 'resize', '-q', '-f', 'raw', '/b', '8M'],
    ['img', 'compare', '-s', '-f', 'raw', '-F', 'raw', '/a', '/b'],
    ['img', 'dd', '-f', 'raw', 'bs=64k', 'skip=10', 'if=/b', 'of=/c'],
    ['img', 'info', '--output=json', '-f', 'raw', '/c'],
    ['img', 'measure', '-O', 'raw', '--size', '10M'],
    ['img', 'check', '-f', 'raw', '/a'],
    ['img', 'snapshot', '-f', 'raw', '-l', '/a'],
  ],
  qcow2: [
    ['img', 'create', '-q', '-f', 'qcow2', '/base', '16M'],
    [
      'io',
      '-c',
      'write -P 1 0 1M',
      '-c',
      'write -P 2 4M 320k',
      '-c',
      'write -c -P 3 8M 64k',
      '-c',
      'write -z 12M 1M',
      '/base',
    ],
    ['img', 'info', '/base'],
    ['img', 'check', '/base'],
    ['img', 'check', '--output=json', '/base'],
    ['img', 'create', '-q', '-f', 'qcow2', '-b', '/base', '-F', 'qcow2', '/top'],
    [
      'io',
      '-c',
      'write -P 4 512k 64k',
      '-c',
      'write -z 4M 128k',
      '-c',
      'read -P 1 0 512k',
      '-c',
      'read -P 0 4M 128k',
      '-c',
      'map',
      '/top',
    ],
    ['img', 'info', '--backing-chain', '/top'],
    ['img', 'info', '--backing-chain', '--output=json', '/top'],
    ['img', 'map', '--output=json', '/top'],
    ['img', 'convert', '-O', 'qcow2', '/top', '/flat'],
    ['img', 'convert', '-c', '-O', 'qcow2', '/top', '/small'],
    ['img', 'compare', '/top', '/flat'],
    ['img', 'compare', '/top', '/small'],
    ['img', 'check', '/small'],
    ['img', 'snapshot', '-c', 'one', '/flat'],
    ['io', '-c', 'write -P 9 0 64k', '/flat'],
    ['img', 'snapshot', '-l', '/flat'],
    ['img', 'convert', '-l', 'one', '-O', 'raw', '/flat', '/one'],
    ['img', 'snapshot', '-a', 'one', '/flat'],
    ['img', 'compare', '/top', '/flat'],
    ['img', 'snapshot', '-d', 'one', '/flat'],
    ['img', 'check', '/flat'],
    ['img', 'create', '-q', '-f', 'qcow2', '/other', '8M'],
    ['io', '-c', 'write -P 8 0 2M', '/other'],
    ['img', 'map', '--output=json', '-s', '7M', '/top'],
    ['img', 'rebase', '-b', '/other', '-F', 'qcow2', '/top'],
    ['img', 'compare', '/top', '/flat'],
    ['img', 'map', '--output=json', '-s', '10M', '/top'],
    ['img', 'commit', '/top'],
    ['img', 'compare', '/other', '/flat'],
    ['img', 'rebase', '-u', '-b', '', '/top'],
    ['img', 'info', '/top'],
    ['img', 'bitmap', '--add', '-g', '32k', '/flat', 'b0'],
    ['img', 'bitmap', '--disable', '/flat', 'b0'],
    ['img', 'info', '/flat'],
    ['img', 'bitmap', '--remove', '/flat', 'b0'],
    ['img', 'measure', '-O', 'qcow2', '/flat'],
    ['img', 'amend', '-o', 'compat=0.10', '/flat'],
    ['img', 'info', '/flat'],
    ['img', 'resize', '/flat', '+16M'],
    ['img', 'measure', '-O', 'qcow2', '--size', '1G', '--output=json'],
    ['img', 'dd', '-O', 'qcow2', 'bs=1M', 'count=5', 'if=/flat', 'of=/dd'],
    ['img', 'info', '/dd'],
  ],
};

/** Both programs must refuse these with the same status, and leave `/a` alone. */
const MISTAKES: readonly Step[] = [
  ['img', 'info', '/missing'],
  ['img', 'create', '-f', 'nothing', '/x', '1M'],
  ['img', 'create', '-f', 'qcow2', '/x'],
  ['img', 'create', '-f', 'qcow2', '/x', 'lots'],
  ['img', 'create', '-f', 'qcow2', '-o', 'cluster_size=1000', '/a', '1M'],
  ['img', 'create', '-f', 'qcow2', '-o', 'no_such=1', '/a', '1M'],
  ['img', 'create', '-f', 'qcow2', '-b', '/missing', '-F', 'raw', '/x'],
  ['img', 'create', '-f', 'qcow2', '-b', '/a', '/x'],
  ['img', 'create', '-f', 'raw', '-b', '/a', '-F', 'raw', '/x', '1M'],
  ['img', 'convert', '-O', 'nothing', '/a', '/x'],
  ['img', 'convert', '/a'],
  ['img', 'convert', '-c', '-O', 'raw', '/a', '/x'],
  ['img', 'convert', '-m', '99', '/a', '/x'],
  ['img', 'convert', '-S', '100', '/a', '/x'],
  ['img', 'resize', '/a'],
  ['img', 'resize', '-f', 'raw', '/a', 'much'],
  ['img', 'snapshot', '-c', 's', '-f', 'raw', '/a'],
  ['img', 'commit', '-f', 'raw', '/a'],
  ['img', 'rebase', '-f', 'raw', '-b', '/missing', '-F', 'raw', '/a'],
  ['img', 'compare', '/a', '/missing'],
  ['img', 'check', '-f', 'raw', '/a'],
  ['img', 'dd', 'if=/a'],
  ['img', 'measure', '-O', 'qcow2'],
  ['img', 'amend', '-f', 'raw', '-o', 'size=1', '/a'],
  ['img', 'bitmap', '--add', '-f', 'raw', '/a', 'b'],
  ['img', 'info', '--output=xml', '/a'],
  ['img', 'frobnicate', '/a'],
  ['io', '-f', 'raw', '-c', 'read', '/a'],
  ['io', '-f', 'raw', '-c', 'nothing', '/a'],
  ['io', '-f', 'qcow2', '-c', 'read 0 1', '/a'],
  ['io', '-r', '-f', 'raw', '-c', 'write 0 512', '/a'],
];

describeWith({ programs: ['qemu-img', 'qemu-io'] }, "img and io beside QEMU's programs", () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'img-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const folderOf = (whose: string): string => {
    const path = join(folder, whose);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const place = (step: Step, path: string): readonly string[] =>
    step
      .slice(1)
      .map((word) =>
        word.replace(/^(if=|of=)?\//, (_all, name: string | undefined) => `${name ?? ''}${path}/`),
      );
  const mask = (text: string, path: string): string =>
    text
      .replaceAll(path, '.')
      .replaceAll(/disk size: .*/g, 'disk size: -')
      // Where new clusters go is each one's own affair.
      .replaceAll(/Image end offset: .*/g, 'Image end offset: -')
      .replaceAll(/"actual-size": \d+/g, '"actual-size": 0')
      .replaceAll(/\d\d\.\d\d sec \(.*\)/g, '-')
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE');

  for (const [name, steps] of Object.entries(SEQUENCES)) {
    test(`${name}: both print the same and end alike`, async () => {
      const ours = folderOf(`ours-${name}`);
      const theirs = folderOf(`theirs-${name}`);
      for (const step of steps) {
        const mine = await runOurs(
          step[0] === 'io' ? ['io', ...place(step, ours)] : ['img', ...place(step, ours)],
        );
        const other = runTheirs(`qemu-${step[0]}`, place(step, theirs));
        expect({ step, status: mine.status, output: mask(mine.output, ours) }).toEqual({
          step,
          status: other.status,
          output: mask(other.output, theirs),
        });
      }
      // Each image as the other program sees it.
      for (const file of readdirSync(ours)) {
        const compared = runTheirs('qemu-img', ['compare', join(ours, file), join(theirs, file)]);
        expect({ file, ...compared }).toMatchObject({ file, status: 0 });
        const back = await runOurs(['img', 'compare', join(theirs, file), join(ours, file)]);
        expect({ file, ...back }).toMatchObject({ file, status: 0 });
      }
    }, 120_000);
  }

  test.each(MISTAKES.map((step) => [step.join(' '), step] as const))(
    'both refuse: %s',
    async (_name, step) => {
      const ours = folderOf('ours-mistakes');
      const theirs = folderOf('theirs-mistakes');
      for (const path of [ours, theirs]) writeFileSync(join(path, 'a'), new Uint8Array(1024).fill(0x41));
      const mine = await runOurs([step[0], ...place(step, ours)]);
      const other = runTheirs(`qemu-${step[0]}`, place(step, theirs));
      expect({ errors: `${mine.errors}${mine.output}`, status: mine.status }).toMatchObject({
        status: other.status,
      });
      // The shell of io talks on standard output.
      const text = step[0] === 'io' ? mine.errors + mine.output : mine.errors;
      expect(text.trimEnd().split('\n')).toHaveLength(1);
      expect(readFileSync(join(ours, 'a')).equals(Buffer.alloc(1024, 0x41))).toBe(true);
    },
  );
});
