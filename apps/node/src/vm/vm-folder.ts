import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { socketPathLimit } from '@polyvisor/rpc/channel';

/** The longest name that is put into such a folder. */
const longestName = 'devices-metrics.sock';

/** A folder for the sockets of one VM, mode 0700. */
export interface VmFolder {
  readonly path: string;
  socket(name: string): string;
  remove(): void;
}

/** Where folders of sockets may be, the best place first. */
function places(): string[] {
  const own = process.env['XDG_RUNTIME_DIR'];
  const root = process.getuid?.() === 0 && existsSync('/run') ? ['/run'] : [];
  return [...(own === undefined ? [] : [own]), ...root, tmpdir(), '/tmp'];
}

/**
 * Makes one where the system keeps what lives as long as processes do.
 * @param owner whose it is to be.
 * @throws what the file system says.
 */
export function createVmFolder(owner: { uid: number; gid: number } | undefined): VmFolder {
  const path = make();
  chmodSync(path, 0o700);
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  return {
    path,
    socket: (name) => join(path, `${name}.sock`),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

function make(): string {
  let failure: unknown;
  for (const place of places()) {
    const prefix = join(place, 'polyvisor-');
    if (Buffer.byteLength(prefix) + 8 + longestName.length > socketPathLimit) continue;
    try {
      mkdirSync(place, { recursive: true });
      return mkdtempSync(prefix);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
