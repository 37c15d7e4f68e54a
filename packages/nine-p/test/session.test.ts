import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as fs from 'node:fs';
import fc from 'fast-check';
import { encodeRequest } from '../src/codec/message-codec.ts';
import type { RequestName } from '../src/codec/messages.ts';
import { requests } from '../src/codec/messages.ts';
import * as errno from '../src/errno.ts';
import { MSIZE_MAX, NOFID, VERSION } from '../src/protocol.ts';
import { ShareFixture } from './share-fixture.ts';

let fixture: ShareFixture;

beforeEach(() => {
  fixture = new ShareFixture();
});

afterEach(() => fixture.close());

describe('sessions', () => {
  test('agree on a version and a message size', async () => {
    const { client } = await fixture.share({ maxMessageBytes: 65536 });
    expect(await client.call('Tversion', { msize: 8192, version: VERSION })).toEqual({
      msize: 8192,
      version: VERSION,
    });
    expect(await client.call('Tversion', { msize: 1 << 20, version: VERSION })).toMatchObject({
      msize: 65536,
    });
    expect(await client.failure('Tversion', { msize: 100, version: VERSION })).toBe(errno.EMSGSIZE);
    expect(await client.call('Tversion', { msize: 8192, version: '9P2000.u' })).toEqual({
      msize: 8192,
      version: 'unknown',
    });
    expect(await client.failure('Tgetattr', { fid: 0, mask: 0n })).toBe(errno.EINVAL);
    await client.start(8192);
    expect(
      (await client.call('Tread', { fid: await client.create('', 'a'), offset: 0n, count: 9000 })).data
        .length,
    ).toBe(0);
    const data = new Uint8Array(8192);
    expect(await client.failure('Twrite', { fid: 0, offset: 0n, data })).toBe(errno.EMSGSIZE);
  });

  test('give every descriptor back', async () => {
    const { client, server, tree } = await fixture.share();
    fs.mkdirSync(fixture.at('a/b/c'), { recursive: true });
    const first = tree.descriptors;
    const fid = await client.create('a/b/c', 'file');
    await client.open('a/b');
    expect(tree.descriptors).toBe(first + 6);
    await client.call('Tclunk', { fid });
    expect(tree.descriptors).toBe(first + 3);
    await client.start();
    expect(tree.descriptors).toBe(first);
    await client.open('a/b/c');
    server.reset();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(tree.descriptors).toBe(first);
  });

  test('have limits', async () => {
    const { client, tree } = await fixture.share({ maxFids: 10, maxOpenFiles: 3, maxDescriptors: 12 });
    fs.writeFileSync(fixture.at('a'), '');
    for (let count = 0; count < 3; count++) await client.open('a');
    expect(await client.failure('Tlopen', { fid: await client.walk('a'), flags: 0 })).toBe(errno.EMFILE);
    for (let count = 0; count < 5; count++) await client.walk('a');
    expect(await client.failure('Twalk', { fid: 0, newfid: 3, names: [] })).toBe(errno.EMFILE);
    await client.start();
    fs.mkdirSync(fixture.at(Array.from({ length: 16 }, () => 'd').join('/')), { recursive: true });
    const deep = Array.from({ length: 16 }, () => 'd');
    const { qids } = await client.call('Twalk', { fid: 0, newfid: 3, names: deep });
    expect(qids.length).toBe(11);
    expect(tree.descriptors).toBe(1);
    expect(await client.failure('Twalk', { fid: 0, newfid: 3, names: [...deep, 'd'] })).toBe(errno.EINVAL);
  });

  test('refuse fids that are used wrongly', async () => {
    const { client } = await fixture.share();
    const fid = await client.create('', 'a');
    expect(await client.failure('Twalk', { fid: 0, newfid: fid, names: [] })).toBe(errno.EINVAL);
    expect(await client.failure('Twalk', { fid, newfid: fid, names: [] })).toBe(errno.EINVAL);
    expect(await client.failure('Twalk', { fid: 0, newfid: NOFID, names: [] })).toBe(errno.EINVAL);
    expect(await client.failure('Tlopen', { fid, flags: 0 })).toBe(errno.EINVAL);
    expect(await client.failure('Tread', { fid: 0, offset: 0n, count: 1 })).toBe(errno.EINVAL);
    expect(await client.failure('Tread', { fid, offset: 2n ** 63n, count: 1 })).toBe(errno.EINVAL);
    expect(await client.failure('Treaddir', { fid, offset: 0n, count: 1 })).toBe(errno.ENOTDIR);
    expect(await client.failure('Treaddir', { fid: 0, offset: 0n, count: 100 })).toBe(errno.EINVAL);
    expect(await client.failure('Twalk', { fid, newfid: 5, names: ['x'] })).toBe(errno.ENOTDIR);
    expect(await client.failure('Tclunk', { fid: 77 })).toBe(errno.EBADF);
    const folders = await client.open('');
    expect(await client.failure('Tread', { fid: folders, offset: 0n, count: 1 })).toBe(errno.EISDIR);
    expect(await client.failure('Tlopen', { fid: await client.walk(''), flags: 1 })).toBe(errno.EISDIR);
    const attach = { fid: 0, afid: NOFID, user: '', tree: '', userId: 0 };
    expect(await client.failure('Tattach', attach)).toBe(errno.EINVAL);
    expect(await client.failure('Tattach', { ...attach, fid: 55, tree: '/etc' })).toBe(errno.ENOENT);
    expect(await client.failure('Tauth', { afid: 5, user: '', tree: '', userId: 0 })).toBe(errno.EOPNOTSUPP);
  });

  test('answer a flush after the request that it names', async () => {
    const { client } = await fixture.share();
    const fid = await client.create('', 'a');
    const order: string[] = [];
    await Promise.all([
      client
        .call('Twrite', { fid, offset: 0n, data: new Uint8Array(100_000) }, 500)
        .then(() => order.push('write')),
      client.call('Tflush', { oldTag: 500 }, 501).then(() => order.push('flush')),
      client.call('Tflush', { oldTag: 501 }, 502).then(() => order.push('flush of the flush')),
      client.call('Tflush', { oldTag: 503 }, 503).then(() => order.push('itself')),
      client.call('Tflush', { oldTag: 9999 }, 504).then(() => order.push('nothing')),
    ]);
    expect(order.slice(-3)).toEqual(['write', 'flush', 'flush of the flush']);
    expect(order.length).toBe(5);
  });

  test('serve many requests at once, clunks and renewals among them', async () => {
    const { client, tree } = await fixture.share();
    fs.mkdirSync(fixture.at('d'));
    await Promise.allSettled(
      Array.from({ length: 400 }, async (_, index) => {
        const name = `f${index % 20}`;
        const fid = await client.create('d', name);
        await client.write(fid, name);
        const removal =
          index % 7 === 0 ? client.call('Tunlinkat', { fid: 0, name: 'd', flags: 0 }) : undefined;
        const clunk = client.call('Tclunk', { fid });
        await Promise.allSettled([client.read(fid), clunk, removal, client.failure('Tremove', { fid })]);
        if (index === 300) await client.start();
      }),
    );
    await client.start();
    expect(tree.descriptors).toBe(1);
  });
});

describe('a saved session', () => {
  test('goes on in another server', async () => {
    const first = await fixture.share();
    fs.mkdirSync(fixture.at('d'));
    const fid = await first.client.create('d', 'a');
    await first.client.write(fid, 'text');
    const lost = await first.client.create('d', 'lost');
    await first.client.call('Tunlinkat', { fid: await first.client.walk('d'), name: 'lost', flags: 0 });
    const replaced = await first.client.create('', 'replaced');
    const saved = first.server.save();
    fs.writeFileSync(fixture.at('new'), '');
    fs.renameSync(fixture.at('new'), fixture.at('replaced'));
    const second = await fixture.share();
    second.server.load(saved);
    expect(second.server.save()).toEqual(saved);
    expect(await second.client.read(fid)).toBe('text');
    await second.client.write(fid, 'more', 4n);
    expect(fs.readFileSync(fixture.at('d/a'), 'utf8')).toBe('textmore');
    for (const gone of [lost, replaced])
      expect(await second.client.failure('Tgetattr', { fid: gone, mask: 0n })).toBe(errno.ESTALE);
    await second.client.call('Tclunk', { fid: lost });
    const again = second.server.save();
    second.server.load(again);
    expect(second.server.save()).toEqual(again);
    await second.client.call('Twalk', { fid: 0, newfid: 5000, names: [] });
    expect(second.server.save().length).toBeGreaterThan(again.length);
  });

  test('is checked', async () => {
    const { server, client } = await fixture.share();
    const saved = server.save();
    const small = await fixture.share({ maxMessageBytes: 8192 });
    expect(() => small.server.load(saved)).toThrow('message size');
    expect(() => server.load(new Uint8Array(50).fill(255))).toThrow();
    expect(await client.failure('Tgetattr', { fid: 0, mask: 0n })).toBe(errno.EINVAL);
    fc.assert(
      fc.property(fc.nat(saved.length - 1), fc.nat(255), (position, value) => {
        const bad = saved.slice();
        bad[position] = value;
        try {
          server.load(bad);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching('corrupt|unsupported') });
        }
      }),
    );
  });
});

describe('hostile messages', () => {
  const known = ['a', 'd', 'link', 'd/x', '..', '.', '', 'new', 'a\0', '\xff'];
  const name = fc.constantFrom(...known);
  const fid = fc.oneof(fc.nat(6), fc.constantFrom(NOFID, 100));
  const kinds = {
    u8: fc.nat(255),
    u16: fc.nat(6),
    u32: fc.oneof(fid, fc.nat(0xffff_ffff), fc.constantFrom(0x7ff, 0o100644, 0o40755, 65536)),
    u64: fc.oneof(fc.bigInt({ min: 0n, max: 70_000n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    string: name,
    strings: fc.array(name, { maxLength: 4 }),
    data: fc.uint8Array({ maxLength: 64 }),
    qid: fc.constant({ type: 0, version: 0, path: 0n }),
    qids: fc.constant([]),
  };
  // Sizes in Tsetattr stay small: sparse files of many terabytes are fine for the host, but not for this test.
  const message = fc.constantFrom(...(Object.keys(requests) as RequestName[])).chain((type) =>
    fc.record({
      type: fc.constant(type),
      tag: fc.nat(6),
      body: fc.record(
        Object.fromEntries(
          Object.entries(requests[type].fields).map(([field, kind]) => [
            field,
            /fid|irectory/.test(field) ? fid : field === 'msize' ? fc.constant(8192) : kinds[kind],
          ]),
        ),
      ),
      damage: fc.option(fc.record({ at: fc.nat(40), value: fc.nat(255) }), { freq: 5, nil: undefined }),
    }),
  );

  test('never throw, hang, leave the folder or keep descriptors', async () => {
    const room = new Uint8Array(MSIZE_MAX);
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 20, maxLength: 120 }), async (messages) => {
        fixture.removeFolder();
        fs.mkdirSync(fixture.at('d'), { recursive: true });
        fs.writeFileSync(fixture.at('a'), 'text');
        fs.symlinkSync('..', fixture.at('link'));
        const { client, server, tree } = await fixture.share({ maxFids: 20 });
        for (const folders of [1, 2])
          await client.call('Twalk', { fid: 0, newfid: folders, names: ['d'].slice(folders - 1) });
        const replies: Promise<Uint8Array>[] = [];
        for (const [index, { type, tag, body, damage }] of messages.entries()) {
          const size = encodeRequest(type, tag, body as never, room);
          const bytes = room.slice(0, size);
          if (damage !== undefined && damage.at < size) bytes[damage.at] = damage.value;
          replies.push(client.raw(bytes, index % 10 === 0 ? 20 : 9000));
          if (index % 3 === 0) await replies.at(-1);
        }
        for (const reply of await Promise.all(replies)) expect(reply.length).toBeGreaterThan(0);
        server.reset();
        await server.close();
        expect(tree.descriptors).toBe(0);
        expect(fixture.outsideIntact).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('of any bytes get an error', async () => {
    const { client } = await fixture.share();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const reply = await client.raw(bytes, 11);
        expect(reply.length).toBe(11);
        expect(reply[4]).toBe(7);
      }),
      { numRuns: 300 },
    );
  });
});
