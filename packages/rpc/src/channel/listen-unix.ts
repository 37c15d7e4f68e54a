import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { PolyvisorError } from '@polyvisor/contracts';

const answerMs = 1_000;

/**
 * Makes a server listen on a unix socket that only this user may open: mode 0600, in a folder that is made with mode
 * 0700 where it is missing. A socket that nobody answers at, left by a process that died, is replaced.
 * @throws PolyvisorError `busy` when somebody answers there, `permission` for a folder that others may write to,
 * `already-exists` for a file that is no socket, `io`.
 */
export async function listenUnix(server: Server, path: string): Promise<void> {
  const folder = dirname(path);
  try {
    // A confined process can neither make folders nor change modes; the umask has seen to the mode already.
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    checkFolder(folder);
    await bind(server, path).catch(async (error: unknown) => {
      if (!hasCode(error, 'EADDRINUSE')) throw error;
      await removeDead(path);
      await bind(server, path);
    });
    if ((lstatSync(path).mode & 0o777) !== 0o600) chmodSync(path, 0o600);
  } catch (cause) {
    if (cause instanceof PolyvisorError) throw cause;
    const limit = cause instanceof Error ? cause.message : String(cause);
    const code = hasCode(cause, 'EACCES') || hasCode(cause, 'EPERM') ? 'permission' : 'io';
    throw new PolyvisorError(code, { what: "can't listen", which: `unix:${path}`, limit, cause });
  }
}

/** Whoever may write to the folder may put another socket in our place; in a sticky one they can't. */
function checkFolder(folder: string): void {
  const { mode, uid } = statSync(folder);
  const own = process.getuid?.();
  const foreign = own !== undefined && uid !== own && uid !== 0;
  if (!foreign && ((mode & 0o022) === 0 || (mode & 0o1000) !== 0)) return;
  throw new PolyvisorError('permission', {
    what: 'others may write to the folder of a socket',
    which: folder,
    limit: foreign ? `it is user ${uid}'s` : `mode ${(mode & 0o7777).toString(8)}`,
    hint: 'use a folder of your own, with mode 700',
  });
}

/** The socket must not be open to others even between its making and `chmod`. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // A worker can't change it, and its sockets stand in folders of mode 0700.
    const before = isMainThread ? process.umask(0o177) : undefined;
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      if (before !== undefined) process.umask(before);
    }
  });
}

async function removeDead(path: string): Promise<void> {
  if (!lstatSync(path).isSocket()) {
    throw new PolyvisorError('already-exists', { what: "can't listen: no socket", which: path });
  }
  if (await answers(path)) {
    const hint = 'stop the other process, or listen elsewhere';
    throw new PolyvisorError('busy', { what: 'somebody listens there already', which: `unix:${path}`, hint });
  }
  rmSync(path, { force: true });
}

/** Nobody but a dead process's socket refuses. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const done = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(answerMs, () => done(true));
    socket.once('connect', () => done(true));
    socket.once('error', (error) => done(!hasCode(error, 'ECONNREFUSED') && !hasCode(error, 'ENOENT')));
  });
}

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
