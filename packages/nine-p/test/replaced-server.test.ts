import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { ReplyBody, RequestBody } from '../src/codec/message-codec.ts';
import { decodeReply, encodeRequest } from '../src/codec/message-codec.ts';
import type { RequestName } from '../src/codec/messages.ts';
import { MSIZE_MAX } from '../src/protocol.ts';
import type { NinePServer } from '../src/server.ts';
import type { ReplyOf } from '../src/session/handlers.ts';
import { firstBehind, listNames } from '../src/session/directory-offsets.ts';
import { ShareFixture } from './share-fixture.ts';

/** Where in a request the server dies: before it begins, after its work, after its state was recorded. */
type Fault = 'none' | 'before' | 'after' | 'recorded';

/** A share whose server dies and is replaced, with the state as it was last recorded. */
class Mortal {
  readonly fixture = new ShareFixture();
  #server: NinePServer | undefined;
  #revision = 0;
  #recorded: Uint8Array = new Uint8Array();
  #tag = 0;

  get folder(): string {
    return this.fixture.folder;
  }

  async open(): Promise<void> {
    const { server } = await this.fixture.share();
    this.#server = server;
    this.#revision = server.revision;
    this.#recorded = server.save();
  }

  #record(): void {
    const { revision } = this.#server!;
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.#recorded = this.#server!.save();
  }

  #handle(message: Uint8Array, again: boolean): Promise<Uint8Array> {
    const reply = new Uint8Array(1 << 16);
    return new Promise((resolve) =>
      this.#server!.handle(message, reply, (length) => resolve(reply.subarray(0, length)), again),
    );
  }

  async #replace(): Promise<void> {
    await this.#server!.close();
    ({ server: this.#server } = await this.fixture.share());
    this.#server.load(this.#recorded);
    this.#revision = this.#server.revision;
  }

  /** @returns the reply, or the error number. */
  async call<Name extends RequestName>(
    name: Name,
    body: RequestBody<Name>,
    fault: Fault = 'none',
  ): Promise<ReplyBody<ReplyOf<Name>> | number> {
    const room = new Uint8Array(MSIZE_MAX);
    const message = room.subarray(0, encodeRequest(name, this.#tag++ & 0xfff, body, room));
    if (fault === 'after' || fault === 'recorded') await this.#handle(message, false);
    if (fault === 'recorded') this.#record();
    if (fault !== 'none') await this.#replace();
    const reply = decodeReply(await this.#handle(message, fault !== 'none'));
    this.#record();
    if (reply?.name === 'Rlerror') return reply.body.errno;
    return reply?.body as ReplyBody<ReplyOf<Name>>;
  }

  close(): Promise<void> {
    return this.fixture.close();
  }
}

/** Everything in a folder that a guest can see and that doesn't depend on the host. */
function contents(folder: string, path = ''): unknown[] {
  const all: unknown[] = [];
  for (const name of fs.readdirSync(join(folder, path)).sort()) {
    const at = join(path, name);
    const stat = fs.lstatSync(join(folder, at));
    const text = stat.isFile() ? fs.readFileSync(join(folder, at), 'latin1') : '';
    const target = stat.isSymbolicLink() ? fs.readlinkSync(join(folder, at)) : '';
    all.push([at, stat.mode, stat.isDirectory() ? 0 : stat.nlink, text, target]);
    if (stat.isDirectory()) all.push(...contents(folder, at));
  }
  return all;
}

const names = ['a', 'b', 'c', 'x'];
const operation = fc.record({
  what: fc.constantFrom(
    ...(['walk', 'walk', 'open', 'create', 'create', 'write', 'write', 'append', 'read', 'mkdir'] as const),
    ...(['symlink', 'mknod', 'link', 'rename', 'rename', 'renameat', 'unlink', 'remove'] as const),
    ...(['truncate', 'readdir', 'clunk'] as const),
  ),
  pick: fc.nat(1000),
  other: fc.nat(1000),
  name: fc.constantFrom(...names),
  fault: fc.constantFrom<Fault>('none', 'none', 'none', 'before', 'after', 'recorded'),
});

describe('a server that is replaced', () => {
  let one: Mortal;
  let two: Mortal;

  beforeEach(() => {
    one = new Mortal();
    two = new Mortal();
  });

  afterEach(async () => {
    await one.close();
    await two.close();
  });

  test('leaves a client and its folder as if it had not been', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
        for (const each of [one, two]) {
          each.fixture.removeFolder();
          fs.mkdirSync(each.fixture.at('d/e'), { recursive: true });
          fs.writeFileSync(each.fixture.at('d/a'), 'text');
          await each.open();
        }
        await run(one, two, operations);
        expect(contents(one.folder)).toEqual(contents(two.folder));
      }),
      { numRuns: 60 },
    );
  });

  test('finishes what was half done', async () => {
    await one.open();
    fs.mkdirSync(one.fixture.at('d'), 0o700);
    fs.chmodSync(one.fixture.at('d'), 0o700);
    const made = await one.call('Tmkdir', { fid: 0, name: 'd', mode: 0o777, gid: 0 }, 'before');
    expect([typeof made, one.fixture.mode('d')]).toEqual(['object', 0o777]);
    fs.writeFileSync(one.fixture.at('log'), 'first, sec');
    await one.call('Twalk', { fid: 0, newfid: 5, names: ['log'] });
    await one.call('Tlopen', { fid: 5, flags: 0o2001 });
    const data = new TextEncoder().encode('second');
    expect(await one.call('Twrite', { fid: 5, offset: 7n, data }, 'before')).toEqual({ count: 6 });
    expect(fs.readFileSync(one.fixture.at('log'), 'utf8')).toBe('first, second');
    // What is there, but isn't what the request would have made.
    fs.writeFileSync(one.fixture.at('d/f'), '');
    expect(await one.call('Tmkdir', { fid: 0, name: 'd', mode: 0o777, gid: 0 }, 'before')).toBe(17);
    expect(await one.call('Tsymlink', { fid: 0, name: 'log', target: 'x', gid: 0 }, 'before')).toBe(17);
  });

  test('goes on in the middle of a folder whose entries are being removed', async () => {
    await one.open();
    const all = Array.from({ length: 200 }, (_, index) => `file${index}`);
    for (const name of all) fs.writeFileSync(one.fixture.at(name), '');
    await one.call('Twalk', { fid: 0, newfid: 5, names: [] });
    await one.call('Tlopen', { fid: 5, flags: 0 });
    let offset = 0n;
    for (;;) {
      const reply = await one.call('Treaddir', { fid: 5, offset, count: 800 }, 'before');
      if (typeof reply === 'number') throw new Error(`errno ${reply}`);
      const { data } = reply;
      if (data.length === 0) break;
      const view = new DataView(data.buffer, data.byteOffset, data.length);
      for (let at = 0; at < data.length; at += 24 + view.getUint16(at + 22, true)) {
        offset = view.getBigUint64(at + 13, true);
        const name = String.fromCharCode(...data.subarray(at + 24, at + 24 + view.getUint16(at + 22, true)));
        if (!name.startsWith('.')) fs.rmSync(one.fixture.at(name));
      }
    }
    expect(fs.readdirSync(one.folder)).toEqual([]);
  });
});

test('offsets of a listing are of the names alone, and go up', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1 }).filter((name) => !/^[.]{1,2}$/.test(name))),
      fc.nat(),
      (some, pick) => {
        const { names: listed, offsets } = listNames(some);
        expect([...listed].sort()).toEqual(['.', '..', ...some].sort());
        for (let index = 0; index < listed.length; index++) {
          expect(firstBehind(offsets, offsets[index]!)).toBe(index + 1);
          if (index > 0) expect(offsets[index]!).toBeGreaterThan(offsets[index - 1]!);
        }
        const removed = listed[pick % listed.length]!;
        const fewer = listNames(some.filter((name) => name !== removed));
        for (const [index, name] of fewer.names.entries())
          expect(fewer.offsets[index]).toBe(offsets[listed.indexOf(name)]);
      },
    ),
  );
});

async function run(
  one: Mortal,
  two: Mortal,
  operations: (typeof operation extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<void> {
  /** Where each fid's object is, and whether it is open. */
  const fids = new Map<number, { path: string; open: boolean; append: boolean }>([
    [0, { path: '', open: false, append: false }],
  ]);
  let next = 1;
  const both = async <Name extends RequestName>(
    name: Name,
    body: RequestBody<Name>,
    fault: Fault,
  ): Promise<boolean> => {
    const expected = await two.call(name, body);
    const got = await one.call(name, body, fault);
    if (typeof expected === 'number' || typeof got === 'number')
      expect([name, got]).toEqual([name, expected]);
    else if (name === 'Tread') expect(got).toEqual(expected);
    else expect(typeof got).toBe('object');
    return typeof expected === 'object';
  };
  const exists = (path: string): boolean =>
    fs.lstatSync(two.fixture.at(path), { throwIfNoEntry: false }) !== undefined;
  const paths = (): string[] => ['', ...contents(two.folder).map((entry) => (entry as string[])[0]!)];
  const below = (path: string, top: string): boolean => path === top || path.startsWith(`${top}/`);
  /** Objects that lose their name are given up: a server that takes over doesn't find them. */
  const forget = async (path: string): Promise<void> => {
    for (const [fid, { path: theirs }] of fids) {
      if (!below(theirs, path)) continue;
      fids.delete(fid);
      await both('Tclunk', { fid }, 'none');
    }
  };
  const kind = (path: string): string => {
    const stat = fs.lstatSync(two.fixture.at(path));
    return stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other';
  };
  const pickFid = (
    pick: number,
    fits: (fid: { path: string; open: boolean; append: boolean }) => boolean,
  ): number | undefined => {
    const fitting = [...fids].filter(([, fid]) => fits(fid));
    return fitting.length === 0 ? undefined : fitting[pick % fitting.length]![0];
  };
  const moved = (from: string, to: string): void => {
    for (const fid of fids.values()) if (below(fid.path, from)) fid.path = to + fid.path.slice(from.length);
  };

  for (const { what, pick, other, name, fault } of operations) {
    const all = paths();
    const path = all[pick % all.length]!;
    const directory = pickFid(pick, (fid) => !fid.open && kind(fid.path) === 'directory')!;
    const place = fids.get(directory)!.path;
    const inside = place === '' ? name : `${place}/${name}`;
    const absent = !exists(inside);
    const walk = async (target: string): Promise<number> => {
      const fid = next++;
      const list = target === '' ? [] : target.split('/');
      if (await both('Twalk', { fid: 0, newfid: fid, names: list }, fault))
        fids.set(fid, { path: target, open: false, append: false });
      return fid;
    };
    switch (what) {
      case 'walk':
        await walk(path);
        break;
      case 'open': {
        if (kind(path) === 'other') break;
        const fid = await walk(path);
        const append = kind(path) === 'file' && other % 3 === 0;
        const flags = kind(path) === 'directory' ? 0 : append ? 0o2002 : 2;
        if (await both('Tlopen', { fid, flags }, fault))
          Object.assign(fids.get(fid)!, { open: true, append });
        break;
      }
      case 'create': {
        if (!absent) break;
        const fid = await walk(place);
        const append = other % 3 === 0;
        const flags = 2 | (other % 2 === 0 ? 0o200 : 0) | (append ? 0o2000 : 0);
        if (await both('Tlcreate', { fid, name, flags, mode: 0o666, gid: 0 }, fault))
          fids.set(fid, { path: inside, open: true, append });
        break;
      }
      case 'write':
      case 'append': {
        const fid = pickFid(
          pick,
          (each) => each.open && each.append === (what === 'append') && kind(each.path) === 'file',
        );
        if (fid === undefined) break;
        const { size } = fs.statSync(two.fixture.at(fids.get(fid)!.path));
        const offset = BigInt(what === 'append' ? size : other % 10);
        await both(
          'Twrite',
          { fid, offset, data: Uint8Array.from({ length: other % 9 }, () => 65 + (pick % 20)) },
          fault,
        );
        break;
      }
      case 'read': {
        const fid = pickFid(pick, (each) => each.open && kind(each.path) === 'file');
        if (fid !== undefined) await both('Tread', { fid, offset: BigInt(other % 5), count: 50 }, fault);
        break;
      }
      case 'readdir': {
        const fid = pickFid(pick, (each) => each.open && kind(each.path) === 'directory');
        if (fid !== undefined) await both('Treaddir', { fid, offset: 0n, count: 5000 }, fault);
        break;
      }
      case 'mkdir':
        if (absent) await both('Tmkdir', { fid: directory, name, mode: 0o777, gid: 0 }, fault);
        break;
      case 'symlink':
        if (absent) await both('Tsymlink', { fid: directory, name, target: '../d', gid: 0 }, fault);
        break;
      case 'mknod': {
        const mode = other % 2 === 0 ? 0o100666 : 0o10666;
        if (absent) await both('Tmknod', { fid: directory, name, mode, major: 0, minor: 0, gid: 0 }, fault);
        break;
      }
      case 'link': {
        const fid = pickFid(other, (each) => kind(each.path) === 'file');
        if (absent && fid !== undefined) await both('Tlink', { directory, fid, name }, fault);
        break;
      }
      case 'rename':
      case 'renameat': {
        const from =
          what === 'rename' ? fids.get(pickFid(other, (each) => each.path !== '') ?? 0)!.path : path;
        if (from === '' || below(inside, from) || below(from, inside)) break;
        const parent = from.split('/').slice(0, -1).join('/');
        const inode = (at: string): number | undefined =>
          fs.lstatSync(two.fixture.at(at), { throwIfNoEntry: false })?.ino;
        // Two names of one file stay as they are.
        if (inode(from) === inode(inside)) break;
        const victim = exists(inside);
        let done: boolean;
        if (what === 'rename') {
          const fid = pickFid(other, (each) => each.path === from)!;
          done = await both('Trename', { fid, directory, name }, fault);
        } else {
          const oldDirectory = await walk(parent);
          const oldName = from.split('/').at(-1)!;
          done = await both(
            'Trenameat',
            { oldDirectory, oldName, newDirectory: directory, newName: name },
            fault,
          );
        }
        if (!done) break;
        if (victim) await forget(inside);
        moved(from, inside);
        break;
      }
      case 'unlink': {
        if (path === '') break;
        const parent = await walk(path.split('/').slice(0, -1).join('/'));
        const flags = kind(path) === 'directory' ? 0x200 : 0;
        if (await both('Tunlinkat', { fid: parent, name: path.split('/').at(-1)!, flags }, fault))
          await forget(path);
        break;
      }
      case 'remove': {
        const fid = pickFid(pick, (each) => each.path !== '' && each.path !== 'd');
        if (fid === undefined) break;
        const { path: gone } = fids.get(fid)!;
        if (kind(gone) === 'directory' && fs.readdirSync(two.fixture.at(gone)).length > 0) break;
        await both('Tremove', { fid }, fault);
        fids.delete(fid);
        await forget(gone);
        break;
      }
      case 'truncate': {
        const fid = pickFid(pick, (each) => each.open && kind(each.path) === 'file');
        if (fid === undefined) break;
        const times = { atimeSec: 0n, atimeNsec: 0n, mtimeSec: 0n, mtimeNsec: 0n };
        await both(
          'Tsetattr',
          { fid, valid: 8, mode: 0, uid: 0, gid: 0, size: BigInt(other % 6), ...times },
          fault,
        );
        break;
      }
      case 'clunk': {
        const fid = pickFid(pick, (each) => each.path !== '');
        if (fid === undefined) break;
        await both('Tclunk', { fid }, fault);
        fids.delete(fid);
        break;
      }
    }
  }
}
