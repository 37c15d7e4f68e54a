import { afterAll, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createImage, openImage } from '../../src/index.ts';
import { NODE_DRIVERS } from '../../src/node/index.ts';

const PASSWORD = 'open sesame';
const environment = {
  drivers: NODE_DRIVERS,
  secrets: new Map([['s', new TextEncoder().encode(PASSWORD)]]),
};
const folder = mkdtempSync(join(tmpdir(), 'luks-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input });
  if (status === 0) return stdout;
  throw new Error(`${program}: ${stderr}${stdout}`);
}

const SECRET = ['--object', `secret,id=s,data=${PASSWORD}`];
const CASES = [
  { format: 'luks', prefix: '' },
  { format: 'qcow2', prefix: 'encrypt.' },
];

/** QEMU measures processor time and gives up where there is too little of it. */
function createTheirs(file: string, format: string, options: string): void {
  for (let tries = 0; ; tries++) {
    try {
      run('qemu-img', ['create', '-q', '-f', format, ...SECRET, '-o', options, file, '4M']);
      return;
    } catch (error) {
      if (tries === 8) throw error;
    }
  }
}

describeWith({ programs: ['qemu-img', 'qemu-io'] }, 'LUKS beside QEMU', () => {
  const io = (file: string, format: string, prefix: string, ...commands: string[]): string =>
    run('qemu-io', [
      ...SECRET,
      '--image-opts',
      `driver=${format},${prefix}key-secret=s,file.filename=${file}`,
      ...commands.flatMap((command) => ['-c', command]),
    ]);

  test.each(
    CASES.flatMap((each) =>
      [
        '',
        ',cipher-alg=aes-128,hash-alg=sha1',
        ',cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256',
        ',hash-alg=sha512',
      ].map((options) => ({ ...each, options })),
    ),
  )(
    '$format $options',
    async ({ format, prefix, options }) => {
      const given = `${format === 'qcow2' ? ',format=luks' : ''},key-secret=s,iter-time=20${options}`
        .slice(1)
        .split(',')
        .map((option) => prefix + option);
      const theirs = join(folder, `theirs.${format}`);
      createTheirs(theirs, format, given.join(','));
      io(theirs, format, prefix, 'write -P 0x5a 1000 70000', 'write -P 0x77 3M 512');
      const opening = { readOnly: false, format, values: { [`${prefix}key-secret`]: 's' } };
      const read = await openImage(theirs, opening, environment);
      const bytes = new Uint8Array(70_000);
      await read.read(1000, bytes);
      expect(bytes.every((byte) => byte === 0x5a)).toBe(true);
      await read.write(2_000_001, new Uint8Array(3000).fill(0x33));
      await read.close();
      expect(
        io(theirs, format, prefix, 'read -P 0x33 2000001 3000', 'read -P 0x5a 1000 70000'),
      ).not.toContain('fail');

      const ours = join(folder, `ours.${format}`);
      const values = Object.fromEntries(given.map((option) => option.split('=') as [string, string]));
      await createImage(ours, { format, size: 4 * 2 ** 20, values }, environment);
      io(ours, format, prefix, 'write -P 0x21 5000 1234');
      const node = await openImage(ours, opening, environment);
      await node.read(5000, bytes.subarray(0, 1234));
      expect(bytes.subarray(0, 1234).every((byte) => byte === 0x21)).toBe(true);
      await node.close();
    },
    60_000,
  );
});

describeWith({ programs: ['cryptsetup'] }, 'LUKS beside cryptsetup', () => {
  test('it reads our header and takes the password', async () => {
    const image = join(folder, 'disk.luks');
    const values = { 'key-secret': 's', 'iter-time': 20 };
    await createImage(image, { format: 'luks', size: 2 ** 20, values }, environment);
    const dump = run('cryptsetup', ['luksDump', image]);
    expect(dump).toMatch(/Cipher mode:\s+xts-plain64/);
    expect(dump).toMatch(/Key Slot 0: ENABLED/);
    const key = join(folder, 'key');
    writeFileSync(key, PASSWORD);
    run('cryptsetup', ['open', '--test-passphrase', '--key-file', key, image]);
  }, 60_000);

  test('its header opens here', async () => {
    const image = join(folder, 'theirs.luks');
    const key = join(folder, 'key2');
    writeFileSync(key, PASSWORD);
    run('truncate', ['-s', '4M', image]);
    run('cryptsetup', ['luksFormat', '-q', '--type', 'luks1', '--iter-time', '20', '--key-file', key, image]);
    const opening = { readOnly: true, values: { 'key-secret': 's' } };
    const node = await openImage(image, opening, environment);
    expect(node.size).toBe(2 * 2 ** 20);
    await node.close();
  }, 60_000);
});
