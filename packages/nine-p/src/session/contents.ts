import type { Qid } from '../codec/fields.ts';
import { FieldWriter } from '../codec/fields.ts';
import { EFBIG, EINVAL, EISDIR, ELOOP, ENOTDIR, EACCES, EROFS, FileError } from '../errno.ts';
import type { FileNode, OpenMode } from '../file-tree.ts';
import * as p from '../protocol.ts';
import { appendAgain, createAgain } from './done-before.ts';
import { firstBehind, listNames } from './directory-offsets.ts';
import type { ListedNames } from './directory-offsets.ts';
import type { Handlers } from './handlers.ts';
import type { Fid } from './fid-table.ts';
import type { Operation } from './session.ts';
import { checkName } from './session.ts';

const PERMISSIONS = 0o7777;
/** Objects of a directory that are looked at together. */
const LOOKAHEAD = 64;
/** DT_DIR of readdir(3). */
const DIRECTORY_TYPE = 4;

/** Opening, reading and writing files and directories. */
export const contentHandlers = {
  async Tlopen(operation, { fid: number, flags }) {
    const { fids, tree } = operation.session;
    const fid = fids.get(number);
    const node = operation.node(number);
    const mode = openMode(flags);
    if (operation.again && fid.file !== undefined) return { qid: node.qid, iounit: 0 };
    if (tree.readOnly && (mode.write || mode.truncate)) throw new FileError(EROFS);
    checkOpenable(node, mode, flags);
    fids.startOpening(fid);
    try {
      fids.opened(number, fid, await node.open(mode), mode);
    } catch (error) {
      fids.notOpened(number, fid);
      throw error;
    }
    return { qid: node.qid, iounit: 0 };
  },

  async Tlcreate(operation, { fid: number, name, flags, mode: permissions }) {
    const { fids } = operation.session;
    const fid = fids.get(number);
    const directory = operation.node(number);
    checkName(name);
    if (operation.again && fid.file !== undefined && directory.path()?.at(-1) === name)
      return { qid: directory.qid, iounit: 0 };
    if (directory.kind !== 'directory') throw new FileError(ENOTDIR);
    const mode = openMode(flags);
    fids.startOpening(fid);
    try {
      const { node, file } = operation.again
        ? await createAgain(directory, name, mode, permissions & PERMISSIONS)
        : await directory.create(name, mode, permissions & PERMISSIONS);
      const { qid } = node;
      fids.opened(number, fid, file, mode, node);
      return { qid, iounit: 0 };
    } catch (error) {
      fids.notOpened(number, fid);
      throw error;
    }
  },

  async Tread(operation, { fid, offset, count }) {
    const room = dataRoom(operation, count);
    const length = await operation.file(fid).read(fileOffset(offset), room);
    return { data: room.subarray(0, length) };
  },

  async Twrite(operation, { fid, offset, data }) {
    const at = fileOffset(offset);
    if (at + data.length > Number.MAX_SAFE_INTEGER) throw new FileError(EFBIG);
    const file = operation.file(fid);
    const appends = operation.again && operation.session.fids.get(fid).mode?.append === true;
    const count = appends ? appendAgain(operation.node(fid), file, at, data) : file.write(at, data);
    return { count: await count };
  },

  async Tfsync(operation, { fid, datasync }) {
    const { file } = operation.session.fids.get(fid);
    if (file === undefined) throw new FileError(EINVAL);
    await operation.holdFile(file).sync(datasync !== 0);
    return {};
  },

  async Treaddir(operation, { fid: number, offset, count }) {
    const { fids } = operation.session;
    const fid = fids.get(number);
    const node = operation.node(number);
    if (node.kind !== 'directory') throw new FileError(ENOTDIR);
    if (fid.file === undefined) throw new FileError(EINVAL);
    const names = await namesOf(operation, fid, node, offset);
    const room = dataRoom(operation, count);
    const length = await fillEntries(operation, node, names, Number(offset), room);
    if (length === 0) fids.dropNames(fid);
    return { data: room.subarray(0, length) };
  },
} satisfies Partial<Handlers>;

function openMode(flags: number): OpenMode {
  const access = flags & p.O_ACCMODE;
  if (access === p.O_ACCMODE) throw new FileError(EINVAL);
  return {
    read: access !== p.O_WRONLY,
    write: access !== p.O_RDONLY,
    truncate: (flags & p.O_TRUNC) !== 0,
    append: (flags & p.O_APPEND) !== 0,
    sync: (flags & p.O_SYNC) !== 0 ? 'all' : (flags & p.O_DSYNC) !== 0 ? 'data' : 'none',
    exclusive: (flags & p.O_EXCL) !== 0,
  };
}

function checkOpenable({ kind }: FileNode, mode: OpenMode, flags: number): void {
  if (kind === 'symlink') throw new FileError(ELOOP);
  if (kind === 'special') throw new FileError(EACCES);
  if (kind === 'directory' && (mode.write || mode.truncate)) throw new FileError(EISDIR);
  if (kind === 'file' && (flags & p.O_DIRECTORY) !== 0) throw new FileError(ENOTDIR);
}

function fileOffset(offset: bigint): number {
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new FileError(EINVAL);
  return Number(offset);
}

/** Where the reply's data goes: at most what the client asked for and the message may hold. */
function dataRoom({ session, reply }: Operation, count: number): Uint8Array {
  const limit = Math.min(session.msize, reply.length) - p.DATA_HEADER_BYTES;
  return reply.subarray(p.DATA_HEADER_BYTES, p.DATA_HEADER_BYTES + Math.min(count, Math.max(0, limit)));
}

/** The fid's names. Offset 0 reads them anew; so does an offset whose names were given up meanwhile. */
async function namesOf(operation: Operation, fid: Fid, node: FileNode, offset: bigint): Promise<ListedNames> {
  if (offset > 0n && fid.names !== undefined) return fid.names;
  const names = listNames(await node.list());
  // Unless it was clunked meanwhile.
  if (fid.node !== undefined) operation.session.fids.keepNames(fid, names);
  return names;
}

/** Writes whole entries behind offset `after`. */
async function fillEntries(
  operation: Operation,
  node: FileNode,
  { names, offsets }: ListedNames,
  after: number,
  room: Uint8Array,
): Promise<number> {
  const writer = new FieldWriter(room, 0);
  let next = firstBehind(offsets, after);
  while (next < names.length) {
    const batch = fitting(names, next, room.length - writer.position);
    if (batch.length === 0) {
      if (writer.position === 0) throw new FileError(EINVAL);
      break;
    }
    const entries = await Promise.all(batch.map((name) => entryOf(operation, node, name)));
    for (const [index, entry] of entries.entries()) {
      const offset = offsets[next++]!;
      if (entry === undefined) continue;
      writer.qid(entry.qid);
      writer.u64(BigInt(offset));
      writer.u8(entry.type);
      writer.string(batch[index]!);
    }
  }
  return writer.position;
}

function fitting(names: readonly string[], start: number, room: number): readonly string[] {
  let end = start;
  let bytes = 0;
  while (end < names.length && end - start < LOOKAHEAD) {
    bytes += p.ENTRY_BYTES + names[end]!.length;
    if (bytes > room) break;
    end++;
  }
  return names.slice(start, end);
}

function entryOf(
  operation: Operation,
  node: FileNode,
  name: string,
): Promise<{ qid: Qid; type: number } | undefined> {
  if (name === '.') return Promise.resolve({ qid: node.qid, type: DIRECTORY_TYPE });
  if (name === '..')
    return Promise.resolve({ qid: operation.adopt(node.parent()).qid, type: DIRECTORY_TYPE });
  return node.entry(name);
}
