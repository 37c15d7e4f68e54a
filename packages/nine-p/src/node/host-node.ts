import { constants, fchmodSync } from 'node:fs';
import type { Qid } from '../codec/fields.ts';
import { byteString, bytesOf } from '../codec/fields.ts';
import * as errno from '../errno.ts';
import { FileError } from '../errno.ts';
import type {
  CreatedFile,
  DirectoryEntry,
  FileAttributes,
  FileKind,
  FileNode,
  Location,
  OpenFile,
  OpenMode,
  TimeChange,
  TreeFigures,
} from '../file-tree.ts';
import * as p from '../protocol.ts';
import { pathIn, pathOf } from './descriptor-path.ts';
import type { HostPath, HostStats } from './files.ts';
import * as files from './files.ts';
import { HostFile } from './host-file.ts';
import type { HostTree } from './host-tree.ts';

/** What a guest may set: never the bits that make a program run as its owner, on a folder of the host. */
const FILE_PERMISSIONS = 0o1777;
const DIRECTORY_PERMISSIONS = 0o3777;
/** Tries of a create whose name comes and goes. */
const CREATE_TRIES = 8;
/** Never waits for the other end of a pipe, never becomes somebody's terminal. */
const CAUTIOUS = constants.O_NONBLOCK | constants.O_NOCTTY;
const UNKNOWN_ENTRY: DirectoryEntry = { qid: { type: p.QTFILE, version: 1, path: 0n }, type: 0 };
const SYNC_FLAGS = { none: 0, data: constants.O_DSYNC, all: constants.O_SYNC } as const;

function kindOf(mode: number): FileKind {
  const type = mode & p.S_IFMT;
  if (type === p.S_IFDIR) return 'directory';
  if (type === p.S_IFREG) return 'file';
  return type === p.S_IFLNK ? 'symlink' : 'special';
}

/**
 * An object of the host, pinned by a descriptor. There is one node for each object and name as long as somebody holds
 * it or something below it, so that a rename reaches everybody who has it.
 */
export class HostNode implements FileNode {
  readonly kind: FileKind;
  readonly #tree: HostTree;
  readonly #fd: number;
  readonly #device: bigint;
  readonly #inode: bigint;
  readonly #type: number;
  /** Attributes are in memory. */
  readonly #local: boolean;
  #qid: Qid;
  #holds = 1;
  /** Held by this node; undefined for the root. */
  #parent: HostNode | undefined;
  #name: string;
  /** It has been seen under its name and not been removed since. */
  #attached = true;
  readonly #children = new Map<string, HostNode>();
  #target: string | undefined;

  /** Takes over the descriptor and the caller's hold of the parent. */
  constructor(
    tree: HostTree,
    fd: number,
    stats: HostStats,
    local: boolean,
    parent: HostNode | undefined,
    name: string,
  ) {
    this.#tree = tree;
    this.#fd = fd;
    this.#device = stats.dev;
    this.#inode = stats.ino;
    this.#type = Number(stats.mode) & p.S_IFMT;
    this.kind = kindOf(this.#type);
    this.#local = local;
    this.#qid = tree.qid(stats);
    this.#parent = parent;
    this.#name = name;
    if (parent !== undefined) parent.#children.set(name, this);
  }

  get qid(): Qid {
    return this.#qid;
  }

  hold(): void {
    this.#holds++;
  }

  release(): void {
    // Not recursive: a guest can nest folders deeper than a stack.
    let node: HostNode | undefined = this as HostNode;
    while (node !== undefined && --node.#holds === 0) {
      const parent: HostNode | undefined = node.#parent;
      const attached = node.#attached;
      node.#detach();
      if (attached) node.#tree.unpin(node.#fd);
      else node.#tree.unpinLater(node.#fd);
      node = parent;
    }
  }

  /** Its name is gone, or another object's now. */
  #detach(): void {
    const parent = this.#parent;
    if (parent === undefined) return;
    if (parent.#children.get(this.#name) === this) parent.#children.delete(this.#name);
    this.#attached = false;
  }

  /** The name stands for nothing that is known here. */
  #forget(name: string): void {
    const node = this.#children.get(name);
    if (node !== undefined) node.#detach();
  }

  /** It has been renamed. */
  #move(parent: HostNode, name: string): void {
    this.#detach();
    // The host may have moved folders so that the new parent stands below this one as far as we know.
    for (let above: HostNode | undefined = parent; above !== undefined; above = above.#parent)
      if (above === this) return;
    parent.hold();
    this.#parent?.release();
    this.#parent = parent;
    this.#name = name;
    this.#attached = true;
    parent.#children.set(name, this);
  }

  #is(stats: HostStats): boolean {
    return stats.ino === this.#inode && stats.dev === this.#device;
  }

  #at(name: string): HostPath {
    return pathIn(this.#fd, name);
  }

  parent(): FileNode {
    const parent = this.#parent ?? this;
    parent.hold();
    return parent;
  }

  path(): readonly string[] | undefined {
    const names: string[] = [];
    for (let node = this as HostNode; node.#parent !== undefined; node = node.#parent) {
      if (!node.#attached) return undefined;
      names.push(node.#name);
    }
    return names.reverse();
  }

  async location(): Promise<Location> {
    const directory = this.#parent;
    if (directory === undefined) throw new FileError(errno.EBUSY);
    if (!this.#attached) throw new FileError(errno.ESTALE);
    const name = this.#name;
    directory.hold();
    try {
      if (!this.#is(await files.statLink(directory.#at(name)))) throw new FileError(errno.ESTALE);
      return { directory, name };
    } catch (error) {
      directory.release();
      throw error;
    }
  }

  async #look(): Promise<HostStats> {
    const stats = await this.#tree.stat(this.#fd, this.#local);
    this.#qid = this.#tree.qid(stats);
    return stats;
  }

  async stat(): Promise<FileAttributes> {
    const stats = await this.#look();
    return {
      qid: this.#qid,
      mode: Number(stats.mode),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      nlink: stats.nlink,
      rdev: stats.rdev,
      size: stats.size,
      blksize: stats.blksize,
      blocks: stats.blocks,
      atimeNs: stats.atimeNs,
      mtimeNs: stats.mtimeNs,
      ctimeNs: stats.ctimeNs,
    };
  }

  async statfs(): Promise<TreeFigures> {
    const { bsize, blocks, bfree, bavail, files: inodes, ffree } = await files.statTree(pathOf(this.#fd));
    return { bsize: Number(bsize), blocks, bfree, bavail, files: inodes, ffree };
  }

  async lookup(name: string): Promise<HostNode> {
    let fd: number;
    try {
      fd = await this.#tree.pin(this.#fd, name, this.#local);
    } catch (error) {
      if (errno.errnoOf(error) === errno.ENOENT) this.#forget(name);
      throw error;
    }
    return this.#adopt(name, fd);
  }

  /** Makes a node of a descriptor that pins what the name stands for, or finds the one that is there already. */
  async #adopt(name: string, fd: number): Promise<HostNode> {
    try {
      const stats = await this.#tree.stat(fd, this.#local);
      const local = stats.dev === this.#device ? this.#local : await this.#tree.enter(fd);
      // Nothing is awaited from here on: nobody can come between.
      const known = this.#children.get(name);
      if (known !== undefined && known.#is(stats)) {
        known.#qid = this.#tree.qid(stats);
        known.hold();
        this.#tree.unpin(fd);
        return known;
      }
      this.#forget(name);
      const node = new HostNode(this.#tree, fd, stats, local, this, name);
      this.hold();
      return node;
    } catch (error) {
      this.#tree.unpin(fd);
      throw error;
    }
  }

  async list(): Promise<readonly string[]> {
    const names = await files.readNames(pathOf(this.#fd));
    return names.map((name) => byteString(name)).sort();
  }

  async entry(name: string): Promise<DirectoryEntry | undefined> {
    try {
      const stats = await files.statLink(this.#at(name));
      return { qid: this.#tree.qid(stats), type: (Number(stats.mode) & p.S_IFMT) >> 12 };
    } catch (error) {
      // A folder may be readable and yet its objects out of reach.
      return errno.errnoOf(error) === errno.ENOENT ? undefined : UNKNOWN_ENTRY;
    }
  }

  async open(mode: OpenMode): Promise<OpenFile> {
    this.#checkOpenable(mode);
    const flags = this.kind === 'directory' ? constants.O_RDONLY | constants.O_DIRECTORY : openFlags(mode);
    const truncate = mode.truncate && this.kind === 'file' ? constants.O_TRUNC : 0;
    const quick = this.#local && truncate === 0;
    const fd = quick
      ? this.#tree.openPinned(this.#fd, flags | CAUTIOUS)
      : await this.#tree.open(pathOf(this.#fd), flags | truncate | CAUTIOUS);
    return new HostFile(this.#tree, fd, mode.write, quick);
  }

  #checkOpenable({ write, truncate }: OpenMode): void {
    if (this.kind === 'symlink') throw new FileError(errno.ELOOP);
    if (this.kind === 'special') throw new FileError(errno.EACCES);
    if (this.kind === 'directory' && (write || truncate)) throw new FileError(errno.EISDIR);
  }

  async create(name: string, mode: OpenMode, permissions: number): Promise<CreatedFile> {
    for (let tries = CREATE_TRIES; tries > 0; tries--) {
      try {
        return await this.#createNew(name, mode, permissions & FILE_PERMISSIONS);
      } catch (error) {
        if (mode.exclusive || errno.errnoOf(error) !== errno.EEXIST) throw error;
      }
      try {
        const node = await this.lookup(name);
        try {
          return { node, file: await node.open(mode) };
        } catch (error) {
          node.release();
          throw error;
        }
      } catch (error) {
        if (errno.errnoOf(error) !== errno.ENOENT) throw error;
      }
    }
    throw new FileError(errno.EBUSY);
  }

  /** Only ever makes a new file: opening what is there could wake a device. */
  async #createNew(name: string, mode: OpenMode, permissions: number): Promise<CreatedFile> {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | openFlags(mode);
    const fd = await this.#tree.open(this.#at(name), flags, permissions);
    const file = new HostFile(this.#tree, fd, mode.write, this.#local);
    try {
      // The host's umask took some away; the guest has applied its own.
      if (this.#local) fchmodSync(fd, permissions);
      else await files.changeFileMode(fd, permissions);
      return { node: await this.#adopt(name, this.#tree.pinAgain(fd)), file };
    } catch (error) {
      await file.release();
      throw error;
    }
  }

  async makeDirectory(name: string, permissions: number): Promise<Qid> {
    await files.makeDirectory(this.#at(name), permissions & DIRECTORY_PERMISSIONS);
    const node = await this.lookup(name);
    try {
      if (node.kind === 'directory') await node.setPermissions(permissions);
      return node.qid;
    } finally {
      node.release();
    }
  }

  async makeSymlink(name: string, target: string): Promise<Qid> {
    await files.makeSymlink(Buffer.from(bytesOf(target)), this.#at(name));
    return this.#qidOf(name);
  }

  async makeNode(name: string, mode: number): Promise<Qid> {
    const type = mode & p.S_IFMT;
    const permissions = mode & FILE_PERMISSIONS;
    if (type === p.S_IFREG || type === 0) {
      const exclusive = { read: false, write: true, truncate: false, append: false, sync: 'none' } as const;
      const { node, file } = await this.#createNew(name, { ...exclusive, exclusive: true }, permissions);
      const { qid } = node;
      node.release();
      await file.release();
      return qid;
    }
    const { libc } = this.#tree;
    if (libc === undefined || (type !== p.S_IFIFO && type !== p.S_IFSOCK)) throw new FileError(errno.EPERM);
    const path = this.#at(name);
    const failure = libc.makeNode(typeof path === 'string' ? bytesOf(path) : path, type | permissions);
    if (failure !== 0) throw new FileError(failure);
    const node = await this.lookup(name);
    try {
      // The host's umask took some away.
      if (node.kind === 'special') await node.setPermissions(permissions);
      return node.qid;
    } finally {
      node.release();
    }
  }

  async #qidOf(name: string): Promise<Qid> {
    return this.#tree.qid(await files.statLink(this.#at(name)));
  }

  async link(node: FileNode, name: string): Promise<void> {
    const { directory, name: oldName } = await node.location();
    try {
      // link(2) gives a link itself a further name; it doesn't follow it.
      if (!(directory instanceof HostNode)) throw new FileError(errno.EINVAL);
      await files.makeLink(directory.#at(oldName), this.#at(name));
    } finally {
      directory.release();
    }
  }

  async rename(name: string, directory: FileNode, newName: string): Promise<void> {
    if (!(directory instanceof HostNode)) throw new FileError(errno.EINVAL);
    await files.renameFile(this.#at(name), directory.#at(newName));
    const node = this.#children.get(name);
    if (node !== undefined && node === directory.#children.get(newName)) return;
    directory.#forget(newName);
    if (node !== undefined) node.#move(directory, newName);
  }

  async remove(name: string, directory: boolean): Promise<void> {
    await (directory ? files.removeDirectory : files.removeFile)(this.#at(name));
    this.#forget(name);
  }

  async readLink(): Promise<string> {
    if (this.#target !== undefined) return this.#target;
    const { directory, name } = await this.location();
    try {
      if (!(directory instanceof HostNode)) throw new FileError(errno.EINVAL);
      // A link's target never changes while it lives.
      this.#target = byteString(await files.readLinkTarget(directory.#at(name)));
      return this.#target;
    } finally {
      directory.release();
    }
  }

  #checkNoDevice(): void {
    const pipeOrSocket = this.#type === p.S_IFIFO || this.#type === p.S_IFSOCK;
    if (this.kind === 'special' && !pipeOrSocket) throw new FileError(errno.EPERM);
  }

  async setPermissions(permissions: number): Promise<void> {
    if (this.kind === 'symlink') throw new FileError(errno.EOPNOTSUPP);
    this.#checkNoDevice();
    const allowed = this.kind === 'directory' ? DIRECTORY_PERMISSIONS : FILE_PERMISSIONS;
    await files.changeMode(pathOf(this.#fd), permissions & allowed);
  }

  async setSize(size: number): Promise<void> {
    if (this.kind !== 'file') throw new FileError(errno.EINVAL);
    const fd = await this.#tree.open(pathOf(this.#fd), constants.O_WRONLY | CAUTIOUS);
    const file = new HostFile(this.#tree, fd, true, false);
    try {
      await file.setSize(size);
    } finally {
      await file.release();
    }
  }

  async setTimes(atime: TimeChange, mtime: TimeChange): Promise<void> {
    this.#checkNoDevice();
    const { libc } = this.#tree;
    if (libc !== undefined) {
      const failure = libc.setTimes(pathOf(this.#fd), atime, mtime);
      if (failure !== 0) throw new FileError(failure);
      return;
    }
    const stats = await this.#look();
    const now = Date.now() / 1000;
    const seconds = (change: TimeChange, present: bigint): number =>
      change === 'now' ? now : Number(change === 'keep' ? present : change) / 1e9;
    await files.changeTimes(pathOf(this.#fd), seconds(atime, stats.atimeNs), seconds(mtime, stats.mtimeNs));
  }
}

function openFlags({ read, write, append, sync }: OpenMode): number {
  const access = read ? (write ? constants.O_RDWR : constants.O_RDONLY) : constants.O_WRONLY;
  return access | (append ? constants.O_APPEND : 0) | SYNC_FLAGS[sync];
}
