import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import type { FormatNode, OptionValue } from '../../src/graph/format-node.ts';
import { openImage } from '../../src/graph/open-image.ts';
import { NODE_DRIVERS } from '../../src/node/drivers.ts';
import { createImage } from '../../src/operations/create-image.ts';

const MIB = 1024 * 1024;
const environment = { drivers: NODE_DRIVERS };
/** qemu-img has no check for VHD. */
const CHECKED = new Set(['vdi', 'vmdk', 'vhdx']);

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sparse-qemu-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

type Values = Readonly<Record<string, OptionValue>>;

function optionsOf(values: Values): string[] {
  const text = Object.entries(values).map(
    ([name, value]) => `${name}=${value === true ? 'on' : value === false ? 'off' : value}`,
  );
  return text.length === 0 ? [] : ['-o', text.join()];
}

function qemu(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
}

function open(path: string, format: string, readOnly = false): Promise<FormatNode> {
  return openImage(path, { format, readOnly }, environment);
}

/** A sequence of numbers that is the same each time. */
function randomOf(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * limit);
  };
}

interface Step {
  readonly kind: 'write' | 'zero';
  readonly at: number;
  readonly length: number;
  readonly fill: number;
}

function steps(random: (limit: number) => number, size: number, count: number): Step[] {
  return Array.from({ length: count }, () => {
    const at = random(size / 512) * 512;
    const length = Math.min(size - at, (1 + random(random(2) === 0 ? 16 : 1500)) * 512);
    return { kind: random(4) === 0 ? 'zero' : 'write', at, length, fill: 1 + random(255) };
  });
}

function applyToModel(model: Uint8Array, { kind, at, length, fill }: Step): void {
  model.fill(kind === 'zero' ? 0 : fill, at, at + length);
}

function theirs(path: string, format: string, list: readonly Step[]): void {
  const commands = list.flatMap(({ kind, at, length, fill }) => [
    '-c',
    kind === 'zero' ? `write -z ${at} ${length}` : `write -P ${fill} ${at} ${length}`,
  ]);
  qemu('qemu-io', '-f', format, ...commands, path);
}

async function ours(path: string, format: string, list: readonly Step[]): Promise<void> {
  const node = await open(path, format);
  for (const { kind, at, length, fill } of list) {
    if (kind === 'zero') await node.writeZeroes(at, length, { mayUnmap: true });
    else await node.write(at, new Uint8Array(length).fill(fill));
  }
  await node.close();
}

async function expectBoth(
  path: string,
  format: string,
  model: Uint8Array,
  maker: 'theirs' | 'ours' = 'theirs',
): Promise<void> {
  const raw = join(folder, 'out.raw');
  qemu('qemu-img', 'convert', '-f', format, '-O', 'raw', path, raw);
  expect(Buffer.compare(readFileSync(raw), model)).toBe(0);
  const node = await open(path, format, true);
  const bytes = new Uint8Array(node.size);
  await node.read(0, bytes);
  expect(Buffer.compare(bytes, model)).toBe(0);
  const report = await node.checking?.check('none');
  await node.close();
  expect(report?.corruptions ?? 0).toBe(0);
  // QEMU leaves gaps in VHDX files, as it aligns blocks to their size.
  expect(report?.leaks ?? 0).toBeLessThanOrEqual(maker === 'theirs' && format === 'vhdx' ? 0 : 8);
  if (CHECKED.has(format)) qemu('qemu-img', 'check', '-f', format, path);
}

interface Case {
  readonly format: string;
  readonly values: Values;
  /** It is made over a parent. */
  readonly backed?: boolean;
  readonly size?: number;
}

const CASES: readonly Case[] = [
  { format: 'vdi', values: {} },
  { format: 'vdi', values: { static: true } },
  { format: 'vpc', values: { force_size: true } },
  { format: 'vpc', values: { subformat: 'fixed', force_size: true } },
  { format: 'vhdx', values: {}, size: 20 * MIB },
  { format: 'vhdx', values: { block_size: MIB, log_size: 2 * MIB } },
  { format: 'vhdx', values: { subformat: 'fixed' } },
  { format: 'vhdx', values: { block_state_zero: false, block_size: 2 * MIB } },
  { format: 'vmdk', values: {} },
  { format: 'vmdk', values: { zeroed_grain: true, adapter_type: 'lsilogic' } },
  { format: 'vmdk', values: { subformat: 'monolithicFlat', compat6: true } },
  { format: 'vmdk', values: { subformat: 'twoGbMaxExtentSparse', hwversion: '7' } },
  { format: 'vmdk', values: { subformat: 'twoGbMaxExtentFlat' } },
  { format: 'vmdk', values: {}, backed: true },
  { format: 'vmdk', values: { zeroed_grain: true }, backed: true },
];

describeWith({ programs: ['qemu-img', 'qemu-io'] }, 'against QEMU', () => {
  for (const { format, values, backed = false, size = 6 * MIB } of CASES) {
    for (const maker of ['theirs', 'ours'] as const) {
      test(`${format} ${JSON.stringify(values)}${backed ? ' with a parent' : ''}, made by ${maker}`, async () => {
        const path = join(folder, `disk.${format}`);
        const base = join(folder, `base.${format}`);
        const random = randomOf(values['zeroed_grain'] === true ? 7 : 5);
        const model = new Uint8Array(size);
        const make = async (name: string, all: Values): Promise<void> => {
          if (maker === 'ours') await createImage(name, { format, size, values: all }, environment);
          else
            qemu(
              'qemu-img',
              'create',
              '-q',
              '-f',
              format,
              ...optionsOf(all),
              ...(all['backing_file'] === undefined ? [] : ['-F', format]),
              name,
              `${size}`,
            );
        };
        await make(backed ? base : path, values);
        if (backed) {
          const first = steps(random, size, 5);
          for (const step of first) applyToModel(model, step);
          theirs(base, format, first);
          await make(path, { ...values, backing_file: `base.${format}` });
        }
        await expectBoth(path, format, model, maker);
        for (let round = 0; round < 4; round++) {
          const list = steps(random, size, 6);
          for (const step of list) applyToModel(model, step);
          if (round % 2 === 0) await ours(path, format, list);
          else theirs(path, format, list);
          await expectBoth(path, format, model, maker);
        }
      }, 60_000);
    }
  }

  test('stream-optimised VMDK, each reads the other', async () => {
    const size = 70 * MIB + 512;
    const raw = join(folder, 'in.raw');
    const model = new Uint8Array(size);
    const random = randomOf(3);
    for (let i = 0; i < 60; i++) {
      const step = steps(random, size, 1)[0]!;
      applyToModel(model, step);
      if (i % 3 === 0) for (let at = step.at; at < step.at + step.length; at++) model[at] = random(256);
    }
    writeFileSync(raw, model);
    const path = join(folder, 'theirs.vmdk');
    qemu('qemu-img', 'convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, path);
    await expectBoth(path, 'vmdk', model);
    const mine = join(folder, 'ours.vmdk');
    await createImage(mine, { format: 'vmdk', size, values: { subformat: 'streamOptimized' } }, environment);
    const node = await open(mine, 'vmdk');
    const { compression } = node;
    expect(compression?.sequential).toBe(true);
    const grain = compression!.clusterSize;
    for (let at = 0; at < size; at += grain)
      await compression!.write(at, model.subarray(at, Math.min(size, at + grain)));
    await expect(compression!.write(0, new Uint8Array(grain).fill(1))).rejects.toMatchObject({
      code: 'unsupported',
    });
    await node.close();
    await expectBoth(mine, 'vmdk', model);
  }, 60_000);

  test('sizes and facts are the same', async () => {
    for (const [format, values] of [
      ['vdi', {}],
      ['vpc', {}],
      ['vpc', { subformat: 'fixed' }],
      ['vpc', { force_size: true }],
      ['vhdx', {}],
      ['vmdk', {}],
      ['vmdk', { subformat: 'twoGbMaxExtentSparse' }],
    ] as const) {
      for (const size of [
        512,
        1_000_448,
        10 * MIB,
        5_000_000_000 - (5_000_000_000 % 512),
        140 * 1024 * MIB,
      ]) {
        const a = join(folder, `a.${format}`);
        const b = join(folder, `b.${format}`);
        qemu('qemu-img', 'create', '-q', '-f', format, ...optionsOf(values), a, `${size}`);
        await createImage(b, { format, size, values }, environment);
        const info = (path: string): Record<string, unknown> =>
          JSON.parse(qemu('qemu-img', 'info', '-f', format, '--output=json', path)) as Record<
            string,
            unknown
          >;
        const [one, two] = [info(a), info(b)];
        expect({ format, values, size: two['virtual-size'], cluster: two['cluster-size'] }).toEqual({
          format,
          values,
          size: one['virtual-size'],
          cluster: one['cluster-size'],
        });
        const node = await open(a, format, true);
        expect({ format, values, size: node.size, cluster: (await node.describe!()).clusterSize }).toEqual({
          format,
          values,
          size: one['virtual-size'],
          cluster: one['cluster-size'],
        });
        await node.close();
      }
    }
  }, 120_000);
});
