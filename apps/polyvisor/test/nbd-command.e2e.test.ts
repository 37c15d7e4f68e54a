import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from '@polyvisor/testkit/needs';
import { startCommand } from './run-command.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nbd-command-'));
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(folder, 'disk.qcow2'), '8M']);
  writeFileSync(join(folder, 'base.raw'), 'hello');
  truncateSync(join(folder, 'base.raw'), 1 << 20);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sh(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  });
}

async function polyvisor(
  ...args: string[]
): Promise<{ readonly status: number | null; readonly text: string }> {
  const command = startCommand(args);
  const status = await command.ended;
  return { status, text: status === 0 ? command.output() : command.errors() };
}

describeWith({ programs: ['qemu-img', 'qemu-io'] }, 'polyvisor nbd', () => {
  test('serves until the last client has left', async () => {
    const socket = join(folder, 'once.sock');
    const server = startCommand(['nbd', 'serve', '-k', socket, join(folder, 'disk.qcow2')]);
    await server.shown(`nbd+unix:///?socket=${socket}\n`);
    sh('qemu-io', '-f', 'raw', '-c', 'write -P 7 1M 1M', `nbd+unix:///?socket=${socket}`);
    expect(await server.ended).toBe(0);
    expect(existsSync(socket)).toBe(false);
    expect(sh('qemu-io', '-r', '-c', 'read -P 7 1M 1M', join(folder, 'disk.qcow2'))).not.toContain('failed');
  }, 60_000);

  test('serves several, says which, and ends with a signal', async () => {
    const images = ['disk.qcow2', 'base.raw'].map((name) => join(folder, name));
    const server = startCommand(['nbd', 'serve', '-t', '-r', '-l', '0', '--output', 'json', ...images]);
    await server.shown('}]}\n');
    const { exports } = JSON.parse(server.output()) as {
      readonly exports: readonly { readonly name: string; readonly uri: string; readonly size: number }[];
    };
    expect(exports.map(({ name, size }) => [name, size])).toEqual([
      ['disk.qcow2', 8 << 20],
      ['base.raw', 1 << 20],
    ]);
    const [, base] = exports;
    expect(base!.uri).toMatch(/^nbd:\/\/127\.0\.0\.1:\d+\/base\.raw$/);
    const info = await polyvisor('nbd', 'info', '--format', 'json', base!.uri);
    expect(JSON.parse(info.text)).toMatchObject({
      name: 'base.raw',
      size: 1 << 20,
      readOnly: true,
      contexts: ['base:allocation'],
    });
    const list = await polyvisor('nbd', 'list', base!.uri.replace('base.raw', ''));
    expect(list.text).toContain('export: "disk.qcow2"\n');
    expect(list.text).toContain('size: 1 MiB (1048576 bytes)\nread-only: yes\n');
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
  }, 60_000);

  test.each([
    [['nbd', 'serve', 'no-such.qcow2'], 2, "can't open disk image"],
    [['nbd', 'serve', '-l', '0.0.0.0:0', 'FILE'], 2, 'this address lets other hosts in: 0.0.0.0'],
    [['nbd', 'serve', '-l', 'x:y', 'FILE'], 2, 'wrong address to listen on: x:y'],
    [['nbd', 'serve', '-x', 'a', '-x', 'b', 'FILE'], 2, '2 names for 1 images'],
    [['nbd', 'serve', '-B', 'none', 'FILE'], 2, 'no such bitmap'],
    [['nbd', 'serve', '-e', '0', 'FILE'], 2, 'wrong value for --max-clients: 0'],
    [['nbd', 'serve', '--tls-certificates', '/none', 'FILE'], 2, "can't read TLS certificate"],
    [['nbd', 'info', 'http://x/'], 2, 'wrong NBD URI: http://x/'],
    [['nbd', 'info', 'nbd+unix:///?socket=/none'], 1, "can't connect to NBD server"],
  ])(
    '%j ends with %i',
    async (args, status, message) => {
      const result = await polyvisor(...args.map((arg) => (arg === 'FILE' ? join(folder, 'base.raw') : arg)));
      expect(result).toMatchObject({ status, text: expect.stringContaining(message) });
      expect(
        result.text
          .trimEnd()
          .split('\n')
          .filter((line) => !line.includes('guessed')),
      ).toHaveLength(1);
    },
    30_000,
  );
});
