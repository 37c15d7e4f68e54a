import type { TlsFiles } from '@polyvisor/rpc/channel';
import { readNamedFile } from './read-named-file.ts';

/**
 * Reads a folder that `polyvisor certs issue` has made: ca.pem, cert.pem, key.pem.
 * @throws PolyvisorError `not-found`, `permission`.
 */
export function readTlsFolder(folder: string): TlsFiles {
  const hint = 'make certificates with: polyvisor certs init, polyvisor certs issue';
  const read = (name: string): string => readNamedFile(folder, name, "--tls: can't read", hint);
  return { ca: read('ca.pem'), certificate: read('cert.pem'), key: read('key.pem') };
}
