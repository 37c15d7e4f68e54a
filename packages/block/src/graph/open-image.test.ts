import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PolyvisorError } from '@polyvisor/contracts';
import { NODE_DRIVERS } from '../node/drivers.ts';
import { createImage } from '../operations/create-image.ts';
import { chainOf } from '../operations/block-status.ts';
import type { ImageReference } from './driver.ts';
import type { BlockEnvironment, OpenImageOptions } from './open-image.ts';
import { openImage } from './open-image.ts';
import { nest, parseReference, resolveReference } from './reference.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'open-image-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const environment: BlockEnvironment = { drivers: NODE_DRIVERS };
const at = (name: string): string => join(folder, name);

async function code(work: Promise<{ close(): Promise<void> }>): Promise<string> {
  return work.then(
    async (node) => {
      await node.close();
      return 'opened';
    },
    (error: unknown) => (error as PolyvisorError).code,
  );
}

async function overlay(
  name: string,
  backing: string,
  format: string | null = 'qcow2',
  size = 65536,
): Promise<string> {
  const values = { backing_file: backing, ...(format === null ? {} : { backing_fmt: format }) };
  await createImage(at(name), { format: 'qcow2', size, values, unsafe: true }, environment);
  return at(name);
}

const open = (
  reference: ImageReference,
  options: Partial<OpenImageOptions> = {},
  more: Partial<BlockEnvironment> = {},
) => openImage(reference, { readOnly: true, ...options }, { ...environment, ...more });

describe('opening images', () => {
  test('a chain, relative to each image', async () => {
    mkdirSync(at('sub'));
    await createImage(at('base.qcow2'), { format: 'qcow2', size: 65536 }, environment);
    await overlay('sub/middle', '../base.qcow2');
    const top = await open(await overlay('top', 'sub/middle'));
    expect(chainOf(top).map(({ name }) => name)).toEqual([
      at('top'),
      at('sub/middle'),
      `${folder}/sub/../base.qcow2`,
    ]);
    await top.close();
    const alone = await open(at('top'), { backing: false });
    expect(chainOf(alone)).toHaveLength(1);
    await alone.close();
  });

  test('of twenty images opens quickly', async () => {
    await createImage(at('c0'), { format: 'qcow2', size: 65536 }, environment);
    for (let i = 1; i < 20; i++) await overlay(`c${i}`, `c${i - 1}`);
    const begun = performance.now();
    const top = await open(at('c19'));
    const ms = performance.now() - begun;
    expect(chainOf(top)).toHaveLength(20);
    await top.close();
    if (ms > 50) console.warn(`opening took ${ms.toFixed(0)} ms on this busy machine`);
  });

  test('cycles and chains without end', async () => {
    await overlay('self', 'self');
    await overlay('one', 'two');
    await overlay('two', 'one');
    symlinkSync(at('linked'), at('link'));
    await overlay('linked', 'link');
    for (const name of ['self', 'one', 'two', 'linked']) expect(await code(open(at(name)))).toBe('corrupt');
    expect(await code(open(at('c19'), {}, { maxDepth: 10 }))).toBe('corrupt');
  });

  test("a backing file whose format nobody recorded is raw, or it isn't opened", async () => {
    writeFileSync(at('plain'), new Uint8Array(65536));
    expect(await code(open(await overlay('on-plain', 'plain', null)))).toBe('opened');
    const bad = await overlay('on-qcow2', 'base.qcow2', null);
    await expect(open(bad)).rejects.toThrow(/isn't recorded.*looks like qcow2.*-F qcow2/);
    expect(await code(open(bad, {}, { probeBacking: 'any' }))).toBe('opened');
  });

  test('a raw disk that was guessed must not become another format', async () => {
    const node = await open(at('plain'), { readOnly: false });
    const magic = new Uint8Array(512);
    magic.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
    await expect(node.write(0, magic)).rejects.toMatchObject({ code: 'permission' });
    await node.write(0, new Uint8Array(512).fill(1));
    await node.write(512, magic);
    await node.close();
    const said = await open(at('plain'), { readOnly: false, format: 'raw' });
    await said.write(0, magic);
    await said.close();
  });

  test('an allowed folder is kept to, by every reference', async () => {
    mkdirSync(at('jail'));
    await overlay('jail/out', '../base.qcow2');
    await overlay('jail/web', 'http://127.0.0.1:1/x');
    await overlay('jail/absolute', at('base.qcow2'));
    await createImage(at('jail/good'), { format: 'qcow2', size: 65536 }, environment);
    await overlay('jail/on-good', 'good');
    const jail = { allowedFolder: at('jail') };
    for (const name of ['out', 'web', 'absolute']) {
      expect([name, await code(open(at(`jail/${name}`), {}, jail))]).toEqual([name, 'permission']);
    }
    expect(await code(open(at('jail/on-good'), {}, jail))).toBe('opened');
  });

  test('options name everything', async () => {
    const node = await open({
      driver: 'qcow2',
      'file.driver': 'file',
      'file.filename': at('top'),
      backing: null,
    });
    expect([node.driver, chainOf(node).length]).toEqual(['qcow2', 1]);
    await node.close();
    const text = `json:${JSON.stringify({ driver: 'throttle', file: { driver: 'qcow2', file: { filename: at('base.qcow2') } }, 'iops-total': 10 })}`;
    const throttled = await open(text);
    expect([throttled.driver, throttled.size]).toEqual(['throttle', 65536]);
    await throttled.close();
  });

  test.each<readonly [string, ImageReference, string]>([
    ['no such file', '/no/such/file', 'not-found'],
    ['an unknown protocol', 'gopher://x', 'unsupported'],
    ['broken JSON', 'json:{', 'invalid-argument'],
    ['JSON that is no object', 'json:[]', 'invalid-argument'],
    ['an unknown driver', { driver: 'floppy', file: 'x' }, 'unsupported'],
    [
      'an unknown option',
      { driver: 'raw', file: { driver: 'file', filename: '/dev/null', colour: 'red' } },
      'invalid-argument',
    ],
    ['no file', { driver: 'qcow2' }, 'invalid-argument'],
    ['a pipe or device that is no disk', '/dev/null', 'invalid-argument'],
    ['a prototype', 'json:{"__proto__": {"driver": "raw"}}', 'invalid-argument'],
  ])('is refused: %s', async (_name, reference, expected) => {
    expect(await code(open(reference))).toBe(expected);
  });

  test('wrong options leave an existing image as it was', async () => {
    writeFileSync(at('precious'), 'data');
    const create = createImage(
      at('precious'),
      { format: 'qcow2', size: 1 << 20, values: { cluster_size: '1000' } },
      environment,
    );
    await expect(create).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(readFileSync(at('precious'), 'utf8')).toBe('data');
    await expect(createImage(at('none'), { format: 'qcow2' }, environment)).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    expect(existsSync(at('none'))).toBe(false);
  });
});

describe('references', () => {
  test.each([
    ['/a/b.img', 'c.img', '/a/c.img'],
    ['b.img', 'c.img', 'c.img'],
    ['/a/b.img', '/c.img', '/c.img'],
    ['/a/b.img', 'http://x/y', 'http://x/y'],
    ['http://x/y/z.img?k=a/b', 'base.img', 'http://x/y/base.img'],
    ['/a/b.img', 'odd/na:me', '/a/odd/na:me'],
  ])('beside %s, %s is %s', (base, reference, result) =>
    expect(resolveReference(base, reference)).toBe(result),
  );

  test('dotted names nest', () => {
    expect(nest({ 'file.driver': 'file', 'file.filename': 'x', 'a.b.c': 1 })).toEqual({
      file: { driver: 'file', filename: 'x' },
      a: { b: { c: 1 } },
    });
    expect(parseReference('json:{"driver":"raw"}')).toEqual({ kind: 'options', options: { driver: 'raw' } });
  });
});
