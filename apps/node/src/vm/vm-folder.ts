import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { socketPathLimit } from '@polyvisor/rpc/channel';
import { beganAt } from './process-table.ts';

/** The longest name that is put into such a folder. */
const longestName = 'devices-metrics.sock';

/** A folder for the sockets of one VM, mode 0700. */
export interface VmFolder {
  readonly path: string;
  socket(name: string): string;
  /** It belongs to that user from now on. */
  giveTo(owner: { readonly uid: number; readonly gid: number }): void;
  remove(): void;
}

/** Where folders of sockets may be, the best place first. */
function places(): string[] {
  const own = process.env['XDG_RUNTIME_DIR'];
  const root = process.getuid?.() === 0 && existsSync('/run') ? ['/run'] : [];
  return [...(own === undefined ? [] : [own]), ...root, tmpdir(), '/tmp'];
}

/** Name of the file that says whose it is: number of the supervisor, and when that began. */
const ownerFile = 'supervisor';

/**
 * Makes one where the system keeps what lives as long as processes do. Those that supervisors have left who were
 * killed are removed.
 * @throws what the file system says.
 */
export function createVmFolder(): VmFolder {
  const path = make();
  chmodSync(path, 0o700);
  writeFileSync(join(path, ownerFile), `${process.pid} ${beganAt(process.pid) ?? ''}`);
  return {
    path,
    socket: (name) => join(path, `${name}.sock`),
    giveTo: ({ uid, gid }) => chownSync(path, uid, gid),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

function sweep(place: string): void {
  for (const name of readdirSync(place)) {
    if (!/^polyvisor-[A-Za-z0-9]{6}$/.test(name)) continue;
    try {
      const [pid, began] = readFileSync(join(place, name, ownerFile), 'utf8').split(' ');
      if (beganAt(Number(pid)) !== began) rmSync(join(place, name), { recursive: true, force: true });
    } catch {
      // Not ours, or just being made.
    }
  }
}

function make(): string {
  let failure: unknown;
  for (const place of places()) {
    const prefix = join(place, 'polyvisor-');
    if (Buffer.byteLength(prefix) + 8 + longestName.length > socketPathLimit) continue;
    try {
      mkdirSync(place, { recursive: true });
      sweep(place);
      return mkdtempSync(prefix);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
