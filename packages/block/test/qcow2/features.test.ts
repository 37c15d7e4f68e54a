import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { openFileNode } from '../../src/node/file/open-file.ts';
import { measureQcow2 } from '../../src/qcow2/measure-qcow2.ts';
import { openQcow2 } from '../../src/qcow2/open-qcow2.ts';
import type { Qcow2Node } from '../../src/qcow2/qcow2-node.ts';
import { contextOf, createIn, expectSound, makeImage, openIn } from './images.ts';
import type { Values } from './images.ts';
import { randomFrom } from './random.ts';

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
const now = { seconds: 1_600_000_000, nanoseconds: 7 };

async function fillRandomly(node: Qcow2Node, seed: string): Promise<Uint8Array> {
  const random = randomFrom(seed);
  const model = new Uint8Array(node.size);
  for (let i = 0; i < 40; i++) {
    const at = Math.floor(random() * (node.size / 512)) * 512;
    const length = Math.min(node.size - at, Math.ceil(random() ** 3 * 400) * 512);
    const value = 1 + Math.floor(random() * 255);
    if (random() < 0.7) {
      await node.write(at, new Uint8Array(length).fill(value));
      model.fill(value, at, at + length);
    } else {
      await node.writeZeroes(at, length, { mayUnmap: random() < 0.5 });
      model.fill(0, at, at + length);
    }
  }
  return model;
}

async function expectContents(node: Qcow2Node, model: Uint8Array): Promise<void> {
  const bytes = new Uint8Array(model.length);
  await node.read(0, bytes);
  expect(Buffer.compare(bytes, model)).toBe(0);
}

test('growing and shrinking keep what stays and zero what comes', async () => {
  const { node } = await makeImage(SIZE, { cluster_size: 4096 });
  const model = await fillRandomly(node, 'resize');
  await expect(node.resize(MIB)).rejects.toMatchObject({ code: 'invalid-argument' });
  await node.resize(MIB + 512, { shrink: true });
  await expectSound(node);
  await node.resize(64 * MIB);
  const resized = new Uint8Array(64 * MIB);
  resized.set(model.subarray(0, MIB + 512));
  await expectContents(node, resized);
  await expectSound(node);
  await node.close();
});

test('a larger backing file does not show behind the old end', async () => {
  const backing = new MemoryNode({ contents: new Uint8Array(4 * MIB).fill(7), readOnly: true });
  const { node } = await makeImage(MIB, {}, { backing });
  await node.resize(3 * MIB);
  const model = new Uint8Array(3 * MIB);
  model.fill(7, 0, MIB);
  await expectContents(node, model);
  await node.close();
});

test('machine state is kept beside the disk', async () => {
  const { file, node } = await makeImage(SIZE);
  const state = new Uint8Array(300_000).map((_, i) => i & 0xff);
  await node.vmState.write(0, state);
  await (node.snapshots as unknown as { create(name: string, how: object): Promise<unknown> }).create('vm', {
    ...now,
    vmStateBytes: state.length,
  });
  expect((await node.snapshots.list())[0]).toMatchObject({ vmStateBytes: 300_000, id: '1', name: 'vm' });
  await expectSound(node);
  await node.snapshots.apply('vm');
  const bytes = new Uint8Array(state.length);
  await node.vmState.read(0, bytes);
  expect(Buffer.compare(bytes, state)).toBe(0);
  await node.close();
  await openIn(file).then((again) => again.close());
});

test('writes that fail leave the image as it was', async () => {
  const file = new MemoryNode({ growable: true });
  await createIn(file, SIZE, { cluster_size: 4096 });
  let failing = false;
  let countdown = 0;
  const flaky = new Proxy(file, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (failing && (key === 'write' || key === 'flush') && countdown-- <= 0) {
          return Promise.reject(new Error('no space'));
        }
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  const node = await openIn(flaky);
  const model = await fillRandomly(node, 'failing');
  for (let i = 0; i < 40; i++) {
    failing = true;
    countdown = i % 7;
    const results = await Promise.allSettled(
      [0, 1, 2, 3].map((n) => node.write((i * 4 + n) * 40960, new Uint8Array(40960).fill(i + n + 1))),
    );
    failing = false;
    for (const [n, { status }] of results.entries()) {
      const at = (i * 4 + n) * 40960;
      // What failed may be there, in part; then it stays.
      if (status === 'fulfilled') model.fill(i + n + 1, at, at + 40960);
      else await node.read(at, model.subarray(at, at + 40960));
    }
  }
  await node.flush();
  await expectContents(node, model);
  const report = await node.checking.check('none');
  expect(report.corruptions).toBe(0);
  await node.close();
});

test('unknown incompatible features are refused by the name that the image gives them', async () => {
  const { file, node } = await makeImage(SIZE);
  await node.close();
  await file.write(72, new Uint8Array([0x80, 0, 0, 0, 0, 0, 0, 0x20]));
  await expect(openIn(file)).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining(
      'Unknown incompatible feature: bit 5, Unknown incompatible feature: bit 63',
    ),
  });
  // The table of names: type, bit, name.
  const head = new Uint8Array(65536);
  await file.read(0, head);
  const table = head.findIndex((_, i) => head[i] === 0x68 && head[i + 1] === 0x03 && head[i + 2] === 0xf8);
  await file.write(table + 8, new Uint8Array([0, 5, ...new TextEncoder().encode('time travel'), 0]));
  await expect(openIn(file)).rejects.toMatchObject({ message: expect.stringContaining('time travel') });
});

test('an entry that points into metadata marks the image corrupt, and writes are refused', async () => {
  const { file, node } = await makeImage(SIZE);
  await node.write(0, new Uint8Array(65536).fill(1));
  await node.close();
  const l1 = new Uint8Array(8);
  await file.read(3 * 65536, l1);
  const l2 = Number(new DataView(l1.buffer).getBigUint64(0) & 0xff_ffff_ffff_ff00n);
  const entry = new Uint8Array(8);
  new DataView(entry.buffer).setBigUint64(0, 0x8000_0000_0000_0000n + 65536n);
  await file.write(l2, entry);
  const bad = await openIn(file);
  await expect(bad.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: 'corrupt' });
  await expect(bad.write(MIB, new Uint8Array(512))).rejects.toMatchObject({ code: 'corrupt' });
  await bad.close();
  await expect(openIn(file)).rejects.toMatchObject({ code: 'corrupt' });
  const repairing = await openIn(file, {}, { purpose: 'repair' });
  await repairing.checking.check('all');
  await repairing.close();
});

describeWith({ programs: ['qemu-img', 'qemu-io'] }, 'qcow2 features beside qemu-img', () => {
  let folder = '';
  let image = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'qcow2-features-'));
    image = join(folder, 'image.qcow2');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const qemuImg = (...args: string[]): string =>
    execFileSync('qemu-img', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  let images = 0;
  const create = async (values: Values = {}): Promise<Qcow2Node> => {
    image = join(folder, `${images++}.qcow2`);
    const file = await openFileNode({ path: image, readOnly: false, growable: true, create: true });
    await createIn(file, SIZE, values);
    return openQcow2(file, { readOnly: false, values: {} }, contextOf());
  };
  const open = async (purpose: 'io' | 'repair' = 'io'): Promise<Qcow2Node> => {
    const file = await openFileNode({ path: image, readOnly: false, growable: true });
    return openQcow2(file, { readOnly: false, values: {}, purpose }, contextOf());
  };
  const info = (): { 'format-specific': { data: Record<string, unknown> } } & Record<string, unknown> =>
    JSON.parse(qemuImg('info', '--output=json', image)) as never;

  test('bitmaps: ours are theirs', async () => {
    const node = await create();
    await node.bitmaps.add('a', undefined, true);
    await node.bitmaps.add('b', 4096, false);
    await node.write(100_000, new Uint8Array(5000));
    await node.bitmaps.setDirty('b', 4096 * 10, 4096 * 3);
    await node.close();
    qemuImg('check', '-q', image);
    expect(info()['format-specific'].data['bitmaps']).toEqual([
      { flags: ['auto'], name: 'a', granularity: 65536 },
      { flags: [], name: 'b', granularity: 4096 },
    ]);
    qemuImg('bitmap', '--merge', 'b', image, 'a');
    qemuImg('bitmap', '--add', '--enable', '-g', '512', image, 'c');
    execFileSync('qemu-io', ['-c', 'write -q 1M 1024', image]);
    const again = await open();
    const bits = (name: string): number[] => {
      const dirty: number[] = [];
      for (let at = 0; at < SIZE;) {
        const run = again.bitmaps.dirty(name, at, SIZE - at);
        if (run.dirty) dirty.push(at, run.length);
        at += run.length;
      }
      return dirty;
    };
    expect(bits('a')).toEqual([0, 131072, MIB, 65536]);
    expect(bits('b')).toEqual([40960, 12288]);
    expect(bits('c')).toEqual([MIB, 1024]);
    expect(again.bitmaps.list()).toHaveLength(3);
    await again.bitmaps.merge('c', { bitmaps: again.bitmaps, name: 'b', size: SIZE });
    await again.bitmaps.remove('b');
    await again.bitmaps.clear('a');
    await again.bitmaps.setRecording('a', false);
    expect(bits('c')).toEqual([40960, 12288, MIB, 1024]);
    await again.resize(SIZE * 2);
    await again.close();
    qemuImg('check', '-q', image);
    qemuImg('bitmap', '--remove', image, 'c');
    const last = await open();
    expect(last.bitmaps.list()).toEqual([
      { name: 'a', granularity: 65536, recording: false, inconsistent: false },
    ]);
    await last.bitmaps.remove('a');
    await expectSound(last);
    await last.close();
    qemuImg('check', '-q', image);
  });

  test('a bitmap whose user died is inconsistent', async () => {
    const { file, node } = await makeImage(SIZE);
    await node.bitmaps.add('a', undefined, true);
    await node.close();
    const killed = await openIn(file);
    await killed.write(0, new Uint8Array(512).fill(1));
    const copy = new Uint8Array(file.size);
    await file.read(0, copy);
    const found = await openIn(new MemoryNode({ growable: true, contents: copy }));
    expect(found.bitmaps.list()[0]).toMatchObject({ name: 'a', inconsistent: true });
    await expect(found.bitmaps.clear('a')).rejects.toMatchObject({ code: 'corrupt' });
    await found.bitmaps.remove('a');
    await found.close();
    await killed.close();
  });

  test('amend changes what can be changed', async () => {
    const node = await create();
    const model = await fillRandomly(node, 'amend');
    await node.amend({ refcount_bits: 1 });
    await expectSound(node);
    await node.amend({ refcount_bits: 64, lazy_refcounts: true });
    await node.write(0, new Uint8Array(1000).fill(3));
    model.fill(3, 0, 1000);
    await node.close();
    qemuImg('check', '-q', image);
    expect(info()['format-specific'].data).toMatchObject({ 'refcount-bits': 64, 'lazy-refcounts': true });
    const again = await open();
    await again.amend({ refcount_bits: 16, lazy_refcounts: false, compat: '0.10' });
    await expectContents(again, model);
    await again.close();
    qemuImg('check', '-q', image);
    expect(info()['format-specific'].data).toMatchObject({ compat: '0.10', 'refcount-bits': 16 });
    const last = await open();
    await last.amend({ compat: '1.1' });
    await expect(last.amend({ cluster_size: 4096 })).rejects.toMatchObject({ code: 'unsupported' });
    await expectContents(last, model);
    await last.close();
    qemuImg('check', '-q', image);
  });

  test.each<Values>([
    {},
    { preallocation: 'metadata' },
    { preallocation: 'falloc' },
    { preallocation: 'full' },
    { cluster_size: 512, refcount_bits: 64, preallocation: 'metadata' },
    { extended_l2: true, preallocation: 'metadata' },
    { compat: '0.10' },
    { cluster_size: 2 * MIB },
  ])('is described, measured and checked as theirs: %p', async (values) => {
    await (await create(values)).close();
    const theirs = join(folder, 'theirs.qcow2');
    const options = Object.entries(values).map(([key, value]) => `${key}=${value === true ? 'on' : value}`);
    const given = options.length === 0 ? [] : ['-o', options.join()];
    qemuImg('create', '-q', '-f', 'qcow2', ...given, theirs, String(SIZE));
    const describe = (path: string): unknown => {
      const {
        filename,
        'actual-size': _,
        ...rest
      } = JSON.parse(qemuImg('info', '--output=json', path)) as Record<string, unknown>;
      void filename;
      return rest;
    };
    const describeAll = (path: string): unknown => {
      // What counts clusters stands elsewhere among such small ones, and holes with it.
      if (values['cluster_size'] === 512) return describe(path);
      const check = JSON.parse(qemuImg('check', '--output=json', path)) as Record<string, unknown>;
      return [describe(path), { ...check, filename: '' }, JSON.parse(qemuImg('map', '--output=json', path))];
    };
    const ours = JSON.stringify(describeAll(image)).replaceAll(
      /"offset":\d+,?|"image-end-offset":\d+,?/g,
      '',
    );
    const expected = JSON.stringify(describeAll(theirs)).replaceAll(
      /"offset":\d+,?|"image-end-offset":\d+,?/g,
      '',
    );
    expect(ours).toBe(expected);
    const wanted = info()['format-specific'].data;
    const node = await open();
    expect((await node.describe()).formatSpecific?.data).toEqual(wanted);
    await node.close();
    const measured = await measureQcow2({ size: SIZE, values });
    const told = JSON.parse(
      qemuImg('measure', '--output=json', '-O', 'qcow2', ...given, '--size', String(SIZE)),
    );
    expect(measured).toMatchObject({ required: told.required, fullyAllocated: told['fully-allocated'] });
  });

  test.each([
    ['a refcount that is too small', 2 * 65536 + 2 * 6, [0, 0]],
    ['a refcount that is too large', 2 * 65536 + 2 * 5, [0, 9]],
    ['a refcount block that is lost', 65536, [0, 0, 0, 0, 0, 0, 0, 0]],
    ['a leaked cluster', 2 * 65536 + 2 * 100, [0, 1]],
  ])('repairs %s as they do', async (_, at, bytes) => {
    const node = await create();
    const model = await fillRandomly(node, 'repair');
    await node.close();
    const file = await openFileNode({ path: image, readOnly: false, growable: true });
    await file.write(at, new Uint8Array(bytes));
    await file.close();
    const count = (path: string): Record<string, number> => {
      try {
        return JSON.parse(qemuImg('check', '--output=json', path)) as Record<string, number>;
      } catch (error) {
        return JSON.parse((error as { stdout: string }).stdout) as Record<string, number>;
      }
    };
    const theirs = count(image);
    const broken = await open('repair');
    const report = await broken.checking.check('none');
    expect(report.leaks).toBe(theirs['leaks'] ?? 0);
    expect(report.corruptions).toBe(theirs['corruptions'] ?? 0);
    expect(report).toMatchObject({
      allocatedClusters: theirs['allocated-clusters'],
      totalClusters: theirs['total-clusters'],
      fragmentedClusters: theirs['fragmented-clusters'] ?? 0,
      imageEndOffset: theirs['image-end-offset'],
    });
    const fixed = await broken.checking.check('all');
    expect(fixed).toMatchObject({ leaks: 0, corruptions: 0, checkErrors: 0 });
    await expectContents(broken, model);
    await broken.close();
    qemuImg('check', '-q', image);
    const again = await open();
    await expectContents(again, model);
    await again.write(0, new Uint8Array(MIB).fill(1));
    await expectSound(again);
    await again.close();
  });
});
