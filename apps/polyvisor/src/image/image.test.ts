import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { startFakeMirror, type FakeMirror } from '../../test/fake-mirror.ts';
import { createHttpClient, type HttpClient } from '../debian/http-client.ts';
import { findPackage } from '../debian/packages-index.ts';
import { parseRelease, unverified, verifyInRelease } from '../debian/release.ts';
import { readModuleInfo } from '../debian/kernel-module.ts';
import { cacheFolder } from './cache-folder.ts';
import { withCacheLock } from './cache-lock.ts';
import { parseImageName } from './image-name.ts';
import { createImageStore, type ImageStore } from './image-store.ts';
import { pullImage } from './pull-image.ts';

const NAME = parseImageName('debian:trixie/riscv64');
let mirror: FakeMirror;
let folder: string;
let store: ImageStore;
let client: HttpClient;
let notes: string[];

beforeEach(async () => {
  mirror = await startFakeMirror();
  folder = mkdtempSync(join(tmpdir(), 'polyvisor-'));
  store = createImageStore(folder);
  client = createHttpClient({ http_proxy: '' }, 1);
  notes = [];
});

afterEach(() => {
  client.close();
  mirror.close();
  rmSync(folder, { recursive: true });
});

const progress = { note: (line: string) => void notes.push(line), stage: () => ({ report() {}, end() {} }) };
const pull = (name = NAME, force = false) =>
  pullImage(name, { mirror: mirror.url, allowUnsigned: true, force }, store, client, progress);
const tree = () => readdirSync(folder, { recursive: true }).map(String).sort();

describe('pull', () => {
  test('an image is built, listed, found up to date, and removed', async () => {
    const { manifest, changed } = await pull();
    expect(changed).toBe(true);
    expect(manifest.packages.map(({ name }) => name)).toEqual([
      'linux-image-6.12.0-riscv64',
      'busybox-static',
      'opensbi',
    ]);
    expect(readFileSync(store.path(manifest.files.kernel!), 'utf8')).toBe('kernel image');
    expect(readFileSync(store.path(manifest.files.fw_dynamic!), 'utf8')).toBe('fw_dynamic');
    expect(store.read(NAME)).toEqual(manifest);
    expect(readdirSync(store.downloads)).toEqual([]);
    expect((await pull()).changed).toBe(false);
    expect((await pull(NAME, true)).changed).toBe(true);
    expect(store.remove(NAME)).toBe(true);
    expect(readdirSync(join(folder, 'blobs'))).toEqual([]);
    expect(store.remove(NAME)).toBe(false);
  });

  (spawnSync('cpio', ['--version']).status === 0 ? test : test.skip)(
    'the initramfs holds the program, scripts and wanted modules with their needs',
    async () => {
      const { manifest } = await pull();
      const input = readFileSync(store.path(manifest.files.initrd!));
      const list = spawnSync('cpio', ['-it', '--quiet'], { input, encoding: 'utf8' }).stdout.split('\n');
      expect(list).toEqual(
        expect.arrayContaining(['init', 'bin/busybox', 'dev/console', 'etc/udhcpc/default.script']),
      );
      const modules = list.filter((path) => path.endsWith('.ko')).map((path) => path.replace(/^.*\//, ''));
      expect(modules.sort()).toEqual(['failover.ko', 'virtio_mmio.ko', 'virtio_net.ko']);
      for (const path of list.filter((path) => path.includes('/')))
        expect(list).toContain(path.replace(/\/[^/]*$/, ''));
      const content = (path: string) =>
        spawnSync('cpio', ['-i', '--quiet', '--to-stdout', path], { input, encoding: 'utf8' }).stdout;
      expect(content('lib/modules/6.12.0-riscv64/modules.dep')).toContain(
        'kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko\n',
      );
      expect(content('lib/modules/6.12.0-riscv64/modules.alias')).toBe(
        'alias virtio:d00000001v* virtio_net\n',
      );
      writeFileSync(join(folder, 'init'), content('init'));
      expect(spawnSync('sh', ['-n', join(folder, 'init')], { encoding: 'utf8' }).stderr).toBe('');
    },
  );

  test('firmware alone', async () => {
    const { manifest } = await pull(parseImageName('opensbi:trixie/riscv64'));
    expect(Object.keys(manifest.files)).toEqual(['fw_jump', 'fw_dynamic']);
    expect(mirror.requests.some((path) => path.includes('linux'))).toBe(false);
  });

  test('unsigned content is told loudly', async () => {
    expect((await pull()).manifest.trust).toBe('checksums-only');
    expect(notes.join()).toContain('signature was NOT checked');
  });

  test.each(['linux-image-6.12.0-riscv64', 'busybox-static', 'opensbi'])(
    'a changed package %s is refused, and no image appears',
    async (name) => {
      const path = `/debian/pool/main/${name}_1_riscv64.deb`;
      mirror.files.set(path, Buffer.concat([mirror.files.get(path)!.subarray(0, -1), Buffer.from('!')]));
      await expect(pull()).rejects.toThrow('downloaded file has a wrong checksum');
      expect(store.list()).toEqual([]);
      expect(tree().filter((path) => path.startsWith('blobs/'))).toEqual([]);
    },
  );

  test('a failure keeps the image of before', async () => {
    const before = (await pull()).manifest;
    mirror.files.delete('/debian/pool/main/opensbi_1_riscv64.deb');
    await expect(pull(NAME, true)).rejects.toMatchObject({ code: 'not-found' });
    expect(store.read(NAME)).toEqual(before);
  });

  test('another suite under the same name is refused', async () => {
    const path = '/debian/dists/trixie/InRelease';
    mirror.files.set(
      path,
      Buffer.from(mirror.files.get(path)!.toString().replace('trixie', 'forky').replace('stable', 'testing')),
    );
    await expect(pull()).rejects.toThrow('the mirror serves another suite: trixie (it says forky)');
  });

  test('an image with a damaged file says so, and a pull mends it', async () => {
    const { manifest } = await pull();
    truncateSync(store.path(manifest.files.kernel!), 3);
    expect(() => store.read(NAME)).toThrow('3 bytes instead of 12');
    expect((await pull()).changed).toBe(true);
    expect(store.read(NAME)).toBeDefined();
  });
});

describe('the lock', () => {
  const script = `import { withCacheLock } from '${join(import.meta.dirname, 'cache-lock.ts')}';
await withCacheLock(process.argv[1], async () => { console.log('held'); await new Promise((r) => setTimeout(r, 60_000)); }, () => {});`;

  test('one at a time; a dead holder holds nothing', async () => {
    const child = spawn(
      process.execPath,
      ['--conditions=@polyvisor/source', '--input-type=module-typescript', '-e', script, folder],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    let waited = 0;
    await expect(
      withCacheLock(
        folder,
        async () => 1,
        () => waited++,
        100,
      ),
    ).rejects.toMatchObject({ code: 'busy' });
    expect(waited).toBe(1);
    const later = withCacheLock(
      folder,
      async () => 2,
      () => {},
    );
    await sleep(50);
    child.kill('SIGKILL');
    expect(await later).toBe(2);
  });

  test('a folder that can not be made', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(
      withCacheLock(
        join(folder, 'file/x'),
        async () => 1,
        () => {},
      ),
    ).rejects.toThrow("can't use the cache folder");
  });
});

describe('trust', () => {
  const inRelease = () => mirror.files.get('/debian/dists/trixie/InRelease')!;

  test('text of a clear-signed file', () => {
    const { text, trust } = unverified(inRelease(), 'why');
    expect(parseRelease(text)).toMatchObject({ codename: 'trixie', byHash: true });
    expect(trust).toEqual({ kind: 'checksums-only', reason: 'why' });
  });

  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const canVerify = existsSync(keyring) && spawnSync('gpgv', ['--version']).status === 0;
  (canVerify ? test : test.skip)(
    'a file without a good signature is refused (gpgv, debian-archive-keyring)',
    () => {
      expect(() => verifyInRelease(inRelease(), keyring)).toThrow('no known key signed');
    },
  );
});

test('image names', () => {
  expect(parseImageName('opensbi:sid/riscv64')).toEqual({
    kind: 'opensbi',
    suite: 'sid',
    architecture: 'riscv64',
  });
  expect(() => parseImageName('debian:bookworm/riscv64')).toThrow('suites: trixie, forky, sid');
  expect(() => parseImageName('debian:trixie/amd64')).toThrow('architectures: riscv64');
  fc.assert(fc.property(fc.string(), (text) => expect(() => parseImageName(text)).toThrow('unknown image')));
});

test('cache folder', () => {
  expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/polyvisor');
  expect(cacheFolder({ XDG_CACHE_HOME: 'relative' })).toMatch(/\/\.cache\/polyvisor$/);
});

test('records of an index that could lead astray are refused', () => {
  const index = (filename: string) =>
    Buffer.from(
      `Package: xa\nVersion: 1\n\nPackage: a\nVersion: 2\nFilename: ${filename}\nSize: 5\nSHA256: ${'0'.repeat(64)}\n`,
    );
  expect(findPackage(index('pool/a.deb'), 'a')).toMatchObject({ version: '2', size: 5 });
  expect(() => findPackage(index('../../etc/passwd'), 'a')).toThrow('broken record');
  expect(() => findPackage(index('pool/a.deb'), 'b')).toThrow("package is not in the mirror's index: b");
});

test('any bytes are a module or refused', () => {
  mkdirSync(join(folder, 'x'));
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), fc.boolean(), (bytes, elf) => {
      if (elf) bytes.set(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1).subarray(0, bytes.length));
      expect(() => readModuleInfo(bytes)).toThrow('not a kernel module');
    }),
  );
});
