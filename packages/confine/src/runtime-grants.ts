import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { FS, type PathRule } from './landlock.ts';

const READ = FS.readFile | FS.readDir;

/** What Node and libc read of a running system. */
const SYSTEM: readonly string[] = [
  ...['/etc/ld.so.cache', '/etc/localtime', '/usr/share/zoneinfo', '/etc/ssl/openssl.cnf', '/usr/lib/ssl'],
  ...['/proc/meminfo', '/proc/cpuinfo', '/proc/stat', '/proc/loadavg', '/proc/uptime', '/proc/version'],
  ...['/proc/sys/vm/overcommit_memory', '/proc/sys/kernel/osrelease', '/proc/sys/net/core/somaxconn'],
  ...['/sys/devices/system/cpu', '/sys/kernel/mm/transparent_hugepage', '/sys/fs/cgroup'],
  ...['/dev/urandom', '/dev/random', '/dev/zero'],
];

/** What turns host names into addresses. */
const NAME_SERVICE: readonly string[] = [
  ...['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf', '/etc/host.conf', '/etc/gai.conf'],
  ...['/etc/services', '/etc/protocols', '/run/systemd/resolve', '/etc/ssl/certs'],
];

/**
 * What every Node process needs besides its task: its own program and libraries, the program text, a few public files
 * of the system, and /proc/self. Looks at the calling process, which must be of the same Node as the confined one.
 * @param nameService With what DNS needs.
 */
export function runtimeGrants(program: readonly string[], nameService: boolean): PathRule[] {
  const mapped = mappedFiles();
  const loaders = mapped.filter((path) => /\/ld-[^/]*\.so[^/]*$/.test(path));
  const libc = mapped.find((path) => /\/libc[.-][^/]*$/.test(path));
  const readable = [
    ...mapped,
    // What libc loads later: name services, character sets.
    ...(libc === undefined ? [] : [dirname(libc)]),
    ...program,
    ...nativePackages(mapped),
    ...SYSTEM,
    ...(nameService ? NAME_SERVICE : []),
    // Compiled scripts, never written: one process could have another run its code.
    ...(process.env['NODE_COMPILE_CACHE'] === undefined ? [] : [process.env['NODE_COMPILE_CACHE']]),
  ];
  return [
    ...readable.map((path) => ({ path, rights: READ, optional: true })),
    ...[process.execPath, ...loaders].map((path) => ({ path, rights: READ | FS.execute, optional: true })),
    { path: '/dev/null', rights: FS.readFile | FS.writeFile, optional: true },
    { path: '/proc/self', rights: READ, optional: true },
  ];
}

/**
 * Where the program text of a script is, for `ConfinementPolicy.program`: the bundle's folder and the package.json that
 * says how to read it, or, for a script run from its source, the workspace.
 */
export function programFolders(script: string): string[] {
  const folder = dirname(script);
  if (!script.endsWith('.ts')) {
    const manifest = nearest(folder, 'package.json');
    return manifest === undefined ? [folder] : [folder, manifest];
  }
  const workspace = nearest(folder, 'pnpm-workspace.yaml');
  return [workspace === undefined ? folder : dirname(workspace)];
}

/** Path of a file of that name in a folder or the closest one above it. */
function nearest(start: string, name: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, name);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Files that are part of this process: Node, libc, libstdc++, their loader, koffi. */
function mappedFiles(): string[] {
  const paths = new Set<string>();
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const at = line.indexOf('/');
    const path = line.slice(at);
    if (at > 0 && !path.startsWith('/memfd:') && !path.endsWith(' (deleted)')) paths.add(path);
  }
  return [...paths];
}

/** koffi is never bundled: its script and its prebuilt library stand in packages of their own, linked or side by side. */
function nativePackages(mapped: readonly string[]): string[] {
  const scripts = createRequire(import.meta.url).resolve('koffi');
  return [scripts, ...mapped.filter((path) => path.endsWith('.node'))].map((path) => {
    const manifest = nearest(dirname(path), 'package.json');
    return dirname(manifest ?? path);
  });
}
