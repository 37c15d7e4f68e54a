import { PolyvisorError } from '@polyvisor/contracts';
import type { NinePFidState } from '@polyvisor/proto/state/nine-p';
import { ninePFidState, ninePSessionState } from '@polyvisor/proto/state/nine-p';
import { byteString, bytesOf } from '../codec/fields.ts';
import type { FileNode, FileTree, OpenMode } from '../file-tree.ts';
import { MSIZE_MIN, NOFID } from '../protocol.ts';
import type { FidLimits, LostPlace } from './fid-table.ts';
import { Fid } from './fid-table.ts';
import { checkName, Session } from './session.ts';

/** Bits of `flags` in the saved form. */
const READ = 1;
const WRITE = 2;
const APPEND = 4;
const SYNC_DATA = 8;
const SYNC_ALL = 16;
/** Longest path that is saved: what 16384 fids have fits the limit of a section. What stands deeper is lost. */
const PATH_BYTES = 3072;

/**
 * What the session's client has named and opened, as bytes; as of the requests that have ended. Cost: 0.1 us a fid,
 * since most are as they were the last time.
 */
export function saveSession(session: Session | undefined): Uint8Array {
  const state = ninePSessionState.create();
  if (session === undefined) return ninePSessionState.encode(state);
  state.msize = session.msize;
  const head = ninePSessionState.encode(state);
  const fids = [...session.fids.entries()].sort(([a], [b]) => a - b);
  const parts = fids.map(([number, fid]) => savedFid(session, number, fid));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, head.length));
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One fid, as the encoding of a session that has nothing else. */
function savedFid(session: Session, number: number, fid: Fid): Uint8Array {
  const { saved, mode } = fid;
  if (saved !== undefined && saved.names === session.names && saved.mode === mode) return saved.bytes;
  const state = ninePSessionState.create();
  const empty = ninePSessionState.encode(state).length;
  state.fids = [saveFid([number, fid])];
  const bytes = ninePSessionState.encode(state).subarray(empty);
  fid.saved = { names: session.names, mode, bytes };
  return bytes;
}

function saveFid([number, { node, mode: present, place }]: [number, Fid]): NinePFidState {
  const state = ninePFidState.create();
  state.fid = number;
  const path = node === undefined ? place?.path : node.path()?.join('/');
  const mode = node === undefined ? place?.mode : present;
  const qidPath = node === undefined ? place?.qidPath : node.qid.path;
  state.lost = path === undefined || path.length > PATH_BYTES;
  if (qidPath === undefined || path === undefined || state.lost) return state;
  state.path = bytesOf(path);
  state.qidPath = qidPath;
  state.open = mode !== undefined;
  state.flags = mode === undefined ? 0 : flagsOf(mode);
  return state;
}

function flagsOf({ read, write, append, sync }: OpenMode): number {
  return (
    (read ? READ : 0) |
    (write ? WRITE : 0) |
    (append ? APPEND : 0) |
    (sync === 'data' ? SYNC_DATA : sync === 'all' ? SYNC_ALL : 0)
  );
}

function modeOf(flags: number): OpenMode {
  return {
    read: (flags & READ) !== 0,
    write: (flags & WRITE) !== 0,
    append: (flags & APPEND) !== 0,
    sync: (flags & SYNC_ALL) !== 0 ? 'all' : (flags & SYNC_DATA) !== 0 ? 'data' : 'none',
    truncate: false,
    exclusive: false,
  };
}

/** A session on its way back. */
export interface RestoredSession {
  readonly session: Session;
  /** All objects have been looked up; the number that was not found. Never rejects. */
  readonly found: Promise<number>;
}

/**
 * Starts to look up what a saved session had named.
 * @returns undefined when no version had been agreed on.
 * @throws PolyvisorError `corrupt`.
 */
export function restoreSession(
  saved: Uint8Array,
  tree: FileTree,
  maxMessageBytes: number,
  limits: FidLimits,
): RestoredSession | undefined {
  const state = ninePSessionState.decode(saved);
  if (state.msize === 0 && state.fids.length === 0) return undefined;
  checkState(state.msize, state.fids, maxMessageBytes, limits);
  const session = new Session(tree, state.msize, limits);
  const places = state.fids.map((fid) => {
    session.fids.reserve(fid.fid);
    return restoreFid(session, fid);
  });
  const found = Promise.all(places).then((each) => each.filter((known) => !known).length);
  return { session, found };
}

function checkState(
  msize: number,
  fids: readonly NinePFidState[],
  maxMessageBytes: number,
  limits: FidLimits,
): void {
  const corrupt = (which: string, limit: string): PolyvisorError =>
    new PolyvisorError('corrupt', { what: "saved 9p session doesn't fit this server", which, limit });
  if (msize < MSIZE_MIN || msize > maxMessageBytes)
    throw corrupt(`message size ${msize}`, `${MSIZE_MIN} to ${maxMessageBytes}`);
  if (fids.length > limits.fids) throw corrupt(`${fids.length} fids`, `at most ${limits.fids}`);
  const numbers = new Set(fids.map(({ fid }) => fid));
  if (numbers.size !== fids.length || numbers.has(NOFID)) throw corrupt('fids', 'each once');
  if (fids.filter(({ open }) => open).length > limits.openFiles)
    throw corrupt('open files', `at most ${limits.openFiles}`);
}

/** @returns whether it is the same object again. */
async function restoreFid(session: Session, state: NinePFidState): Promise<boolean> {
  const place = {
    path: byteString(state.path),
    qidPath: state.qidPath,
    mode: state.open ? modeOf(state.flags) : undefined,
  };
  const node = state.lost ? undefined : await findNode(session, place).catch(() => undefined);
  const fid = new Fid(node);
  session.fids.fulfil(state.fid, fid);
  if (node === undefined && !state.lost) fid.place = place;
  if (node === undefined) return false;
  return reopen(session, state.fid, fid, node, place.mode);
}

/**
 * Looks once more for what was lost, at or below a path that has become another one: a request that is done again
 * had renamed it before its server was gone.
 */
export async function findRenamed(session: Session, from: string, to: string): Promise<void> {
  const below = `${from}/`;
  const lost = [...session.fids.entries()].filter(
    ([, { node, place }]) =>
      node === undefined && place !== undefined && (place.path === from || place.path.startsWith(below)),
  );
  await Promise.all(
    lost.map(async ([number, fid]) => {
      if (fid.place === undefined) return;
      const place = { ...fid.place, path: to + fid.place.path.slice(from.length) };
      const node = await findNode(session, place).catch(() => undefined);
      if (node === undefined) return;
      const found = new Fid(node);
      try {
        session.fids.replace(number, fid, found);
      } catch {
        return;
      }
      await reopen(session, number, found, node, place.mode);
    }),
  );
}

async function reopen(
  session: Session,
  number: number,
  fid: Fid,
  node: FileNode,
  mode: OpenMode | undefined,
): Promise<boolean> {
  if (mode === undefined) return true;
  // The table may drop the fid meanwhile.
  node.hold();
  try {
    if (session.tree.readOnly && mode.write) throw new Error('the share is read-only now');
    session.fids.startOpening(fid);
    try {
      session.fids.opened(number, fid, await node.open(mode), mode);
    } catch (error) {
      session.fids.notOpened(number, fid);
      throw error;
    }
    return true;
  } catch {
    fid.node?.release();
    fid.node = undefined;
    return false;
  } finally {
    node.release();
  }
}

async function findNode({ tree }: Session, { path, qidPath }: LostPlace): Promise<FileNode> {
  let node = tree.root;
  node.hold();
  for (const name of path === '' ? [] : path.split('/')) {
    const directory = node;
    try {
      checkName(name);
      node = await directory.lookup(name);
    } finally {
      directory.release();
    }
  }
  if (node.qid.path === qidPath) return node;
  node.release();
  throw new Error('another object has this name now');
}
