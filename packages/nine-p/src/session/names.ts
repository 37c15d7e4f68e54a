import { EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, EOPNOTSUPP, FileError } from '../errno.ts';
import type { FileNode } from '../file-tree.ts';
import { AT_REMOVEDIR, MAXWELEM, NOFID, TARGET_MAX } from '../protocol.ts';
import {
  madeDirectory,
  madeLink,
  madeNode,
  madeSymlink,
  removed,
  renamed,
  renamedFid,
} from './done-before.ts';
import { Fid } from './fid-table.ts';
import type { Handlers } from './handlers.ts';
import type { Operation } from './session.ts';
import { checkName } from './session.ts';

const PERMISSIONS = 0o7777;

/** Walking the tree, and everything that changes names in it. */
export const nameHandlers = {
  async Tattach(operation, { fid, afid, tree }) {
    const { fids, tree: shared } = operation.session;
    if (afid !== NOFID) throw new FileError(EINVAL);
    if (tree !== '' && tree !== '/') throw new FileError(ENOENT);
    if (operation.again && fids.has(fid)) await fids.drop(fid);
    fids.reserve(fid);
    shared.root.hold();
    fids.fulfil(fid, new Fid(shared.root));
    return { qid: (await shared.root.stat()).qid };
  },

  async Twalk(operation, { fid, newfid, names }) {
    const { fids } = operation.session;
    if (names.length > MAXWELEM) throw new FileError(EINVAL);
    const old = fids.get(fid);
    const start = operation.node(fid);
    if (operation.again && newfid !== fid && fids.has(newfid)) await fids.drop(newfid);
    if (newfid === fid) {
      if (old.opening || old.file !== undefined) throw new FileError(EINVAL);
    } else fids.reserve(newfid);
    try {
      const { node, qids, complete } = await walk(operation, start, names);
      if (complete) {
        node.hold();
        if (newfid === fid) fids.replace(fid, old, new Fid(node));
        else fids.fulfil(newfid, new Fid(node));
      }
      return { qids };
    } finally {
      if (newfid !== fid) fids.forget(newfid);
    }
  },

  async Tclunk({ session, again }, { fid }) {
    if (again && !session.fids.has(fid)) return {};
    await session.fids.drop(fid);
    return {};
  },

  async Tremove(operation, { fid }) {
    const { fids } = operation.session;
    if (operation.again && !fids.has(fid)) return {};
    fids.get(fid);
    try {
      const node = operation.node(fid);
      const { directory, name } = await node.location();
      await operation.adopt(directory).remove(name, node.kind === 'directory');
    } catch (error) {
      removed(operation, error);
    } finally {
      // The fid goes, whatever becomes of the file (Plan 9 manual, remove(5)).
      if (fids.has(fid)) await fids.drop(fid);
    }
    return {};
  },

  async Tunlinkat(operation, { fid, name, flags }) {
    const directory = directoryOf(operation, fid);
    if (name === '.' || name === '..') throw new FileError(EINVAL);
    checkName(name);
    await directory
      .remove(name, (flags & AT_REMOVEDIR) !== 0)
      .catch((error: unknown) => removed(operation, error));
    return {};
  },

  async Trename(operation, { fid, directory, name }) {
    const target = directoryOf(operation, directory);
    checkName(name);
    if (operation.again && (await renamedFid(operation, fid, target, name))) return {};
    const node = operation.node(fid);
    const from = await node.location();
    await operation.adopt(from.directory).rename(from.name, target, name);
    return {};
  },

  async Trenameat(operation, { oldDirectory, oldName, newDirectory, newName }) {
    const from = directoryOf(operation, oldDirectory);
    const target = directoryOf(operation, newDirectory);
    checkName(oldName);
    checkName(newName);
    await from
      .rename(oldName, target, newName)
      .catch((error: unknown) => renamed(operation, error, from, oldName, target, newName));
    return {};
  },

  async Tlink(operation, { directory, fid, name }) {
    const target = directoryOf(operation, directory);
    checkNewName(name);
    const node = operation.node(fid);
    await target.link(node, name).catch((error: unknown) => madeLink(operation, error, target, name, node));
    return {};
  },

  async Tmkdir(operation, { fid, name, mode }) {
    const directory = directoryOf(operation, fid);
    checkNewName(name);
    const permissions = mode & PERMISSIONS;
    const made = directory
      .makeDirectory(name, permissions)
      .catch((error: unknown) => madeDirectory(operation, error, directory, name, permissions));
    return { qid: await made };
  },

  async Tsymlink(operation, { fid, name, target }) {
    const directory = directoryOf(operation, fid);
    checkNewName(name);
    if (target === '' || target.includes('\0')) throw new FileError(target === '' ? ENOENT : EINVAL);
    if (target.length > TARGET_MAX) throw new FileError(ENAMETOOLONG);
    const made = directory
      .makeSymlink(name, target)
      .catch((error: unknown) => madeSymlink(operation, error, directory, name, target));
    return { qid: await made };
  },

  async Tmknod(operation, { fid, name, mode }) {
    const directory = directoryOf(operation, fid);
    checkNewName(name);
    const made = directory
      .makeNode(name, mode)
      .catch((error: unknown) => madeNode(operation, error, directory, name, mode));
    return { qid: await made };
  },

  async Treadlink(operation, { fid }) {
    const node = operation.node(fid);
    if (node.kind !== 'symlink') throw new FileError(EINVAL);
    return { target: await node.readLink() };
  },

  Tauth: unsupported,
  Txattrwalk: unsupported,
  Txattrcreate: unsupported,
} satisfies Partial<Handlers>;

function unsupported(): Promise<never> {
  return Promise.reject(new FileError(EOPNOTSUPP));
}

/** The fid's node, which must be a directory. */
function directoryOf(operation: Operation, fid: number): FileNode {
  const node = operation.node(fid);
  if (node.kind !== 'directory') throw new FileError(ENOTDIR);
  return node;
}

function checkNewName(name: string): void {
  if (name === '.' || name === '..') throw new FileError(EEXIST);
  checkName(name);
}

interface Walked {
  readonly node: FileNode;
  readonly qids: FileNode['qid'][];
  /** All names were found. */
  readonly complete: boolean;
}

/** Goes down name by name. Only a failure of the first one is an error (Plan 9 manual, walk(5)). */
async function walk(operation: Operation, start: FileNode, names: readonly string[]): Promise<Walked> {
  const qids: FileNode['qid'][] = [];
  let node = start;
  for (const name of names) {
    try {
      if (node.kind !== 'directory') throw new FileError(ENOTDIR);
      node = operation.adopt(await step(node, name));
    } catch (error) {
      if (qids.length === 0) throw error;
      return { node, qids, complete: false };
    }
    qids.push(node.qid);
  }
  return { node, qids, complete: true };
}

async function step(node: FileNode, name: string): Promise<FileNode> {
  if (name === '..') return node.parent();
  if (name === '.') {
    node.hold();
    return node;
  }
  checkName(name);
  return node.lookup(name);
}
