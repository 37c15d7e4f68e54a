import { afterAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { describeWith } from '@polyvisor/testkit/needs';
import type { BlockNode } from '../../src/graph/block-node.ts';
import { openImage, openProtocol } from '../../src/graph/open-image.ts';
import { put32 } from '../../src/nbd/big-endian.ts';
import type { NbdExport } from '../../src/nbd/nbd-export.ts';
import { OPTION, REQUEST_MAGIC } from '../../src/nbd/nbd-protocol.ts';
import { parseNbdUri } from '../../src/nbd/nbd-uri.ts';
import { encodeGo, encodeOption } from '../../src/nbd/option-codec.ts';
import { withNbdServer } from '../../src/node/nbd/connect-nbd.ts';
import { nbdConnectOptionsOf } from '../../src/node/nbd/nbd-driver.ts';
import { NbdServer } from '../../src/node/nbd/nbd-server.ts';
import { cleanups, environment, fresh, MIB, motley, openOurs, serve, sh, start, uriOf } from './peers.ts';

interface MapRow {
  readonly offset: number;
  readonly length: number;
  readonly type: number;
}

/** Neighbours of one kind joined: where they are cut is a server's choice. */
function joined(json: string): readonly MapRow[] {
  const rows: MapRow[] = [];
  for (const row of JSON.parse(json) as readonly MapRow[]) {
    const last = rows.at(-1);
    if (last?.type === row.type) rows[rows.length - 1] = { ...last, length: last.length + row.length };
    else rows.push({ offset: row.offset, length: row.length, type: row.type });
  }
  return rows;
}

describeWith(
  { programs: ['qemu-img', 'qemu-io', 'qemu-nbd', 'nbdinfo', 'nbdcopy'] },
  'NBD server and others',
  () => {
    test('qemu-img converts to it and from it, and finds no difference', async () => {
      const image = fresh('target.qcow2');
      const source = await motley();
      await sh('qemu-img', 'create', '-q', '-f', 'qcow2', image, '32M');
      const { uri, server } = await serve(image);
      await sh('qemu-img', 'convert', '-n', '-f', 'qcow2', '-O', 'raw', source, uri);
      await sh('qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', source, uri);
      const back = fresh('back.raw');
      await sh('qemu-img', 'convert', '-f', 'raw', '-O', 'raw', uri, back);
      await server.close();
      await sh('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', back, source);
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
      await sh('qemu-img', 'check', '-q', image);
    }, 60_000);

    test('qemu-io does on it what it does on a file', async () => {
      const image = fresh('random.qcow2');
      const model = fresh('random.raw');
      await sh('qemu-img', 'create', '-q', '-f', 'qcow2', image, '16M');
      await sh('qemu-img', 'create', '-q', '-f', 'raw', model, '16M');
      const { uri } = await serve(image);
      let seed = 4711;
      const random = (limit: number): number => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return Math.floor((seed / 2 ** 32) * limit);
      };
      const commands = Array.from({ length: 150 }, () => {
        const at = random(16 * MIB - 1);
        const length = Math.min(16 * MIB - at, 1 + random(random(4) === 0 ? 2 * MIB : 9000));
        const kind = [
          'write -q -P 7',
          'write -q -f -P 9',
          'write -q -z',
          'write -q -z -u',
          'aio_write -q -P 3',
        ];
        return `${kind[random(kind.length)]!} ${at} ${length}`;
      }).map((command) => (command.startsWith('aio') ? [command, 'aio_flush'] : [command]));
      const args = commands.flat().flatMap((command) => ['-c', command]);
      await sh('qemu-io', '-f', 'raw', ...args, uri);
      await sh('qemu-io', '-f', 'raw', ...args, model);
      await sh('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', model, uri);
    }, 60_000);

    test('block status, dirty bitmap and depth are as qemu-nbd tells them', async () => {
      const image = await motley();
      const theirs = fresh('theirs.sock');
      const args = ['-r', '-t', '-f', 'qcow2', '-k', theirs, '-B', 'b0', '-A', '-e', '8', image];
      await start('qemu-nbd', args, theirs);
      const { uri } = await serve(image, { readOnly: true, bitmaps: ['b0'], allocationDepth: true });
      for (const context of ['base:allocation', 'qemu:dirty-bitmap:b0', 'qemu:allocation-depth']) {
        const own = joined(await sh('nbdinfo', `--map=${context}`, '--json', uri));
        expect(own).toEqual(joined(await sh('nbdinfo', `--map=${context}`, '--json', uriOf(theirs))));
        expect(own.length).toBeGreaterThan(3);
      }
      const map = (where: string): Promise<string> =>
        sh('qemu-img', 'map', '-f', 'raw', '--output', 'json', where);
      expect(JSON.parse(await map(uri))).toEqual(JSON.parse(await map(uriOf(theirs))));
    }, 60_000);

    test('nbdinfo says what there is', async () => {
      const image = await motley();
      const { uri, server, socket } = await serve(image, {
        name: 'a disk',
        description: 'for tests',
        rotational: true,
        bitmaps: ['b0'],
      });
      const info = JSON.parse(await sh('nbdinfo', '--json', uri.replace('a disk', 'a%20disk'))) as {
        readonly exports: readonly { readonly [key: string]: unknown }[];
      };
      expect(info.exports[0]).toMatchObject({
        'export-name': 'a disk',
        description: 'for tests',
        'export-size': 32 * MIB,
        contexts: ['base:allocation', 'qemu:dirty-bitmap:b0'],
        is_rotational: true,
        can_multi_conn: true,
        can_fast_zero: true,
        block_size_preferred: 65536,
      });
      server.add({
        name: 'second',
        node: await openImage(image, { readOnly: true, shared: true }, environment).then((node) => {
          cleanups.push(() => node.close());
          return node;
        }),
        readOnly: true,
      });
      const list = JSON.parse(await sh('nbdinfo', '--list', '--json', uriOf(socket))) as typeof info;
      expect(list.exports.map((each) => each['export-name'])).toEqual(['a disk', 'second']);
      const entries = await withNbdServer(
        nbdConnectOptionsOf(parseNbdUri(uriOf(socket))),
        undefined,
        async ({ handshake }) => {
          const found = await handshake.list();
          await handshake.abort();
          return found;
        },
      );
      expect(entries).toEqual([
        { name: 'a disk', description: 'for tests' },
        { name: 'second', description: undefined },
      ]);
    }, 60_000);

    test('nbdcopy with several connections', async () => {
      const source = await motley();
      const target = fresh('copied.qcow2');
      await sh('qemu-img', 'create', '-q', '-f', 'qcow2', target, '32M');
      const from = await serve(source, { readOnly: true });
      const to = await serve(target);
      await sh('nbdcopy', '--connections=4', '--flush', from.uri, to.uri);
      await sh('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', from.uri, to.uri);
    }, 60_000);

    test('a third client too many is turned away, a silent one is dropped', async () => {
      const image = await motley();
      const { uri, socket, server } = await serve(image, {
        readOnly: true,
        server: { maxClients: 2, handshakeTimeoutMs: 300 },
      });
      const silent = [connect(socket), connect(socket)];
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(server.clients).toBe(2);
      await expect(openOurs(uri, {}, true)).rejects.toMatchObject({ code: 'unavailable' });
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(server.clients).toBe(0);
      await openOurs(uri, {}, true);
      for (const each of silent) each.destroy();
    }, 30_000);

    test('a client that stops reading harms only itself, and not for long', async () => {
      const { uri, socket, server } = await serve(await motley(), {
        readOnly: true,
        server: { stallTimeoutMs: 1500 },
      });
      const lazy = connect(socket);
      const go = encodeOption(OPTION.go, encodeGo({ name: '', requests: [] }));
      lazy.write(Uint8Array.of(0, 0, 0, 3));
      lazy.write(go);
      const read = new Uint8Array(28);
      put32(read, 0, REQUEST_MAGIC);
      put32(read, 24, 8 * MIB);
      for (let index = 0; index < 100; index++) lazy.write(read);
      const node = await openOurs(uri, {}, true);
      const bytes = new Uint8Array(MIB);
      for (let index = 0; index < 50; index++) await node.read((index % 32) * MIB, bytes);
      expect(server.clients).toBe(2);
      for (let wait = 0; wait < 80 && server.clients > 1; wait++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(server.clients).toBe(1);
      await node.read(0, bytes);
      lazy.destroy();
    }, 30_000);

    test('listens for this host only, and not where a file is', async () => {
      const exports: NbdExport[] = [];
      await expect(
        NbdServer.listen({ address: { kind: 'tcp', host: '0.0.0.0', port: 0 }, exports }),
      ).rejects.toMatchObject({ code: 'permission' });
      const path = fresh('file');
      writeFileSync(path, 'x');
      await expect(NbdServer.listen({ address: { kind: 'unix', path }, exports })).rejects.toMatchObject({
        code: 'already-exists',
      });
      const server = await NbdServer.listen({
        address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
        exports,
      });
      expect(server.uriOf('x')).toMatch(/^nbd:\/\/127\.0\.0\.1:\d+\/x$/);
      await server.close();
    });
  },
);

describeWith({ programs: ['qemu-nbd', 'qemu-img'] }, 'NBD client and qemu-nbd', () => {
  const images: ChildProcess[] = [];
  afterAll(() => void images.splice(0).forEach((child) => child.kill('SIGKILL')));

  describeBlockNode(
    'nbd to qemu-nbd',
    async (size) => {
      const image = fresh('peer.qcow2');
      const socket = fresh('peer.sock');
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(size)]);
      images.push(
        await start(
          'qemu-nbd',
          ['-f', 'qcow2', '-e', '3', '--discard=unmap', '-k', socket, image, '-t'],
          socket,
        ),
      );
      return openProtocol(uriOf(socket), { readOnly: false }, environment);
    },
    { runs: 6 },
  );

  test('goes on with a server that was killed and started again', async () => {
    const image = fresh('again.raw');
    const socket = fresh('again.sock');
    await sh('qemu-img', 'create', '-q', '-f', 'raw', image, '8M');
    const args = ['-t', '-f', 'raw', '-k', socket, image];
    const first = await start('qemu-nbd', args, socket);
    const node = await openOurs(uriOf(socket), { 'reconnect-delay': 20 });
    const writes = Array.from({ length: 64 }, (_, index) =>
      node.write(index * 65536, new Uint8Array(65536).fill(index + 1)),
    );
    first.kill('SIGKILL');
    await new Promise((resolve) => first.once('exit', resolve));
    rmSync(socket, { force: true });
    await start('qemu-nbd', args, socket);
    await Promise.all(writes);
    const bytes = new Uint8Array(65536);
    for (let index = 0; index < 64; index++) {
      await node.read(index * 65536, bytes);
      expect(bytes[65535]).toBe(index + 1);
    }
  }, 60_000);

  test('a bitmap shows in the map', async () => {
    const image = await motley();
    const socket = fresh('bitmap.sock');
    await start('qemu-nbd', ['-r', '-t', '-f', 'qcow2', '-B', 'b0', '-k', socket, image], socket);
    const node = await openOurs(uriOf(socket), { 'x-dirty-bitmap': 'qemu:dirty-bitmap:b0' }, true);
    expect(await node.map(0, 32 * MIB)).toMatchObject({ length: 10 * MIB, data: true });
    expect(await node.map(10 * MIB, 22 * MIB)).toMatchObject({ length: MIB, data: false });
  }, 60_000);
});

describeWith({ programs: ['nbdkit'] }, 'NBD client and nbdkit', () => {
  const nbdkit = async (...args: string[]): Promise<string> => {
    const socket = fresh('kit.sock');
    await start('nbdkit', ['-f', '-U', socket, ...args], socket);
    return uriOf(socket);
  };
  const roundTrip = async (node: BlockNode): Promise<void> => {
    const bytes = Uint8Array.from({ length: 3 * MIB }, (_, index) => (index * 7) >> 8);
    await node.write(1000, bytes);
    await node.writeZeroes(2000, 100_000);
    await node.flush();
    bytes.fill(0, 1000, 101_000);
    const back = new Uint8Array(bytes.length);
    await node.read(1000, back);
    expect(Buffer.compare(back, bytes)).toBe(0);
    for (let at = 0; at < node.size;) at += (await node.map(at, node.size - at)).length;
  };

  test.each([
    ['structured replies', ['memory', '8M']],
    ['simple replies', ['--no-sr', 'memory', '8M']],
    ['the first of the new handshakes', ['--mask-handshake=0', 'memory', '8M']],
    ['replies late and out of order', ['--filter=delay', 'memory', '8M', 'rdelay=20ms', 'wdelay=10ms']],
    ['no zeroes of its own', ['--filter=nozero', 'memory', '8M', 'zeromode=none']],
    [
      'blocks of 512 bytes',
      [
        '--filter=blocksize-policy',
        'memory',
        '8M',
        'blocksize-minimum=512',
        'blocksize-maximum=1M',
        'blocksize-error-policy=error',
      ],
    ],
  ])(
    'a server with %s',
    async (_name, args) => {
      await roundTrip(await openOurs(await nbdkit(...args)));
    },
    30_000,
  );

  test('a server of before options', async () => {
    // This nbdkit offers zeroing and flushing in that mode, and then refuses both.
    const node = await openOurs(await nbdkit('-o', 'memory', '8M'));
    const bytes = new Uint8Array(3 * MIB).fill(7);
    await node.write(1000, bytes);
    await node.read(999, bytes);
    expect([bytes[0], bytes[1], bytes[3 * MIB - 1]]).toEqual([0, 7, 7]);
  }, 30_000);

  test('errors come to the caller, and only to him', async () => {
    const uri = await nbdkit('--filter=error', 'memory', '8M', 'error-pread=ENOSPC', 'error-pread-rate=50%');
    const node = await openOurs(uri);
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) => node.read(index * 4096, new Uint8Array(4096))),
    );
    const failed = results.filter((each) => each.status === 'rejected');
    expect(failed.length).toBeGreaterThan(10);
    expect(failed.length).toBeLessThan(90);
    expect(failed[0]!.reason).toMatchObject({ code: 'io' });
    await node.write(0, new Uint8Array(512));
  }, 30_000);

  test('an export that is not there', async () => {
    const uri = await nbdkit(
      '--filter=exportname',
      'memory',
      '8M',
      'exportname-strict=true',
      'exportname=yes',
    );
    await openOurs(uri.replace('///', '///yes'));
    await expect(openOurs(uri.replace('///', '///no'))).rejects.toThrow(/'no'/);
  }, 30_000);
});

describe('NBD driver', () => {
  test('says what is wrong', async () => {
    await expect(openOurs('nbd+unix:///?socket=/no/such.sock')).rejects.toThrow(
      /can't connect to NBD server: .*\(ENOENT\)/,
    );
    await expect(openProtocol({ driver: 'nbd' }, { readOnly: true }, environment)).rejects.toThrow(
      /needs a URI/,
    );
  });
});
