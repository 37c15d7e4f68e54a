import { close, constants, fstat, open, read, readlink, realpath, stat } from 'node:fs';
import type { Stats } from 'node:fs';
import { sep } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import { DirectChannel } from './direct-channel.ts';
import { BufferedChannel } from './file-channel.ts';
import { openError } from './file-errors.ts';
import { FileNode } from './file-node.ts';
import { lockImage } from './image-lock.ts';
import type { Libc } from './libc.ts';
import { openLibc } from './libc.ts';

/** How the host's page cache is used: QEMU's words. */
export type CacheMode = 'writeback' | 'writethrough' | 'none' | 'directsync' | 'unsafe';

/** What to open, and how. */
export interface OpenFileOptions {
  /** A regular file or a block device. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Reads beyond the end give zeroes, writes there make it longer. Format drivers want it. */
  readonly growable?: boolean;
  /** Default `writeback`. `none` and `directsync` read and write past the host's page cache. */
  readonly cache?: CacheMode;
  /** Discards become holes. Default true. */
  readonly discard?: boolean;
  /** No lock is taken, and others' are not looked at. */
  readonly shared?: boolean;
  /** Makes it if it isn't there; what is there is thrown away, once it is locked. */
  readonly create?: boolean;
  /** Short writes are done at once on this thread: faster, but now and then one waits for the host's disk. */
  readonly immediateWrites?: boolean;
  /** Must lie below it, links resolved. */
  readonly allowedFolder?: string;
  readonly logger?: Logger;
}

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);
const statDescriptor = promisify(fstat) as (fd: number) => Promise<Stats>;
const statPath = promisify(stat) as (path: string) => Promise<Stats>;
const readDescriptor = promisify(read);

const DIRECT_ALIGNMENTS = [512, 4096];
const NEW_FILE_MODE = 0o644;

/**
 * Opens and locks a file or block device: one writer or many readers, QEMU's users count.
 * @throws PolyvisorError `not-found`, `permission` (also: outside the allowed folder), `invalid-argument` (a directory,
 * a pipe), `busy` (somebody else uses it).
 */
export async function openFileNode(options: OpenFileOptions): Promise<FileNode> {
  const { path, readOnly, logger = silentLogger } = options;
  const direct = options.cache === 'none' || options.cache === 'directsync';
  const libc = openLibc();
  if (direct && libc === undefined) {
    throw new PolyvisorError('unsupported', { what: 'no direct IO on this system', which: path });
  }
  // Opening a pipe would wait for its other end.
  await statPath(path).then(
    (found) => checkKind(path, found),
    (error: unknown) => {
      if (options.create !== true) throw openError(path, readOnly, error);
    },
  );
  if (options.create === true) await checkAllowed(options, undefined);
  const flags =
    (readOnly ? constants.O_RDONLY : constants.O_RDWR) |
    (options.create === true ? constants.O_CREAT : 0) |
    (direct ? constants.O_DIRECT : 0);
  const fd = await openDescriptor(path, flags, NEW_FILE_MODE).catch((error: unknown) => {
    throw openError(path, readOnly, error);
  });
  try {
    const found = await statDescriptor(fd);
    checkKind(path, found);
    await checkAllowed(options, fd);
    if (options.shared !== true) {
      if (libc === undefined) logger.warn({ path }, 'this system has no file locks for disk images');
      else lockImage(libc, fd, path, readOnly);
    }
    const device = found.isBlockDevice();
    const size = device ? deviceSize(path, fd, libc) : found.size;
    const node = new FileNode({
      fd,
      path,
      size,
      readOnly,
      growable: (options.growable ?? false) && !device,
      device,
      channel:
        direct && libc !== undefined
          ? new DirectChannel(fd, libc, await directAlignment(path, fd, libc))
          : new BufferedChannel(fd, libc, options.immediateWrites ?? false),
      libc,
      sync: SYNC[options.cache ?? 'writeback'],
      unmap: options.discard ?? true,
    });
    if (options.create === true && !device) await node.resize(0, { shrink: true });
    return node;
  } catch (error) {
    await closeDescriptor(fd);
    throw error;
  }
}

const SYNC = {
  writeback: 'flush',
  none: 'flush',
  writethrough: 'every-write',
  directsync: 'every-write',
  unsafe: 'never',
} as const;

function checkKind(path: string, found: Stats): void {
  if (found.isFile() || found.isBlockDevice()) return;
  throw new PolyvisorError('invalid-argument', {
    what: "can't use as a disk image",
    which: path,
    limit: found.isDirectory() ? 'it is a directory' : 'it is no regular file',
    hint: 'give the path of an image file',
  });
}

/** Looks at the file that is open, not at what its name says by now. */
async function checkAllowed(options: OpenFileOptions, fd: number | undefined): Promise<void> {
  const { path, allowedFolder } = options;
  if (allowedFolder === undefined) return;
  const folder = await promisify(realpath)(allowedFolder).catch((error: unknown) => {
    throw openError(allowedFolder, true, error);
  });
  const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '.';
  const actual =
    fd === undefined
      ? await promisify(realpath)(parent).catch(() => parent)
      : await promisify(readlink)(`/proc/self/fd/${fd}`).catch(() => promisify(realpath)(path));
  if (actual === folder || actual.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return;
  throw new PolyvisorError('permission', {
    what: 'disk image lies outside the allowed folder',
    which: path,
    limit: allowedFolder,
  });
}

function deviceSize(path: string, fd: number, libc: Libc | undefined): number {
  const size = libc?.sizeOf(fd) ?? -1;
  if (size >= 0) return size;
  throw new PolyvisorError('unsupported', { what: "can't tell the device's size", which: path });
}

/** The smallest unit that this file takes; asked by trying. */
async function directAlignment(path: string, fd: number, libc: Libc): Promise<number> {
  const room = new Uint8Array(8192);
  const skip = (4096 - libc.misalignment(room, 4096)) % 4096;
  for (const alignment of DIRECT_ALIGNMENTS) {
    const done = await readDescriptor(fd, room, skip, alignment, 0).then(
      () => true,
      () => false,
    );
    if (done) return alignment;
  }
  throw new PolyvisorError('unsupported', {
    what: 'this file system has no direct IO',
    which: path,
    hint: 'use cache=writeback',
  });
}
