import { readFileSync, readdirSync, statSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Libc } from './libc.ts';

/**
 * Bytes of an image that stand for permissions. QEMU locks the same ones, so that each respects the other:
 * a shared lock at HELD + n says "I use n", one at DENIED + n says "nobody else may".
 */
const HELD = 100;
const DENIED = 200;
const CONSISTENT_READ = 0;
const WRITE = 1;
const RESIZE = 3;

/**
 * Locks an open image against use by another VM, in this process or any other. Writers are alone; readers
 * share. The lock belongs to the open file: it goes with the descriptor, however the process ends.
 * @throws PolyvisorError `busy` naming the file and who has it open.
 */
export function lockImage(libc: Libc, fd: number, path: string, readOnly: boolean): void {
  const held = readOnly ? [CONSISTENT_READ] : [CONSISTENT_READ, WRITE, RESIZE];
  const denied = [WRITE, RESIZE];
  // First tell the others, then look: of two that do so at once, at least one sees the other.
  const told = [...held.map((bit) => HELD + bit), ...denied.map((bit) => DENIED + bit)].every((byte) =>
    libc.lockShared(fd, byte),
  );
  const taken = [...held.map((bit) => DENIED + bit), ...denied.map((bit) => HELD + bit)].some((byte) =>
    libc.lockedByOther(fd, byte),
  );
  if (told && !taken) return;
  const holder = findHolder(path);
  throw new PolyvisorError('busy', {
    what: 'disk image is in use',
    which: path,
    ...(holder === undefined ? {} : { limit: `by ${holder}` }),
    hint: readOnly ? 'stop what writes to it' : 'stop the other user or open it read-only in both',
  });
}

/** Who has the file open, as far as this user may know: `process 123 (node)`. */
function findHolder(path: string): string | undefined {
  try {
    const { ino, dev } = statSync(path);
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const own = String(process.pid);
    const others = pids.filter((pid) => pid !== own && hasOpen(pid, ino, dev));
    if (others.length > 0) return others.map((pid) => `process ${pid} (${commandOf(pid)})`).join(', ');
    return hasOpen(own, ino, dev) ? 'this process' : undefined;
  } catch {
    return undefined;
  }
}

function hasOpen(pid: string, ino: number, dev: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => isFile(`/proc/${pid}/fd/${fd}`, ino, dev));
  } catch {
    return false; // another user's process, or gone
  }
}

function isFile(link: string, ino: number, dev: number): boolean {
  try {
    const stat = statSync(link);
    return stat.ino === ino && stat.dev === dev;
  } catch {
    return false;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
