import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import { hostReason } from '../settings/host-reason.ts';

/**
 * Text of a file that a command expects in a folder; `what` and `hint` are for who gave the folder.
 * @throws PolyvisorError `not-found`, `permission`.
 */
export function readNamedFile(folder: string, name: string, what: string, hint: string): string {
  const path = join(folder, name);
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'not-found' : 'permission';
    throw new PolyvisorError(code, { what, which: path, limit: hostReason(cause), hint, cause });
  }
}
