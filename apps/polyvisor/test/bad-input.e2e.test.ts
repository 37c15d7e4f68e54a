import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { plainUser, runCommand, startCommand, type HostUser } from './run-command.ts';

/** Every case: exit status 2, one line that names the thing, nothing on standard output, nothing created. */

const LIMIT_MS = 120_000;
const folder = mkdtempSync(join(tmpdir(), 'polyvisor-bad-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
function put(name: string, bytes: Uint8Array | string): string {
  writeFileSync(at(name), bytes);
  return at(name);
}
/** A sparse file. */
function large(name: string, size: number, head?: Uint8Array): string {
  const file = openSync(at(name), 'w');
  if (head !== undefined) writeSync(file, head);
  closeSync(file);
  truncateSync(at(name), size);
  return at(name);
}

/** Header of a RISC-V Linux Image. */
function imageHeader(size: number): Uint8Array {
  const header = new Uint8Array(64);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x6f, true); // j .
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, BigInt(size), true);
  header.set(Buffer.from('RISCV\0\0\0RSC\x05'), 48);
  return header;
}

const spin = put('spin', Buffer.concat([imageHeader(4096), Buffer.alloc(4032)]));
const elf = (machine: number): Uint8Array => {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(bytes.buffer).setUint16(16, 2, true);
  new DataView(bytes.buffer).setUint16(18, machine, true);
  return bytes;
};
const arm64Image = new Uint8Array(4096);
arm64Image.set(Buffer.from('ARM\x64'), 56);
const bzImage = new Uint8Array(4096);
bzImage.set([0x55, 0xaa], 510);
bzImage.set(Buffer.from('HdrS'), 514);
const disk = put('disk', Buffer.alloc(1 << 20));
mkdirSync(at('a-folder'));
const bare = ['--firmware', 'none', '--kernel', spin];

const files: Readonly<Record<string, readonly [readonly string[], string]>> = {
  'missing kernel': [['--kernel', at('none')], at('none')],
  'empty kernel': [['--kernel', put('empty', '')], at('empty')],
  'folder as a kernel': [['--kernel', at('a-folder')], at('a-folder')],
  'text as a kernel': [
    ['--kernel', put('text', 'no kernel\n'.repeat(500)), '--firmware', 'builtin'],
    at('text'),
  ],
  'kernel Image cut short': [
    ['--kernel', put('cut', imageHeader(4096).subarray(0, 40)), '--firmware', 'builtin'],
    at('cut'),
  ],
  'gzip cut short': [
    [
      '--kernel',
      put('cut.gz', gzipSync(Buffer.concat([imageHeader(4096), Buffer.alloc(9000, 'k')])).subarray(0, 60)),
      '--firmware',
      'builtin',
    ],
    at('cut.gz'),
  ],
  'ELF of another machine': [['--kernel', put('x86.elf', elf(62)), '--firmware', 'builtin'], at('x86.elf')],
  'ELF cut short': [
    ['--kernel', put('cut.elf', elf(243).subarray(0, 30)), '--firmware', 'builtin'],
    at('cut.elf'),
  ],
  'arm64 Image': [['--kernel', put('arm64', arm64Image), '--firmware', 'builtin'], at('arm64')],
  'x86 bzImage': [['--kernel', put('bzImage', bzImage), '--firmware', 'builtin'], at('bzImage')],
  'kernel larger than memory': [
    ['--kernel', large('huge', 80 << 20, imageHeader(80 << 20)), '--memory', '64M', '--firmware', 'builtin'],
    at('huge'),
  ],
  'missing initrd': [[...bare, '--initrd', at('none')], at('none')],
  'initrd larger than memory': [
    [...bare, '--memory', '64M', '--initrd', large('initrd', 70 << 20)],
    at('initrd'),
  ],
  'missing firmware': [['--kernel', spin, '--firmware', at('none')], at('none')],
  'missing disk': [[...bare, '--disk', at('none')], at('none')],
  'empty disk': [[...bare, '--disk', at('empty')], at('empty')],
  'folder as a disk': [[...bare, '--disk', at('a-folder')], at('a-folder')],
  'qcow2 image as a disk': [
    [...bare, '--disk', put('qcow2', Buffer.from('QFI\xfb'.padEnd(512, '\0'), 'latin1'))],
    at('qcow2'),
  ],
  'text as firmware': [['--firmware', at('text')], at('text')],
  'the same disk twice': [[...bare, '--disk', disk, '--disk', disk], disk],
  'missing share': [[...bare, '--share', `path=${at('none')}`], at('none')],
  'file as a share': [[...bare, '--share', `path=${disk}`], disk],
  'missing configuration': [['--config', at('none')], at('none')],
  'log in a missing folder': [
    [...bare, '--console', 'none', '--console-log', join(at('none'), 'log')],
    at('none'),
  ],
};

const words: Readonly<Record<string, readonly [readonly string[], string]>> = {
  'unknown option': [['--meomry', '1G'], '--memory'],
  'memory of no size': [['--memory', 'much'], 'much'],
  'too little memory': [['--memory', '4M'], '32M'],
  'too much memory': [['--memory', '64G'], '3G'],
  'no CPUs': [['--cpus', '0'], '--cpus'],
  'too many CPUs': [['--cpus', '9'], '8'],
  'unknown tier': [['--accel', 'tcg,tier=fast'], 'fast'],
  'unknown accelerator': [['--accel', 'magic'], 'magic'],
  'unknown image': [['--image', 'plan9'], 'plan9'],
  'unknown network': [['--net', 'bridge'], 'bridge'],
  'forward without a port': [[...bare, '--net', 'user,hostfwd=tcp::-:22'], 'port forward: tcp::-:22'],
  'forward to a port that can not be': [[...bare, '--net', 'user,hostfwd=tcp::99999-:22'], '99999'],
  'icount with a network': [[...bare, '--icount', '--no-balloon', '--net', 'user'], '--icount'],
  'icount with two CPUs': [[...bare, '--icount', '--no-balloon', '--net', 'none', '--cpus', '2'], '--icount'],
};

function openFiles(pid: number): string[] {
  const links = `/proc/${pid}/fd`;
  return readdirSync(links).flatMap((name) => {
    try {
      return [readlinkSync(join(links, name))];
    } catch {
      return []; // closed meanwhile
    }
  });
}

async function expectRefusal(
  args: readonly string[],
  named: string | RegExp,
  user?: HostUser,
): Promise<void> {
  const before = readdirSync(folder, { recursive: true }).sort();
  const { status, output, errors } = await runCommand(['run', ...args], undefined, user);
  expect({ status, output, lines: errors.trimEnd().split('\n').length, errors }).toEqual({
    status: 2,
    output: '',
    lines: 1,
    errors: typeof named === 'string' ? expect.stringContaining(named) : expect.stringMatching(named),
  });
  expect(readdirSync(folder, { recursive: true }).sort()).toEqual(before);
}

describe('refused in one line', () => {
  test.each(Object.entries({ ...files, ...words }))(
    '%s',
    (_name, [args, named]) => expectRefusal(args, named),
    LIMIT_MS,
  );

  test(
    'a port in use',
    async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      try {
        await expectRefusal([...bare, '--net', `user,hostfwd=tcp:127.0.0.1:${port}-:22`], String(port));
      } finally {
        server.close();
      }
    },
    LIMIT_MS,
  );

  test(
    'a disk that another machine has',
    async () => {
      const hello = ['--append', 'x', '--disk', disk, '--net', 'none', '--log-level', 'debug'];
      const other = startCommand(['run', ...bare, ...hello], '');
      // Asking for the disk meanwhile could get it first; the lock follows at once when the file is open.
      while (other.child.exitCode === null && !openFiles(other.child.pid!).includes(disk)) await sleep(50);
      await sleep(500);
      expect(other.errors()).toBe('');
      await expectRefusal([...bare, '--disk', disk, '--net', 'none'], disk);
      other.child.kill('SIGTERM');
      expect(await other.ended).toBe(143);
    },
    LIMIT_MS,
  );
});

// Root may write whatever its mode says.
const user = plainUser();
describeWith(
  user === undefined ? { variables: ['sources that any user can read'] } : {},
  'a disk file that may only be read',
  () => {
    test(
      'is refused for writing, and taken read-only',
      async () => {
        chmodSync(folder, 0o755);
        const image = put('read-only.img', new Uint8Array(1 << 20));
        chmodSync(image, 0o444);
        const named = new RegExp(`${image}.*permission.*read-?only`);
        await expectRefusal([...bare, '--disk', image, '--net', 'none'], named, user);
        const reader = startCommand(
          ['run', ...bare, '--append', 'x', '--disk', `path=${image},readonly=on`, '--net', 'none'],
          '',
          user,
        );
        while (reader.child.exitCode === null && !openFiles(reader.child.pid!).includes(image))
          await sleep(50);
        expect(reader.errors()).toBe('');
        reader.child.kill('SIGTERM');
        expect(await reader.ended).toBe(143);
      },
      LIMIT_MS,
    );
  },
);
