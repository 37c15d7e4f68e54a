import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import type { BlockNode } from '../../src/graph/block-node.ts';
import { openFileNode } from '../../src/node/file/open-file.ts';
import { openQcow2 } from '../../src/qcow2/open-qcow2.ts';
import type { Qcow2Node } from '../../src/qcow2/qcow2-node.ts';
import { contextOf, createIn, expectSound } from './images.ts';
import type { Surroundings, Values } from './images.ts';
import { randomFrom } from './random.ts';

const SIZE = 8 * 1024 * 1024;
const OPERATIONS = Number(process.env['DIFFERENTIAL_OPERATIONS'] ?? 30);

interface Variant {
  readonly options: string;
  readonly values: Values;
  readonly backing?: boolean;
  readonly dataFile?: boolean;
  readonly snapshots?: boolean;
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  plain: { options: 'compat=1.1', values: {}, snapshots: true },
  v2: { options: 'compat=0.10', values: { compat: '0.10' }, snapshots: true },
  'small clusters': { options: 'cluster_size=512', values: { cluster_size: 512 }, snapshots: true },
  'large clusters': { options: 'cluster_size=2M', values: { cluster_size: 2 * 1024 * 1024 } },
  'refcount_bits=1': {
    options: 'refcount_bits=1,cluster_size=4k',
    values: { refcount_bits: 1, cluster_size: 4096 },
  },
  'refcount_bits=2': {
    options: 'refcount_bits=2,cluster_size=4k',
    values: { refcount_bits: 2, cluster_size: 4096 },
  },
  'refcount_bits=64': {
    options: 'refcount_bits=64,cluster_size=1k',
    values: { refcount_bits: 64, cluster_size: 1024 },
    snapshots: true,
  },
  lazy: { options: 'lazy_refcounts=on', values: { lazy_refcounts: true }, snapshots: true },
  'extended L2': {
    options: 'extended_l2=on,cluster_size=16k',
    values: { extended_l2: true, cluster_size: 16384 },
    snapshots: true,
  },
  'backing file': { options: 'compat=1.1', values: {}, backing: true, snapshots: true },
  'extended L2 over backing': {
    options: 'extended_l2=on',
    values: { extended_l2: true },
    backing: true,
    snapshots: true,
  },
  zstd: { options: 'compression_type=zstd', values: { compression_type: 'zstd' } },
  preallocated: { options: 'preallocation=metadata', values: { preallocation: 'metadata' } },
  'data file': { options: 'data_file=DATA', values: { data_file: 'DATA' }, dataFile: true },
  'raw data file': {
    options: 'data_file=DATA,data_file_raw=on',
    values: { data_file: 'DATA', data_file_raw: true },
    dataFile: true,
  },
};

describeWith({ programs: ['qemu-img', 'qemu-io'] }, 'qcow2 beside qemu-img and qemu-io', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'qcow2-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (program: string, args: readonly string[]): string =>
    execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  for (const [name, variant] of Object.entries(VARIANTS)) {
    const paths = (): { image: string; base: string; data: string; raw: string } => ({
      image: join(folder, `${name.replaceAll(/\W/g, '-')}.qcow2`),
      base: join(folder, `${name.replaceAll(/\W/g, '-')}.base`),
      data: join(folder, `${name.replaceAll(/\W/g, '-')}.data`),
      raw: join(folder, `${name.replaceAll(/\W/g, '-')}.raw`),
    });

    const open = async (create: boolean): Promise<{ node: Qcow2Node; close: () => Promise<void> }> => {
      const { image, base, data } = paths();
      const others: BlockNode[] = [];
      const file = await openFileNode({ path: image, readOnly: false, growable: true, create });
      const surroundings: { -readonly [K in keyof Surroundings]: Surroundings[K] } = {};
      if (variant.backing === true) {
        surroundings.backing = await openFileNode({ path: base, readOnly: true, shared: true });
        others.push(surroundings.backing);
      }
      if (variant.dataFile === true) {
        surroundings.dataFile = await openFileNode({ path: data, readOnly: false, growable: true, create });
        others.push(surroundings.dataFile);
      }
      if (create) {
        const values = { ...variant.values };
        if (variant.dataFile === true) values['data_file'] = data;
        if (variant.backing === true) {
          values['backing_file'] = base;
          values['backing_fmt'] = 'raw';
        }
        await createIn(file, SIZE, values, surroundings);
      }
      const node = await openQcow2(file, { readOnly: false, values: {} }, contextOf(surroundings));
      return {
        node,
        close: async () => {
          await node.close();
          for (const other of others) await other.close();
        },
      };
    };

    const makeBase = async (model: Uint8Array): Promise<void> => {
      const { base, raw } = paths();
      const file = await openFileNode({ path: base, readOnly: false, growable: true, create: true });
      const bytes = new Uint8Array(SIZE - 65536 * 3 - 512);
      bytes.forEach((_, i) => (bytes[i] = (i >>> 9) * 3 + 1));
      await file.write(0, bytes);
      await file.close();
      if (variant.backing === true) model.set(bytes);
      void raw;
    };

    const expectSame = async (model: Uint8Array): Promise<void> => {
      const { image, raw } = paths();
      const file = await openFileNode({ path: raw, readOnly: false, growable: true, create: true });
      await file.write(0, model);
      await file.close();
      run('qemu-img', ['check', '-q', image]);
      run('qemu-img', ['compare', '-q', '-F', 'raw', '-f', 'qcow2', image, raw]);
    };

    const expectOurs = async (node: Qcow2Node, model: Uint8Array): Promise<void> => {
      const bytes = new Uint8Array(SIZE);
      await node.read(0, bytes);
      const wrong = bytes.findIndex((byte, i) => byte !== model[i]);
      if (wrong >= 0) throw new Error(`byte ${wrong} is ${bytes[wrong]}, should be ${model[wrong]}`);
    };

    /** qemu-io's commands for random operations, and what they do to the model. */
    const theirCommands = (random: () => number, model: Uint8Array, compress: boolean): string[] => {
      const commands: string[] = [];
      const cluster = Number(variant.values['cluster_size'] ?? 65536);
      // qemu-io can't compress into a cluster that has its place; and QEMU 7.2 puts compressed data into a cluster
      // that has been freed and given to somebody else meanwhile, so compressed writes come first.
      const touched = new Set<number>();
      for (let i = 0; i < OPERATIONS; i++) {
        const at = Math.floor(random() * (SIZE / 512)) * 512;
        const length = Math.min(SIZE - at, Math.ceil(random() ** 3 * 900) * 512);
        let kind = compress && i < OPERATIONS / 5 ? 4 : Math.floor(random() * 4);
        const value = 1 + Math.floor(random() * 254);
        if (kind === 4 && touched.has(Math.floor(at / cluster))) kind = 0;
        const end = kind === 4 ? at + 1 : at + length;
        for (let c = Math.floor(at / cluster); c * cluster < end; c++) touched.add(c);
        if (kind < 2) {
          commands.push(`write -q -P ${value} ${at} ${length}`);
          model.fill(value, at, at + length);
        } else if (kind === 2) {
          commands.push(`write -q -z ${at} ${length}`);
          model.fill(0, at, at + length);
        } else if (kind === 3) {
          commands.push(`write -q -z -u ${at} ${length}`);
          model.fill(0, at, at + length);
        } else {
          const from = Math.floor(at / cluster) * cluster;
          const bytes = Math.min(cluster, SIZE - from);
          commands.push(`write -q -c -P ${value} ${from} ${bytes}`);
          model.fill(value, from, from + bytes);
        }
      }
      return commands;
    };

    const ourOperations = async (random: () => number, model: Uint8Array, node: Qcow2Node): Promise<void> => {
      const canCompress = variant.dataFile !== true;
      for (let i = 0; i < OPERATIONS; i++) {
        const at = Math.floor(random() * (SIZE / 512)) * 512;
        const length = Math.min(SIZE - at, Math.ceil(random() ** 3 * 900) * 512);
        const kind = Math.floor(random() * 5);
        const value = 1 + Math.floor(random() * 254);
        if (kind < 2) {
          await node.write(at, new Uint8Array(length).fill(value));
          model.fill(value, at, at + length);
        } else if (kind === 4 && canCompress) {
          const { clusterSize } = node.compression;
          const from = Math.floor(at / clusterSize) * clusterSize;
          const bytes = new Uint8Array(Math.min(clusterSize, SIZE - from)).fill(value);
          for (let j = 0; j < bytes.length / 2; j++) bytes[j] = Math.floor(random() * 256);
          await node.compression.write(from, bytes);
          model.set(bytes, from);
        } else if (kind === 3) {
          await node.discard(at, length);
          await node.read(at, model.subarray(at, at + length));
        } else {
          await node.writeZeroes(at, length, { mayUnmap: kind === 3 });
          model.fill(0, at, at + length);
        }
        if (random() < 0.1) await node.flush();
      }
    };

    test(`${name}: theirs, then ours, then theirs`, async () => {
      const { image, base, data } = paths();
      const random = randomFrom(name);
      const model = new Uint8Array(SIZE);
      await makeBase(model);
      const create = ['create', '-q', '-f', 'qcow2', '-o', variant.options.replace('DATA', data)];
      if (variant.backing === true) create.push('-b', base, '-F', 'raw');
      run('qemu-img', [...create, image, String(SIZE)]);
      const commands = theirCommands(
        random,
        model,
        variant.dataFile !== true && variant.values['preallocation'] === undefined,
      );
      run('qemu-io', commands.flatMap((command) => ['-c', command]).concat(image));
      if (variant.snapshots === true) {
        run('qemu-img', ['snapshot', '-c', 'first', image]);
      }
      const first = model.slice();
      const ours = await open(false);
      await expectSound(ours.node);
      await expectOurs(ours.node, model);
      await ourOperations(random, model, ours.node);
      await expectOurs(ours.node, model);
      await expectSound(ours.node);
      if (variant.snapshots === true) {
        await ours.node.snapshots.create('second', { seconds: 1700000000, nanoseconds: 5 });
        await ourOperations(random, model.slice(), ours.node);
        await ours.node.snapshots.apply('second');
        await expectOurs(ours.node, model);
        await expectSound(ours.node);
      }
      await ours.close();
      await expectSame(model);
      const more = theirCommands(random, model, false);
      run('qemu-io', more.flatMap((command) => ['-c', command]).concat(image));
      await expectSame(model);
      const again = await open(false);
      await expectOurs(again.node, model);
      if (variant.snapshots === true) {
        expect((await again.node.snapshots.list()).map(({ name: tag }) => tag)).toEqual(['first', 'second']);
        const old = await again.node.snapshots.open('first');
        const bytes = new Uint8Array(SIZE);
        await old.read(0, bytes);
        expect(Buffer.compare(bytes, first)).toBe(0);
        await old.close();
        await again.node.snapshots.delete('second');
        await expectSound(again.node);
      }
      await again.close();
      if (variant.snapshots === true) {
        run('qemu-img', ['check', '-q', image]);
        run('qemu-img', ['snapshot', '-a', 'first', image]);
        await expectSame(first);
      }
    }, 60_000);

    test(`${name}: made by us`, async () => {
      const random = randomFrom(`${name} ours`);
      const model = new Uint8Array(SIZE);
      await makeBase(model);
      const ours = await open(true);
      await expectOurs(ours.node, model);
      await ourOperations(random, model, ours.node);
      await ours.close();
      await expectSame(model);
    }, 60_000);
  }
});
