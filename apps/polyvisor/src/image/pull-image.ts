import { rmSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import { readDeb, type DebEntry } from '../archive/deb.ts';
import { decodeXzBytes } from '../archive/decode-xz.ts';
import { openSuite, type OpenedSuite } from '../debian/archive-client.ts';
import type { HttpClient } from '../debian/http-client.ts';
import { moduleNameOfPath, readModuleInfo } from '../debian/kernel-module.ts';
import { stripModule } from '../debian/strip-module.ts';
import { closeOverDependencies, type KernelModule } from '../debian/module-set.ts';
import { findDependency, type PackageRecord } from '../debian/packages-index.ts';
import { buildInitramfs } from './build-initramfs.ts';
import { formatImageName, type ImageName } from './image-name.ts';
import type { ImageFileKey, ImageManifest, ImageStore, StoredFile } from './image-store.ts';
import type { Progress } from './progress.ts';

/** Raise it when the same packages give another image (scripts, modules, layout). */
export const RECIPE = 7;

/** In this order, each with what it depends on; those that a kernel has built in are left out. */
const MODULES = [
  'virtio_mmio',
  'virtio_blk',
  'virtio_net',
  'virtio_rng',
  'virtio_balloon',
  '9pnet_virtio',
  '9p',
  'crc32c_generic',
  'ext4',
  'overlay',
];

// The .bin files: OpenSBI 1.6's ELF files are linked to address 0.
const OPENSBI_FOLDER = 'usr/lib/riscv64-linux-gnu/opensbi/generic';

export interface PullOptions {
  readonly mirror: string;
  readonly keyring?: string;
  readonly allowUnsigned: boolean;
  /** Build again even when nothing changed. */
  readonly force: boolean;
}

/** What a pull did. */
export interface PullResult {
  readonly manifest: ImageManifest;
  readonly changed: boolean;
}

/**
 * Brings an image into the store, or finds that the store has its newest packages already. Call under the cache lock.
 * Errors: those of {@link openSuite}; `corrupt` when a package lacks what it should hold. Nothing half-made stays visible.
 */
export async function pullImage(
  name: ImageName,
  options: PullOptions,
  store: ImageStore,
  client: HttpClient,
  progress: Progress,
): Promise<PullResult> {
  store.collectGarbage();
  const stage = progress.stage('package index');
  const suite = await openSuite(
    {
      ...options,
      suite: name.suite,
      architecture: name.architecture,
      downloads: store.downloads,
      report: stage.report,
    },
    client,
  ).finally(stage.end);
  if (suite.trust.kind === 'checksums-only') {
    progress.note(
      `warning: the mirror's signature was NOT checked (${suite.trust.reason}); only checksums from the mirror itself protect this image`,
    );
  } else {
    progress.note(`signed by ${suite.trust.signer}`);
  }
  const records = choosePackages(name, suite);
  const before = options.force ? undefined : readSound(store, name);
  if (before !== undefined && isSame(before, records)) return { manifest: before, changed: false };

  const packages = new Map<string, string>();
  for (const [role, record] of Object.entries(records)) {
    const bar = progress.stage(`${record.name.slice(0, 20)} ${record.version.slice(0, 7)}`);
    packages.set(role, await suite.fetch(record, bar.report).finally(bar.end));
  }
  const firmware = await readFirmware(packages.get('opensbi')!);
  const files: Partial<Record<ImageFileKey, StoredFile>> = {
    fw_jump: store.put(firmware.jump),
    fw_dynamic: store.put(firmware.dynamic),
  };
  if (name.kind === 'debian') {
    progress.note('unpacking the kernel and building the initramfs');
    const kernel = await readKernel(packages.get('kernel')!);
    const busybox = await readBusybox(packages.get('busybox')!);
    files.kernel = store.put(kernel.image);
    files.initrd = store.put(buildInitramfs({ ...kernel, busybox }));
  }
  const manifest: ImageManifest = {
    format: 1,
    recipe: RECIPE,
    name: formatImageName(name),
    trust: suite.trust.kind,
    trustDetail: suite.trust.kind === 'signature' ? suite.trust.signer : suite.trust.reason,
    mirror: options.mirror,
    pulledAt: new Date().toISOString(),
    packages: Object.values(records).map(({ name, version, sha256 }) => ({ name, version, sha256 })),
    append: 'quiet',
    files,
  };
  store.publish(name, manifest);
  store.collectGarbage();
  for (const path of packages.values()) rmSync(path, { force: true });
  return { manifest, changed: true };
}

function choosePackages(name: ImageName, suite: OpenedSuite): Record<string, PackageRecord> {
  const opensbi = suite.find('opensbi');
  if (name.kind === 'opensbi') return { opensbi };
  const kernel = suite.find(findDependency(suite.find('linux-image-riscv64'), /^linux-image-\d/));
  return { kernel, busybox: suite.find('busybox-static'), opensbi };
}

function readSound(store: ImageStore, name: ImageName): ImageManifest | undefined {
  try {
    return store.read(name);
  } catch {
    // Damaged: pulled again.
    return undefined;
  }
}

function isSame(manifest: ImageManifest, records: Record<string, PackageRecord>): boolean {
  const wanted = Object.values(records).map(({ sha256 }) => sha256);
  return (
    manifest.recipe === RECIPE &&
    manifest.packages.length === wanted.length &&
    manifest.packages.every(({ sha256 }, i) => sha256 === wanted[i])
  );
}

async function readFirmware(path: string): Promise<{ jump: Uint8Array; dynamic: Uint8Array }> {
  const entries = await readDeb(path, (file) => file.startsWith(`${OPENSBI_FOLDER}/`));
  return {
    jump: fileOf(entries, `${OPENSBI_FOLDER}/fw_jump.bin`, path),
    dynamic: fileOf(entries, `${OPENSBI_FOLDER}/fw_dynamic.bin`, path),
  };
}

async function readBusybox(path: string): Promise<Uint8Array> {
  const entries = await readDeb(path, (file) => /^(usr\/)?bin\/busybox$/.test(file));
  return fileOf(entries, /busybox$/, path);
}

async function readKernel(
  path: string,
): Promise<{ image: Uint8Array; kernelVersion: string; modules: KernelModule[] }> {
  const isModule = /^(?:usr\/)?lib\/modules\/([^/]+)\/(.*\.ko(?:\.xz)?)$/;
  // Names alone can't tell which modules the wanted ones need, so the small ones are all kept (compressed) until that is known.
  const entries = await readDeb(
    path,
    (file) =>
      file.startsWith('boot/vmlinu') ||
      (isModule.test(file) &&
        /\/(drivers\/(virtio|block|net|char\/hw_random)|net\/(9p|core)|fs|lib|crypto|arch\/riscv)\//.test(
          file,
        )),
  );
  const image = fileOf(entries, /^boot\/vmlinu[xz]-/, path);
  const compressed = new Map<string, DebEntry>();
  let kernelVersion = '';
  for (const entry of entries) {
    const match = isModule.exec(entry.path);
    if (match === null) continue;
    kernelVersion = match[1]!;
    compressed.set(moduleNameOfPath(entry.path), entry);
  }
  const modules = closeOverDependencies(MODULES, (name) => {
    const entry = compressed.get(name);
    if (entry === undefined) return undefined;
    const data = entry.path.endsWith('.xz') ? decodeXzBytes(entry.data) : entry.data;
    return {
      path: isModule.exec(entry.path)![2]!.replace(/\.xz$/, ''),
      info: readModuleInfo(data),
      data: stripModule(data),
    };
  });
  return { image, kernelVersion, modules };
}

function fileOf(entries: readonly DebEntry[], path: string | RegExp, archive: string): Uint8Array {
  const entry = entries.find((candidate) =>
    typeof path === 'string' ? candidate.path === path : path.test(candidate.path),
  );
  if (entry === undefined || entry.data.length === 0)
    throw new PolyvisorError('corrupt', {
      what: 'package lacks an expected file',
      which: `${archive}: ${String(path)}`,
    });
  return entry.data;
}
