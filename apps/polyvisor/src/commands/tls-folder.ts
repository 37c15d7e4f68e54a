import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import type { TlsFiles } from '@polyvisor/rpc/channel';
import { hostReason } from '../settings/host-reason.ts';

/**
 * Reads a folder that `polyvisor certs issue` has made: ca.pem, cert.pem, key.pem.
 * @throws PolyvisorError `not-found`, `permission`.
 */
export function readTlsFolder(folder: string): TlsFiles {
  const read = (name: string): string => {
    const path = join(folder, name);
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'not-found' : 'permission';
      throw new PolyvisorError(code, {
        what: "--tls: can't read",
        which: path,
        limit: hostReason(cause),
        hint: 'make certificates with: polyvisor certs init, polyvisor certs issue',
        cause,
      });
    }
  };
  return { ca: read('ca.pem'), certificate: read('cert.pem'), key: read('key.pem') };
}
