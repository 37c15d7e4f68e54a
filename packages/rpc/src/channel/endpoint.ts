import { resolve } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';

/** Where a service listens. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Bytes of a socket's path: what sockaddr_un of Linux holds, less the final zero. */
export const socketPathLimit = 107;

const tcp = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/;

/**
 * Reads `unix:/path` or `tcp:host:port` (`tcp:[::1]:port`); relative paths are made absolute.
 * @throws PolyvisorError `invalid-argument`, `limit` for a path longer than {@link socketPathLimit}.
 */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith('unix:')) {
    const given = text.slice('unix:'.length);
    if (given === '' || given.includes('\0')) throw malformed(text);
    const path = resolve(given);
    const length = Buffer.byteLength(path);
    if (length > socketPathLimit) {
      throw new PolyvisorError('limit', {
        what: "a socket's path is too long",
        which: path,
        limit: `${length} of at most ${socketPathLimit} bytes`,
        hint: 'put it into a folder with a shorter name',
      });
    }
    return { kind: 'unix', path };
  }
  const found = text.startsWith('tcp:') ? tcp.exec(text.slice('tcp:'.length)) : null;
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  if (host === undefined || !(port <= 65_535)) throw malformed(text);
  return { kind: 'tcp', host, port };
}

/** The text that {@link parseEndpoint} reads. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `tcp:${host}:${endpoint.port}`;
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/**
 * Refuses TCP without TLS, except where it is spelled out and stays on this machine.
 * @throws PolyvisorError `permission`.
 */
export function checkInsecure(endpoint: Endpoint, insecure: boolean): void {
  if (endpoint.kind !== 'tcp' || (insecure && isLoopback(endpoint.host))) return;
  throw new PolyvisorError('permission', {
    what: 'no TCP without TLS',
    which: formatEndpoint(endpoint),
    limit: insecure ? 'insecure is for loopback addresses only' : 'no certificate is given',
    hint: 'make certificates with: polyvisor certs init, polyvisor certs issue',
  });
}

function malformed(text: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', {
    what: "can't understand an endpoint",
    which: text,
    hint: 'write unix:/path or tcp:host:port',
  });
}
