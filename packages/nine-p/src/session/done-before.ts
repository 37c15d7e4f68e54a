import type { Qid } from '../codec/fields.ts';
import { EEXIST, ENOENT, ESTALE, errnoOf } from '../errno.ts';
import type { CreatedFile, FileNode, OpenFile, OpenMode } from '../file-tree.ts';
import { S_IFMT, S_IFREG } from '../protocol.ts';
import { findRenamed } from './saved-session.ts';
import type { Operation } from './session.ts';

/*
 * Requests that are done again, because the server that had them is gone: where it had changed something already,
 * the second try fails. If what is there is what the request would have made, it succeeds as the first time would
 * have; else the failure stands.
 */

const PERMISSIONS = 0o7777;

/** After a failed remove. @throws what it failed with, unless it is gone and may be by this request. */
export function removed({ again }: Operation, error: unknown): void {
  const errno = errnoOf(error);
  if (!again || (errno !== ENOENT && errno !== ESTALE)) throw error;
}

/** After a failed rename. @throws what it failed with, unless the source is gone and the target there. */
export async function renamed(
  operation: Operation,
  error: unknown,
  from: FileNode,
  oldName: string,
  target: FileNode,
  newName: string,
): Promise<void> {
  if (!operation.again || errnoOf(error) !== ENOENT) throw error;
  await existing(operation, error, target, newName);
  const [old, present] = [from.path(), target.path()];
  if (old === undefined || present === undefined) return;
  await findRenamed(operation.session, [...old, oldName].join('/'), [...present, newName].join('/'));
}

/** Whether a fid that was lost is what a rename of it would have left. */
export async function renamedFid(
  operation: Operation,
  fid: number,
  target: FileNode,
  name: string,
): Promise<boolean> {
  const { node, place } = operation.session.fids.get(fid);
  const path = target.path();
  if (node !== undefined || place === undefined || path === undefined) return false;
  const found = await existing(operation, undefined, target, name).catch(() => undefined);
  if (found?.qid.path !== place.qidPath) return false;
  await findRenamed(operation.session, place.path, [...path, name].join('/'));
  return true;
}

/** After a failed link. */
export async function madeLink(
  operation: Operation,
  error: unknown,
  directory: FileNode,
  name: string,
  node: FileNode,
): Promise<void> {
  const found = await madeBefore(operation, error, directory, name);
  if (found.qid.path !== node.qid.path) throw error;
}

/** After a failed mkdir. */
export async function madeDirectory(
  operation: Operation,
  error: unknown,
  directory: FileNode,
  name: string,
  permissions: number,
): Promise<Qid> {
  const found = await madeBefore(operation, error, directory, name);
  if (found.kind !== 'directory' || (await found.list()).length > 0) throw error;
  await found.setPermissions(permissions);
  return found.qid;
}

/** After a failed symlink. */
export async function madeSymlink(
  operation: Operation,
  error: unknown,
  directory: FileNode,
  name: string,
  target: string,
): Promise<Qid> {
  const found = await madeBefore(operation, error, directory, name);
  if (found.kind !== 'symlink' || (await found.readLink()) !== target) throw error;
  return found.qid;
}

/** After a failed mknod. */
export async function madeNode(
  operation: Operation,
  error: unknown,
  directory: FileNode,
  name: string,
  mode: number,
): Promise<Qid> {
  const found = await madeBefore(operation, error, directory, name);
  const { mode: present, size } = await found.stat();
  const type = (mode & S_IFMT) === 0 ? S_IFREG : mode & S_IFMT;
  if ((present & S_IFMT) !== type || size !== 0n) throw error;
  await found.setPermissions(mode & PERMISSIONS);
  return found.qid;
}

/** Creates a file that a server before may have created. */
export async function createAgain(
  directory: FileNode,
  name: string,
  mode: OpenMode,
  permissions: number,
): Promise<CreatedFile> {
  try {
    return await directory.create(name, { ...mode, exclusive: true }, permissions);
  } catch (error) {
    if (errnoOf(error) !== EEXIST) throw error;
    const made = await directory.create(name, { ...mode, exclusive: false }, permissions);
    const empty = (await made.node.stat()).size === 0n;
    // It may have been interrupted before it set them.
    if (empty) await made.node.setPermissions(permissions);
    if (empty || !mode.exclusive) return made;
    made.node.release();
    await made.file.release();
    throw error;
  }
}

/**
 * Appends what a server before may have appended, in part or whole, at the end that its client knew.
 * @returns bytes written, as if all had been written now.
 */
export async function appendAgain(
  node: FileNode,
  file: OpenFile,
  offset: number,
  data: Uint8Array,
): Promise<number> {
  const present = new Uint8Array(data.length);
  const reader = await node.open({
    read: true,
    write: false,
    truncate: false,
    append: false,
    sync: 'none',
    exclusive: false,
  });
  let count: number;
  try {
    count = await reader.read(offset, present);
  } finally {
    await reader.release();
  }
  const theirs = present.subarray(0, count).some((byte, index) => byte !== data[index]);
  const done = theirs ? 0 : count;
  if (done === data.length) return done;
  return done + (await file.write(offset + done, data.subarray(done)));
}

async function madeBefore(
  operation: Operation,
  error: unknown,
  directory: FileNode,
  name: string,
): Promise<FileNode> {
  if (!operation.again || errnoOf(error) !== EEXIST) throw error;
  return existing(operation, error, directory, name);
}

async function existing(
  operation: Operation,
  error: unknown,
  directory: FileNode,
  name: string,
): Promise<FileNode> {
  try {
    return operation.adopt(await directory.lookup(name));
  } catch {
    throw error;
  }
}
