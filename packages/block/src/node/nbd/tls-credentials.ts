import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { connect, createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { PolyvisorError } from '@polyvisor/contracts';
import type { TlsUpgrade } from './socket-transport.ts';

/** Suites that authenticate by a shared key; without one in the list Node does not try. */
const PSK_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-PSK-CHACHA20-POLY1305',
  'ECDHE-PSK-AES256-CBC-SHA384',
  'ECDHE-PSK-AES128-CBC-SHA256',
  'DHE-PSK-AES256-GCM-SHA384',
  'DHE-PSK-AES128-GCM-SHA256',
  'PSK-AES256-GCM-SHA384',
  'PSK-AES128-GCM-SHA256',
].join(':');

/** What a side proves itself with, and what it trusts. */
export type TlsCredentials =
  | {
      readonly kind: 'x509';
      /** PEM; undefined: the system's authorities (client), nobody (server). */
      readonly ca: string | undefined;
      readonly certificate: string | undefined;
      readonly key: string | undefined;
    }
  | { readonly kind: 'psk'; readonly keys: ReadonlyMap<string, Uint8Array> };

/**
 * Certificates of a folder with the names that QEMU and libnbd use: `ca-cert.pem`, `server-cert.pem` and
 * `server-key.pem`, `client-cert.pem` and `client-key.pem`.
 * @throws PolyvisorError `not-found`, `invalid-argument`
 */
export function loadCertificates(folder: string, role: 'server' | 'client'): TlsCredentials {
  const read = (name: string, needed: boolean): string | undefined => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (cause) {
      if (!needed && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new PolyvisorError('not-found', {
        what: "can't read TLS certificate",
        which: join(folder, name),
        cause,
      });
    }
  };
  const credentials = {
    kind: 'x509',
    ca: read('ca-cert.pem', role === 'client'),
    certificate: read(`${role}-cert.pem`, role === 'server'),
    key: read(`${role}-key.pem`, role === 'server'),
  } as const;
  contextOf(credentials, folder);
  return credentials;
}

/**
 * Keys by user of a file as `psktool` writes it: a line for each, `user:hexadecimal key`.
 * @throws PolyvisorError `not-found`, `invalid-argument`
 */
export function loadPskFile(path: string): TlsCredentials {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PolyvisorError('not-found', { what: "can't read TLS keys", which: path, cause });
  }
  const keys = new Map<string, Uint8Array>();
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.lastIndexOf(':');
    const key = line.slice(colon + 1).trim();
    if (colon < 1 || !/^(?:[\da-f]{2}){1,64}$/i.test(key)) {
      throw new PolyvisorError('invalid-argument', {
        what: 'wrong line in a file of TLS keys',
        which: path,
        hint: 'lines are USER:HEXADECIMAL-KEY, as psktool writes them',
      });
    }
    keys.set(line.slice(0, colon), Buffer.from(key, 'hex'));
  }
  if (keys.size === 0)
    throw new PolyvisorError('invalid-argument', { what: 'no TLS keys in file', which: path });
  return { kind: 'psk', keys };
}

function contextOf(credentials: TlsCredentials, name: string): SecureContext {
  try {
    if (credentials.kind === 'psk')
      return createSecureContext({ minVersion: 'TLSv1.2', ciphers: PSK_CIPHERS });
    const { ca, certificate, key } = credentials;
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (cause) {
    throw new PolyvisorError('invalid-argument', {
      what: "TLS certificates or keys can't be used",
      which: name,
      limit: (cause as Error).message,
      cause,
    });
  }
}

/**
 * TLS on the server's side.
 * @param verifyPeer clients must have a certificate that the folder's authority signed.
 */
export function serverUpgrade(credentials: TlsCredentials, verifyPeer: boolean): TlsUpgrade {
  const secureContext = contextOf(credentials, 'TLS');
  return (socket) =>
    new Promise((resolve, reject) => {
      const secure = new TLSSocket(socket, {
        isServer: true,
        secureContext,
        ...(credentials.kind === 'psk'
          ? {
              ciphers: PSK_CIPHERS,
              pskCallback: (_socket: unknown, identity: string) => credentials.keys.get(identity) ?? null,
            }
          : { requestCert: verifyPeer, rejectUnauthorized: verifyPeer }),
      } as ConstructorParameters<typeof TLSSocket>[1]);
      settle(secure, 'secure', resolve, reject, () => {
        const error = (secure as unknown as { authorizationError?: Error | string }).authorizationError;
        if (!verifyPeer || credentials.kind === 'psk' || isAuthorized(secure)) return undefined;
        return new Error(`client's certificate is not accepted: ${String(error ?? 'none was given')}`);
      });
    });
}

/** `secure` comes before Node's own check on such a socket: what the check finds is asked for. */
function isAuthorized(secure: TLSSocket): boolean {
  const handle = (secure as unknown as { _handle?: { verifyError?: () => Error | null } | null })._handle;
  const certificate = secure.getPeerCertificate();
  const given = typeof certificate === 'object' && Object.keys(certificate).length > 0;
  return given && handle?.verifyError?.() === null;
}

/** How a client uses TLS. */
export interface ClientTls {
  readonly credentials: TlsCredentials;
  /** The server's certificate must be for this name. */
  readonly hostname: string;
  readonly verifyPeer: boolean;
  /** Which shared key is used. */
  readonly username: string;
}

/** TLS on the client's side. @throws PolyvisorError `not-found` (no key for the user) */
export function clientUpgrade({ credentials, hostname, verifyPeer, username }: ClientTls): TlsUpgrade {
  const secureContext = contextOf(credentials, 'TLS');
  const key = credentials.kind === 'psk' ? credentials.keys.get(username) : undefined;
  if (credentials.kind === 'psk' && key === undefined) {
    throw new PolyvisorError('not-found', { what: 'no TLS key for user', which: username });
  }
  return (socket) =>
    new Promise((resolve, reject) => {
      const secure = connect({
        socket,
        secureContext,
        ...(isIP(hostname) === 0 && hostname !== '' ? { servername: hostname } : {}),
        host: hostname,
        rejectUnauthorized: verifyPeer && credentials.kind === 'x509',
        ...(key === undefined
          ? {}
          : {
              ciphers: PSK_CIPHERS,
              pskCallback: () => ({ psk: key, identity: username }),
              checkServerIdentity: () => undefined,
            }),
      });
      settle(secure, 'secureConnect', resolve, reject, () => undefined);
    });
}

function settle(
  secure: TLSSocket,
  event: 'secure' | 'secureConnect',
  resolve: (socket: Socket) => void,
  reject: (error: Error) => void,
  refuse: () => Error | undefined,
): void {
  const fail = (error?: Error): void => {
    secure.off('close', closed);
    // Later errors have no one to tell.
    secure.on('error', () => {});
    secure.destroy();
    reject(error ?? new Error('connection ended'));
  };
  const closed = (): void => fail();
  secure.once('error', fail);
  secure.once('close', closed);
  secure.once(event, () => {
    const error = refuse();
    if (error !== undefined) return fail(error);
    secure.off('error', fail);
    secure.off('close', closed);
    resolve(secure);
  });
}
