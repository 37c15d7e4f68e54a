import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import type { Qid } from '../codec/fields.ts';
import { EACCES, EMFILE, FileError } from '../errno.ts';
import type { FileTree } from '../file-tree.ts';
import { QTDIR, QTFILE, QTSYMLINK, S_IFDIR, S_IFLNK, S_IFMT } from '../protocol.ts';
import { pathIn, pathOf } from './descriptor-path.ts';
import type { HostPath, HostStats } from './files.ts';
import { closeFile, openFile, statFile, statTree } from './files.ts';
import { KERNEL_FILE_SYSTEMS, LOCAL_FILE_SYSTEMS } from './file-systems.ts';
import { HostNode } from './host-node.ts';
import type { Libc } from './libc.ts';
import { openLibc } from './libc.ts';

export interface HostFolderOptions {
  /** A folder; what it is itself reached by may contain links. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Descriptors that all its objects and open files may take. Default: half of what the process may have. */
  readonly maxDescriptors?: number;
  /** False does without calls that Node lacks: slower, times rounded, no pipes and sockets made. Default true. */
  readonly ffi?: boolean;
}

/** Pins an object without opening it (open(2)): nothing is read, no device or pipe notices. The same on all hosts. */
export const O_PATH = 0o10000000;
/** Bits of a qid's path that hold the inode number; the rest tell file systems apart. */
const INODE_BITS = 48n;
const FILE_SYSTEMS_LIMIT = 1 << 15;
/** Set in paths that are given out in order, for what doesn't fit otherwise. */
const NUMBERED = 1n << 63n;
const NUMBERED_LIMIT = 1 << 20;
const FEWEST_DESCRIPTORS = 64;

/**
 * Opens a folder of this host for serving. Every object is pinned by a descriptor and reached through it, one name
 * at a time, never through a link: docs/design/0002-folder-sharing.md.
 * @throws PolyvisorError `not-found`, `permission`, `invalid-argument` (no folder), `unsupported` (no Linux, no /proc).
 */
export async function openHostFolder(
  options: HostFolderOptions,
  { logger = silentLogger }: { readonly logger?: Logger } = {},
): Promise<FileTree> {
  const { path } = options;
  if (process.platform !== 'linux') {
    throw new PolyvisorError('unsupported', { what: 'folders can be shared on Linux only', which: path });
  }
  const fd = await openFile(path, O_PATH | constants.O_DIRECTORY).catch((error: unknown) => {
    throw openError(path, error);
  });
  try {
    const figures = await statTree(pathOf(fd)).catch((cause: unknown) => {
      throw new PolyvisorError('unsupported', {
        what: "can't share a folder",
        which: path,
        limit: '/proc is not mounted',
        cause,
      });
    });
    const type = Number(BigInt.asUintN(32, figures.type));
    if (KERNEL_FILE_SYSTEMS.has(type)) {
      throw new PolyvisorError('invalid-argument', {
        what: "can't share a folder",
        which: path,
        limit: "it is the kernel's own view, not files",
      });
    }
    const wanted = options.ffi ?? true;
    const libc = wanted ? openLibc() : undefined;
    if (wanted && libc === undefined)
      logger.warn({ path }, 'shared folder: no libc; times are rounded to microseconds');
    return new HostTree(options, fd, await statFile(fd), LOCAL_FILE_SYSTEMS.has(type), libc);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openError(path: string, cause: unknown): PolyvisorError {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  const parts = { what: "can't share a folder", which: path, cause };
  if (code === 'ENOENT') return new PolyvisorError('not-found', { ...parts, limit: 'there is none' });
  if (code === 'ENOTDIR') return new PolyvisorError('invalid-argument', { ...parts, limit: 'not a folder' });
  if (code === 'EACCES') return new PolyvisorError('permission', { ...parts, limit: 'not allowed' });
  return new PolyvisorError('io', { ...parts, limit: String(code) });
}

/** A shared folder of the host. */
export class HostTree implements FileTree {
  readonly readOnly: boolean;
  readonly root: HostNode;
  readonly libc: Libc | undefined;
  readonly #limit: number;
  #descriptors = 1;
  /** File systems by device number: their place in qids. */
  readonly #fileSystems = new Map<bigint, bigint>();
  readonly #numbered = new Map<string, bigint>();

  constructor(
    options: HostFolderOptions,
    fd: number,
    stats: HostStats,
    local: boolean,
    libc: Libc | undefined,
  ) {
    this.readOnly = options.readOnly;
    this.libc = libc;
    this.#limit = options.maxDescriptors ?? Math.max(FEWEST_DESCRIPTORS, Math.floor(descriptorLimit() / 2));
    this.root = new HostNode(this, fd, stats, local, undefined, '');
  }

  /** Descriptors in use. */
  get descriptors(): number {
    return this.#descriptors;
  }

  count(): void {
    if (this.#descriptors >= this.#limit) throw new FileError(EMFILE);
    this.#descriptors++;
  }

  uncount(): void {
    this.#descriptors--;
  }

  /** Opens a path that begins at a descriptor. The descriptor is counted. */
  async open(path: HostPath, flags: number, mode?: number): Promise<number> {
    this.count();
    try {
      return await openFile(path, flags, mode);
    } catch (error) {
      this.uncount();
      throw error;
    }
  }

  /** Pins what a name in a directory stands for, itself and not what it points to. Counted. */
  pin(directory: number, name: string, local: boolean): Promise<number> | number {
    if (local && this.libc !== undefined) {
      this.count();
      const fd = this.libc.pinCached(directory, name);
      if (fd !== undefined && fd >= 0) return fd;
      this.uncount();
      if (fd !== undefined) throw new FileError(-fd);
    }
    return this.open(pathIn(directory, name), O_PATH | constants.O_NOFOLLOW);
  }

  /** Opens a local file that is pinned: at once, since it is in memory. Counted. */
  openPinned(fd: number, flags: number): number {
    this.count();
    try {
      return openSync(pathOf(fd), flags);
    } catch (error) {
      this.uncount();
      throw error;
    }
  }

  /** Pins the object behind another descriptor: at once, since it is in memory. Counted. */
  pinAgain(fd: number): number {
    return this.openPinned(fd, O_PATH);
  }

  /** Closes a descriptor that only pins: at once, since nothing is behind it. */
  unpin(fd: number): void {
    this.uncount();
    closeSync(fd);
  }

  /** Closes a descriptor on another thread: the last one of a removed file gives its space back. Never fails. */
  unpinLater(fd: number): void {
    this.uncount();
    closeFile(fd).catch(() => {});
  }

  stat(fd: number, local: boolean): Promise<HostStats> | HostStats {
    return local ? fstatSync(fd, { bigint: true }) : statFile(fd);
  }

  /** Looks at a file system when it is entered. @returns whether it is local. */
  async enter(fd: number): Promise<boolean> {
    const type = Number(BigInt.asUintN(32, (await statTree(pathOf(fd))).type));
    if (KERNEL_FILE_SYSTEMS.has(type)) throw new FileError(EACCES);
    return LOCAL_FILE_SYSTEMS.has(type);
  }

  qid(stats: HostStats): Qid {
    const kind = Number(stats.mode) & S_IFMT;
    return {
      type: kind === S_IFDIR ? QTDIR : kind === S_IFLNK ? QTSYMLINK : QTFILE,
      // Clients take 0 for a file without a version, whose contents they must not keep.
      version: Number(BigInt.asUintN(32, (stats.mtimeNs >> 2n) ^ (stats.size << 8n))) | 0 || 1,
      path: this.#qidPath(stats),
    };
  }

  #qidPath({ dev, ino }: HostStats): bigint {
    let index = this.#fileSystems.get(dev);
    if (index === undefined && this.#fileSystems.size < FILE_SYSTEMS_LIMIT) {
      index = BigInt(this.#fileSystems.size);
      this.#fileSystems.set(dev, index);
    }
    if (index !== undefined && ino >> INODE_BITS === 0n) return (index << INODE_BITS) | ino;
    const key = `${dev}:${ino}`;
    let number = this.#numbered.get(key);
    if (number === undefined) {
      if (this.#numbered.size >= NUMBERED_LIMIT) throw new FileError(EMFILE);
      number = NUMBERED | BigInt(this.#numbered.size);
      this.#numbered.set(key, number);
    }
    return number;
  }

  close(): Promise<void> {
    this.root.release();
    return Promise.resolve();
  }
}

/** Descriptors that this process may have. */
function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024);
}
