import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { RequestName } from '../src/codec/messages.ts';
import * as errno from '../src/errno.ts';
import { openHostFolder } from '../src/node/host-tree.ts';
import { MSIZE_MAX } from '../src/protocol.ts';
import { ShareFixture } from './share-fixture.ts';

let fixture: ShareFixture;

beforeEach(() => {
  fixture = new ShareFixture();
});

afterEach(() => fixture.close());

const nothing = {
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0n,
  atimeSec: 0n,
  atimeNsec: 0n,
  mtimeSec: 0n,
  mtimeNsec: 0n,
};

describe('files', () => {
  test('are created, written, read and truncated', async () => {
    const { client } = await fixture.share();
    const fid = await client.create('', 'a', 2, 0o666);
    expect(await client.write(fid, 'hello, host')).toBe(11);
    expect(await client.read(fid, 7n)).toBe('host');
    expect(await client.read(fid, 11n)).toBe('');
    expect(fs.readFileSync(fixture.at('a'), 'utf8')).toBe('hello, host');
    expect(fixture.mode('a')).toBe(0o666);
    await client.call('Tsetattr', { ...nothing, fid, valid: 8, size: 5n });
    await client.call('Tfsync', { fid, datasync: 1 });
    expect(fs.readFileSync(fixture.at('a'), 'utf8')).toBe('hello');
    // Without an open file, too.
    await client.call('Tsetattr', { ...nothing, fid: await client.walk('a'), valid: 8, size: 2n });
    await client.call('Tclunk', { fid });
    expect(await client.read(await client.open('a'))).toBe('he');
    expect(await client.failure('Tread', { fid, offset: 0n, count: 1 })).toBe(errno.EBADF);
  });

  test('of any bytes and size come back equal', async () => {
    const { client } = await fixture.share();
    const data = Uint8Array.from({ length: 2_000_000 }, (_, index) => (index * 31) ^ (index >> 8));
    fs.writeFileSync(fixture.at('big'), data);
    const fid = await client.open('big', 2);
    const parts: Uint8Array[] = [];
    for (let offset = 0; ;) {
      const { data: part } = await client.call('Tread', { fid, offset: BigInt(offset), count: MSIZE_MAX });
      if (part.length === 0) break;
      parts.push(part);
      offset += part.length;
    }
    expect(parts[0]!.length).toBe(MSIZE_MAX - 11);
    expect(Buffer.concat(parts).equals(data)).toBe(true);
    const top = MSIZE_MAX - 23;
    expect((await client.call('Twrite', { fid, offset: 3n, data: data.subarray(0, top) })).count).toBe(top);
    expect(
      fs
        .readFileSync(fixture.at('big'))
        .subarray(3, 3 + top)
        .equals(data.subarray(0, top)),
    ).toBe(true);
  });

  test('stay usable while open after their name is gone', async () => {
    const { client } = await fixture.share();
    const fid = await client.create('', 'a');
    await client.write(fid, 'kept');
    const other = await client.walk('a');
    await client.call('Tunlinkat', { fid: 0, name: 'a', flags: 0 });
    expect(await client.read(fid)).toBe('kept');
    expect((await client.call('Tgetattr', { fid, mask: 0x7ffn })).nlink).toBe(0n);
    await client.call('Tsetattr', { ...nothing, fid: other, valid: 8, size: 2n });
    await client.call('Tlopen', { fid: other, flags: 0 });
    expect(await client.read(other)).toBe('ke');
    expect(await client.failure('Tremove', { fid: other })).toBe(errno.ESTALE);
  });

  test('take append, exclusive and truncate as open(2) does', async () => {
    const { client } = await fixture.share();
    fs.writeFileSync(fixture.at('log'), 'one ');
    const fid = await client.open('log', 0o2001);
    await client.write(fid, 'two', 0n);
    expect(fs.readFileSync(fixture.at('log'), 'utf8')).toBe('one two');
    const directory = await client.walk('');
    const request = { fid: directory, name: 'log', mode: 0o600, gid: 0 };
    expect(await client.failure('Tlcreate', { ...request, flags: 0o201 })).toBe(errno.EEXIST);
    await client.call('Tlcreate', { ...request, flags: 0o1001 });
    expect(fs.readFileSync(fixture.at('log'), 'utf8')).toBe('');
    expect(await client.failure('Tread', { fid: directory, offset: 0n, count: 1 })).toBe(errno.EBADF);
  });

  test('tell their attributes and take new ones', async () => {
    const { client } = await fixture.share();
    fs.writeFileSync(fixture.at('a'), 'x');
    const fid = await client.walk('a');
    const host = fs.statSync(fixture.at('a'), { bigint: true });
    const before = await client.call('Tgetattr', { fid, mask: 0x7ffn });
    expect(before).toMatchObject({ size: 1n, mode: Number(host.mode), nlink: 1n, uid: Number(host.uid) });
    expect(before.mtimeSec * 1_000_000_000n + before.mtimeNsec).toBe(host.mtimeNs);
    expect(before.qid.version).not.toBe(0);
    // Mode, owner, both times.
    await client.call('Tsetattr', {
      ...nothing,
      fid,
      valid: 0x1b7,
      mode: 0o106751,
      uid: 12345,
      gid: 12345,
      atimeSec: 5n,
      atimeNsec: 7n,
      mtimeSec: 2n ** 64n - 3n,
      mtimeNsec: 999_999_999n,
    });
    const after = fs.statSync(fixture.at('a'), { bigint: true });
    expect([after.atimeNs, after.mtimeNs]).toEqual([5_000_000_007n, -2_000_000_001n]);
    expect([fixture.mode('a'), after.uid, after.gid]).toEqual([0o751, host.uid, host.gid]);
    expect(await client.call('Tgetattr', { fid, mask: 0n })).toMatchObject({
      mtimeSec: 2n ** 64n - 3n,
      mtimeNsec: 999_999_999n,
    });
    await client.call('Tsetattr', { ...nothing, fid, valid: 0x20 });
    const touched = fs.statSync(fixture.at('a'), { bigint: true });
    expect(touched.atimeNs).toBe(5_000_000_007n);
    expect(touched.mtimeNs).toBeGreaterThan(host.mtimeNs - 1n);
    expect(await client.failure('Tsetattr', { ...nothing, fid, valid: 0x120, mtimeNsec: 10n ** 9n })).toBe(
      errno.EINVAL,
    );
  });

  test('get on without FFI', async () => {
    const { client } = await fixture.share({ ffi: false });
    const fid = await client.create('', 'a');
    await client.write(fid, 'text');
    await client.call('Tsetattr', {
      ...nothing,
      fid,
      valid: 0x1b0,
      atimeSec: 7n,
      mtimeSec: 9n,
      mtimeNsec: 500_000_000n,
    });
    const { atimeMs, mtimeMs } = fs.statSync(fixture.at('a'));
    expect([atimeMs, mtimeMs]).toEqual([7000, 9500]);
    await client.call('Tsetattr', { ...nothing, fid, valid: 0x10 });
    expect(fs.statSync(fixture.at('a')).mtimeMs).toBe(9500);
    expect(await client.read(await client.open('a'))).toBe('text');
    const pipe = { fid: 0, name: 'pipe', mode: 0o010600, major: 0, minor: 0, gid: 0 };
    expect(await client.failure('Tmknod', pipe)).toBe(errno.EPERM);
  });

  test('have locks that always succeed, and no extended attributes', async () => {
    const { client } = await fixture.share();
    const fid = await client.create('', 'a');
    const lock = { fid, type: 1, start: 3n, length: 2n ** 64n - 1n, process: 4, client: 'guest' };
    expect(await client.call('Tlock', { ...lock, flags: 1 })).toEqual({ status: 0 });
    const { fid: _, ...same } = lock;
    expect(await client.call('Tgetlock', lock)).toEqual({ ...same, type: 2 });
    expect(await client.failure('Txattrwalk', { fid, newfid: 9, name: 'user.a' })).toBe(errno.EOPNOTSUPP);
    expect(await client.failure('Txattrcreate', { fid, name: 'user.a', size: 1n, flags: 0 })).toBe(
      errno.EOPNOTSUPP,
    );
    expect((await client.call('Tstatfs', { fid })).namelen).toBe(255);
  });
});

describe('names', () => {
  test('are made, moved and removed', async () => {
    const { client } = await fixture.share();
    await client.call('Tmkdir', { fid: 0, name: 'd', mode: 0o777, gid: 0 });
    expect(fixture.mode('d')).toBe(0o777);
    const file = await client.create('d', 'a');
    await client.write(file, 'text');
    const d = await client.walk('d');
    await client.call('Tlink', { directory: 0, fid: file, name: 'b' });
    expect(fs.statSync(fixture.at('b')).nlink).toBe(2);
    await client.call('Trenameat', { oldDirectory: d, oldName: 'a', newDirectory: 0, newName: 'c' });
    // A fid follows its file.
    await client.call('Tlink', { directory: d, fid: file, name: 'again' });
    await client.call('Trename', { fid: file, directory: d, name: 'e' });
    expect(fs.readdirSync(fixture.at('d')).sort()).toEqual(['again', 'e']);
    await client.call('Tremove', { fid: await client.walk('d/e') });
    expect(await client.failure('Tunlinkat', { fid: 0, name: 'd', flags: 0x200 })).toBe(39);
    await client.call('Tunlinkat', { fid: d, name: 'again', flags: 0 });
    await client.call('Tunlinkat', { fid: 0, name: 'd', flags: 0x200 });
    expect(fs.readdirSync(fixture.folder)).toEqual(['b']);
    expect(await client.failure('Tremove', { fid: 0 })).toBe(errno.EBUSY);
  });

  test('need not be UTF-8', async () => {
    const { client } = await fixture.share();
    await client.create('', 'caf\xc3\xa9 \xff\xfe');
    expect(fs.readdirSync(fixture.folder, { encoding: 'buffer' })[0]!.toString('latin1')).toBe(
      'caf\xc3\xa9 \xff\xfe',
    );
    await client.call('Tsymlink', { fid: 0, name: '\x80', target: '\xfe/x', gid: 0 });
    expect(await client.call('Treadlink', { fid: await client.walk('\x80') })).toEqual({ target: '\xfe/x' });
    const names = (await client.readdir(await client.open('', 0))).map(({ name }) => name);
    expect(names.sort()).toEqual(['.', '..', 'caf\xc3\xa9 \xff\xfe', '\x80']);
  });

  test('of a folder are listed piece by piece, whatever changes meanwhile', async () => {
    const { client } = await fixture.share();
    const names = Array.from({ length: 300 }, (_, index) => `file${index}`);
    for (const name of names) fs.writeFileSync(fixture.at(name), '');
    const fid = await client.open('');
    const seen: string[] = [];
    let offset = 0n;
    for (;;) {
      const records = await client.readdir(fid, offset, 1000);
      if (records.length === 0) break;
      seen.push(...records.map(({ name }) => name));
      offset = records.at(-1)!.offset;
      if (seen.length === records.length) {
        fs.rmSync(fixture.at('file299'));
        fs.writeFileSync(fixture.at('a new one'), '');
      }
    }
    expect(seen.sort()).toEqual(['.', '..', ...names.filter((name) => name !== 'file299')].sort());
    const all = await client.readdir(fid);
    const [first, second, third] = all;
    expect(first).toMatchObject({ name: '.', type: 4, path: BigInt(fs.statSync(fixture.folder).ino) });
    expect(all.find(({ name }) => name === 'a new one')).toMatchObject({
      name: 'a new one',
      type: 8,
      path: BigInt(fs.statSync(fixture.at('a new one')).ino),
    });
    expect((await client.readdir(fid, second!.offset))[0]).toEqual(third);
    expect(await client.failure('Treaddir', { fid, offset: 0n, count: 24 })).toBe(errno.EINVAL);
    expect(await client.readdir(fid, 2n ** 63n)).toEqual([]);
  });

  test('that are no names are refused', async () => {
    const { client } = await fixture.share();
    const bad: [string, number][] = [
      ['..', errno.EINVAL],
      ['.', errno.EINVAL],
      ['', errno.ENOENT],
      ['a/b', errno.EINVAL],
      ['../secret', errno.EINVAL],
      ['a\0b', errno.EINVAL],
      ['x'.repeat(256), errno.ENAMETOOLONG],
    ];
    fs.writeFileSync(fixture.at('a'), '');
    for (const [name, expected] of bad) {
      const made = expected === errno.EINVAL && /^\.+$/.test(name) ? errno.EEXIST : expected;
      expect(await client.failure('Tmkdir', { fid: 0, name, mode: 0, gid: 0 })).toBe(made);
      expect(await client.failure('Tsymlink', { fid: 0, name, target: 'x', gid: 0 })).toBe(made);
      expect(await client.failure('Tmknod', { fid: 0, name, mode: 0, major: 0, minor: 0, gid: 0 })).toBe(
        made,
      );
      expect(await client.failure('Tlcreate', { fid: 0, name, flags: 1, mode: 0, gid: 0 })).toBe(expected);
      expect(await client.failure('Tunlinkat', { fid: 0, name, flags: 0 })).toBe(expected);
      const move = { oldDirectory: 0, oldName: 'a', newDirectory: 0, newName: name };
      expect(await client.failure('Trenameat', move)).toBe(expected);
      if (name !== '.' && name !== '..')
        expect(await client.failure('Twalk', { fid: 0, newfid: 7, names: [name] })).toBe(expected);
    }
  });
});

describe('nothing leaves the folder', () => {
  test('not by dots', async () => {
    const { client } = await fixture.share();
    fs.mkdirSync(fixture.at('d'));
    const root = (await client.call('Tgetattr', { fid: 0, mask: 0n })).qid;
    const up = { fid: await client.walk('d'), names: ['..', '..', '..', 'd', '..'] };
    expect((await client.call('Twalk', { ...up, newfid: 9 })).qids.at(-1)).toEqual(root);
    const { qids } = await client.call('Twalk', { fid: 0, newfid: 10, names: ['..', 'secret'] });
    expect(qids).toEqual([root]);
    expect(await client.failure('Tgetattr', { fid: 10, mask: 0n })).toBe(errno.EBADF);
  });

  test('not by links, which are shown as links', async () => {
    const { client } = await fixture.share();
    fs.symlinkSync('../secret', fixture.at('file'));
    fs.symlinkSync('..', fixture.at('up'));
    fs.symlinkSync(join(fixture.base, 'outside'), fixture.at('away'));
    await client.call('Tsymlink', { fid: 0, name: 'mine', target: `${fixture.base}/secret`, gid: 0 });
    for (const name of ['file', 'up', 'away', 'mine']) {
      const fid = await client.walk(name);
      expect((await client.call('Tgetattr', { fid, mask: 0n })).mode & 0o170000).toBe(0o120000);
      expect((await client.call('Treadlink', { fid })).target).toBe(fs.readlinkSync(fixture.at(name)));
      expect(await client.failure('Tlopen', { fid, flags: 0 })).toBe(errno.ELOOP);
      expect(await client.failure('Tmkdir', { fid, name: 'x', mode: 0o777, gid: 0 })).toBe(errno.ENOTDIR);
      expect(await client.failure('Tsetattr', { ...nothing, fid, valid: 1, mode: 0o777 })).toBe(
        errno.EOPNOTSUPP,
      );
      expect(await client.failure('Tsetattr', { ...nothing, fid, valid: 8 })).toBe(errno.EINVAL);
      const create = { fid: await client.walk(''), name, mode: 0o600, gid: 0 };
      expect(await client.failure('Tlcreate', { ...create, flags: 0o1002 })).toBe(errno.ELOOP);
    }
    expect((await client.call('Twalk', { fid: 0, newfid: 7, names: ['up', 'secret'] })).qids.length).toBe(1);
    // The link's own times.
    const old = fs.statSync(join(fixture.base, 'secret')).mtimeMs;
    await client.call('Tsetattr', { ...nothing, fid: await client.walk('file'), valid: 0x120, mtimeSec: 1n });
    expect([
      fs.statSync(join(fixture.base, 'secret')).mtimeMs,
      fs.lstatSync(fixture.at('file')).mtimeMs,
    ]).toEqual([old, 1000]);
    // A further name of the link, not of what it points to.
    await client.call('Tlink', { directory: 0, fid: await client.walk('file'), name: 'second' });
    expect(fs.readlinkSync(fixture.at('second'))).toBe('../secret');
    expect(fs.readFileSync(join(fixture.base, 'secret'), 'utf8')).toBe('secret');
  });

  test('not by a folder that becomes a link between two requests', async () => {
    const { client } = await fixture.share();
    fs.mkdirSync(fixture.at('d'));
    fs.writeFileSync(fixture.at('d/secret'), 'mine');
    const fid = await client.walk('d');
    fs.renameSync(fixture.at('d'), fixture.at('moved'));
    fs.symlinkSync('..', fixture.at('d'));
    const inside = 60;
    await client.call('Twalk', { fid, newfid: inside, names: ['secret'] });
    await client.call('Tlopen', { fid: inside, flags: 0 });
    expect(await client.read(inside)).toBe('mine');
    await client.call('Tmkdir', { fid, name: 'new', mode: 0o755, gid: 0 });
    expect(fs.existsSync(fixture.at('moved/new'))).toBe(true);
    await client.call('Tunlinkat', { fid, name: 'secret', flags: 0 });
    expect(fs.readFileSync(join(fixture.base, 'secret'), 'utf8')).toBe('secret');
  });

  test.each([true, false])('not by a name that changes all the time, with FFI %p', async (ffi) => {
    const { client } = await fixture.share({ ffi });
    fs.writeFileSync(fixture.at('real'), 'mine');
    fs.symlinkSync('../secret', fixture.at('link'));
    fs.mkdirSync(fixture.at('folder'));
    fs.writeFileSync(fixture.at('folder/secret'), 'mine');
    fs.symlinkSync('..', fixture.at('up'));
    const read = async (...names: string[]): Promise<string> => {
      const fid = 1000 + Math.floor(Math.random() * 1e9);
      const { qids } = await client.call('Twalk', { fid: 0, newfid: fid, names });
      if (qids.length < names.length) return 'not there';
      try {
        await client.call('Tlopen', { fid, flags: 0 });
        return await client.read(fid);
      } finally {
        await client.call('Tclunk', { fid });
      }
    };
    let stop = false;
    const flip = (async () => {
      while (!stop) {
        fs.renameSync(fixture.at('folder'), fixture.at('d'));
        await new Promise((resolve) => setImmediate(resolve));
        fs.renameSync(fixture.at('d'), fixture.at('folder'));
        fs.symlinkSync('..', fixture.at('d'));
        fs.symlinkSync('../secret', fixture.at('f'));
        await new Promise((resolve) => setImmediate(resolve));
        fs.rmSync(fixture.at('d'));
        fs.renameSync(fixture.at('real'), fixture.at('f'));
        await new Promise((resolve) => setImmediate(resolve));
        fs.renameSync(fixture.at('f'), fixture.at('real'));
      }
    })();
    const seen = new Set<string>();
    for (let round = 0; round < 150; round++) {
      const results = await Promise.allSettled([
        read('d', 'secret'),
        read('f'),
        read('d', 'secret'),
        read('f'),
      ]);
      for (const result of results) seen.add(result.status === 'fulfilled' ? result.value : 'refused');
    }
    stop = true;
    await flip;
    expect(seen.has('secret')).toBe(false);
    expect(seen.has('mine')).toBe(true);
  });

  test('not by pipes, sockets and devices', async () => {
    const { client } = await fixture.share();
    for (const [name, type] of [
      ['pipe', 0o010000],
      ['socket', 0o140000],
    ] as const) {
      await client.call('Tmknod', { fid: 0, name, mode: type | 0o600, major: 0, minor: 0, gid: 0 });
      const fid = await client.walk(name);
      expect((await client.call('Tgetattr', { fid, mask: 0n })).mode).toBe(type | 0o600);
      for (const flags of [0, 1, 2])
        expect(await client.failure('Tlopen', { fid, flags })).toBe(errno.EACCES);
      const create = { fid: await client.walk(''), name, flags: 1, mode: 0o600, gid: 0 };
      expect(await client.failure('Tlcreate', create)).toBe(errno.EACCES);
    }
    for (const type of [0o020000, 0o060000, 0o120000, 0o040000]) {
      const request = { fid: 0, name: 'device', mode: type | 0o600, major: 1, minor: 3, gid: 0 };
      expect(await client.failure('Tmknod', request)).toBe(errno.EPERM);
    }
    await client.call('Tmknod', { fid: 0, name: 'plain', mode: 0o106755, major: 0, minor: 0, gid: 0 });
    expect(fixture.mode('plain')).toBe(0o755);
  });

  test('nor by the kernel folders of the host', async () => {
    await expect(openHostFolder({ path: '/proc/self', readOnly: true })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    const { client } = await fixture.share({ path: '/', readOnly: true });
    for (const name of ['proc', 'sys'])
      expect(await client.failure('Twalk', { fid: 0, newfid: 8, names: [name, 'self'] })).toBe(errno.EACCES);
  });

  test('and set-user-id bits stay in the guest', async () => {
    const { client } = await fixture.share();
    await client.create('', 'a', 2, 0o6755);
    await client.call('Tmkdir', { fid: 0, name: 'd', mode: 0o7775, gid: 0 });
    expect([fixture.mode('a'), fixture.mode('d')]).toEqual([0o755, 0o3775]);
  });
});

test('a read-only share refuses every change', async () => {
  fs.writeFileSync(fixture.at('a'), 'text');
  fs.mkdirSync(fixture.at('d'));
  const { client } = await fixture.share({ readOnly: true });
  const before = execFileSync('ls', ['-laR', '--full-time', '--time=ctime', fixture.folder]);
  const fid = await client.walk('a');
  const changes: { readonly [Name in RequestName]?: object } = {
    Tlcreate: { fid: 0, name: 'n', flags: 0, mode: 0o600, gid: 0 },
    Tsymlink: { fid: 0, name: 'n', target: 'x', gid: 0 },
    Tmknod: { fid: 0, name: 'n', mode: 0o100600, major: 0, minor: 0, gid: 0 },
    Trename: { fid, directory: 0, name: 'n' },
    Tsetattr: { ...nothing, fid, valid: 0x20 },
    Txattrcreate: { fid, name: 'user.n', size: 1n, flags: 0 },
    Tlink: { directory: 0, fid, name: 'n' },
    Tmkdir: { fid: 0, name: 'n', mode: 0o700, gid: 0 },
    Trenameat: { oldDirectory: 0, oldName: 'a', newDirectory: 0, newName: 'n' },
    Tunlinkat: { fid: 0, name: 'a', flags: 0 },
    Twrite: { fid, offset: 0n, data: new Uint8Array(1) },
    Tremove: { fid },
  };
  for (const [name, body] of Object.entries(changes))
    expect([name, await client.failure(name as RequestName, body as never)]).toEqual([name, errno.EROFS]);
  for (const flags of [1, 2, 0o1000, 0o2001])
    expect(await client.failure('Tlopen', { fid, flags })).toBe(errno.EROFS);
  expect(await client.read(await client.open('a'))).toBe('text');
  const listed = (await client.readdir(await client.open(''))).map(({ name }) => name);
  expect(listed.sort()).toEqual(['.', '..', 'a', 'd']);
  expect(execFileSync('ls', ['-laR', '--full-time', '--time=ctime', fixture.folder])).toEqual(before);
});

test('a folder that is none is refused in one line', async () => {
  await expect(openHostFolder({ path: join(fixture.base, 'none'), readOnly: true })).rejects.toMatchObject({
    code: 'not-found',
  });
  await expect(openHostFolder({ path: join(fixture.base, 'secret'), readOnly: true })).rejects.toMatchObject({
    code: 'invalid-argument',
  });
});
