import { writeCpio, type CpioEntry } from '../archive/cpio.ts';
import { formatModulesAlias, formatModulesDep, type KernelModule } from '../debian/module-set.ts';
import { ETC_FILES, INIT_SCRIPT, UDHCPC_SCRIPT } from './guest-scripts.ts';

/** What goes into the default initramfs. */
export interface InitramfsParts {
  readonly busybox: Uint8Array;
  readonly kernelVersion: string;
  /** Each after what it depends on. */
  readonly modules: readonly KernelModule[];
}

const FOLDERS = [
  'bin',
  'dev',
  'etc',
  'etc/udhcpc',
  'lib',
  'lib/modules',
  'mnt',
  'newroot',
  'proc',
  'root',
  'run',
  'sbin',
  'sys',
  'tmp',
  'usr',
  'usr/bin',
  'usr/sbin',
];

/**
 * Builds the initramfs. It is not compressed: the guest unpacks a plain archive in a fraction of the instructions
 * that gzip would cost it, and the host reads the file from its page cache.
 */
export function buildInitramfs({ busybox, kernelVersion, modules }: InitramfsParts): Uint8Array {
  const moduleRoot = `lib/modules/${kernelVersion}`;
  const moduleFolders = [...new Set(modules.flatMap(({ path }) => parentFolders(`${moduleRoot}/${path}`)))]
    .filter((folder) => !FOLDERS.includes(folder))
    .sort();
  const entries: CpioEntry[] = [
    ...FOLDERS.map((path): CpioEntry => ({ type: 'directory', path, mode: path === 'tmp' ? 0o1777 : 0o755 })),
    // The kernel opens these before /init can mount anything.
    { type: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { type: 'device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    { type: 'file', path: 'bin/busybox', mode: 0o755, data: busybox },
    { type: 'symlink', path: 'bin/sh', target: 'busybox' },
    { type: 'symlink', path: 'etc/mtab', target: '../proc/mounts' },
    text('init', INIT_SCRIPT, 0o755),
    text('etc/udhcpc/default.script', UDHCPC_SCRIPT, 0o755),
    ...Object.entries(ETC_FILES).map(([path, content]) => text(path, content, 0o644)),
    ...moduleFolders.map((path): CpioEntry => ({ type: 'directory', path, mode: 0o755 })),
    ...modules.map(({ path, data }): CpioEntry => ({
      type: 'file',
      path: `${moduleRoot}/${path}`,
      mode: 0o644,
      data,
    })),
    text(`${moduleRoot}/modules.dep`, formatModulesDep(modules), 0o644),
    text(`${moduleRoot}/modules.alias`, formatModulesAlias(modules), 0o644),
  ];
  return writeCpio(entries);
}

function text(path: string, content: string, mode: number): CpioEntry {
  return { type: 'file', path, mode, data: new TextEncoder().encode(content) };
}

function parentFolders(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
