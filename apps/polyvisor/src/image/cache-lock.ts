import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PolyvisorError } from '@polyvisor/contracts';

const POLL_MS = 200;

/**
 * Runs `work` while holding the cache folder's lock, so that two pulls never do the same work at the same time.
 * The lock is SQLite's on an empty database: the kernel releases it when the process dies, so none goes stale.
 * `onWait` is called once when another process holds it. Errors: `busy` after `timeoutMs`; `io` when the folder can't be written.
 */
export async function withCacheLock<T>(
  folder: string,
  work: () => Promise<T>,
  onWait: () => void,
  timeoutMs = 600_000,
): Promise<T> {
  const { DatabaseSync } = await import('node:sqlite');
  let database;
  try {
    mkdirSync(folder, { recursive: true });
    database = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  } catch (error) {
    throw new PolyvisorError('io', {
      what: "can't use the cache folder",
      which: folder,
      limit: (error as Error).message,
      hint: 'set XDG_CACHE_HOME to a writable folder',
      cause: error,
    });
  }
  try {
    const deadline = Date.now() + timeoutMs;
    for (let waited = false; ; waited = true) {
      try {
        database.exec('BEGIN EXCLUSIVE');
        break;
      } catch (error) {
        if (!/locked|busy/i.test((error as Error).message)) throw error;
        if (Date.now() > deadline)
          throw new PolyvisorError('busy', {
            what: 'another process is working in the cache folder',
            which: folder,
            limit: `for more than ${timeoutMs / 1000} s`,
          });
        if (!waited) onWait();
        await sleep(POLL_MS);
      }
    }
    return await work();
  } finally {
    database.close();
  }
}
