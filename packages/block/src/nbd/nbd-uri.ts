import { PolyvisorError } from '@polyvisor/contracts';
import { NBD_PORT } from './nbd-protocol.ts';

/** Where an NBD server is. */
export type NbdAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** An export of a server, and how it is reached. */
export interface NbdTarget {
  readonly address: NbdAddress;
  readonly exportName: string;
  /** The URI asks for TLS. */
  readonly tls: boolean;
  readonly tlsHostname?: string;
  readonly tlsVerifyPeer?: boolean;
  /** Folder with certificates, named as in libnbd. */
  readonly tlsCertificates?: string;
  readonly tlsPskFile?: string;
  /** From the URI's user. */
  readonly tlsUsername?: string;
}

const SCHEME = /^(nbds?)(\+unix|\+tcp)?:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i;
const PARAMETERS = new Set([
  'socket',
  'tls-type',
  'tls-hostname',
  'tls-verify-peer',
  'tls-certificates',
  'tls-psk-file',
]);

/**
 * Takes an NBD URI apart: `nbd://host:port/export`, `nbd+unix:///export?socket=PATH`, and `nbds` for TLS
 * (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md); also QEMU's older `nbd:unix:PATH` and
 * `nbd:host:port`, each with `:exportname=NAME`.
 * @throws PolyvisorError `invalid-argument`
 */
export function parseNbdUri(text: string): NbdTarget {
  const found = SCHEME.exec(text);
  if (found === null) return parseOldForm(text);
  const [, scheme, transport = '', authority = '', path = '', query = ''] = found;
  const parameters = parseQuery(query, text);
  const tls = scheme!.toLowerCase() === 'nbds';
  const socket = parameters.get('socket');
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : decode(authority.slice(0, at), text);
  const hostPort = authority.slice(at + 1);
  let address: NbdAddress;
  if (transport.toLowerCase() === '+unix') {
    if (socket === undefined || socket === '') throw wrong(text, 'socket=PATH is missing');
    if (hostPort !== '') throw wrong(text, 'a unix socket has no host; write nbd+unix:///export?socket=PATH');
    address = { kind: 'unix', path: socket };
  } else {
    if (socket !== undefined) throw wrong(text, 'socket= is for nbd+unix');
    address = parseHostPort(hostPort, text);
  }
  const verify = parameters.get('tls-verify-peer');
  const hostname = parameters.get('tls-hostname');
  const certificates = parameters.get('tls-certificates');
  const psk = parameters.get('tls-psk-file');
  return {
    address,
    exportName: decode(path.startsWith('/') ? path.slice(1) : path, text),
    tls,
    ...(verify === undefined ? {} : { tlsVerifyPeer: !['0', 'false', 'no'].includes(verify) }),
    ...(hostname === undefined ? {} : { tlsHostname: hostname }),
    ...(certificates === undefined ? {} : { tlsCertificates: certificates }),
    ...(psk === undefined ? {} : { tlsPskFile: psk }),
    ...(user === undefined || user === '' ? {} : { tlsUsername: user }),
  };
}

/** The URI of an export. */
export function formatNbdUri({ address, exportName, tls }: NbdTarget): string {
  const scheme = tls ? 'nbds' : 'nbd';
  // A slash is part of the name, wherever it stands.
  const name = encodeURIComponent(exportName).replaceAll('%2F', '/');
  if (address.kind === 'unix') {
    return `${scheme}+unix:///${name}?socket=${encodeURIComponent(address.path).replaceAll('%2F', '/')}`;
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const port = address.port === NBD_PORT ? '' : `:${address.port}`;
  return `${scheme}://${host}${port}${name === '' ? '' : `/${name}`}`;
}

function parseQuery(query: string, text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals), text);
    if (!PARAMETERS.has(name)) throw wrong(text, `unknown parameter ${name}`);
    if (parameters.has(name)) throw wrong(text, `${name} stands twice`);
    parameters.set(name, equals < 0 ? '' : decode(part.slice(equals + 1), text));
  }
  return parameters;
}

function parseHostPort(text: string, uri: string): NbdAddress {
  const found = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d*))?$/.exec(text);
  if (found === null) throw wrong(uri, 'host and port are no HOST:PORT');
  const host = found[1] ?? decode(found[2] ?? '', uri);
  const port = found[3] === undefined || found[3] === '' ? NBD_PORT : Number(found[3]);
  if (port < 1 || port > 65535) throw wrong(uri, 'port is from 1 to 65535');
  return { kind: 'tcp', host: host === '' ? 'localhost' : host, port };
}

function parseOldForm(text: string): NbdTarget {
  const found = /^nbd:(?:unix:(.*?)|(\[[^\]]+\]|[^:/]+):(\d+))(?::exportname=(.*))?$/is.exec(text);
  if (found === null) throw wrong(text, 'write nbd://HOST/EXPORT or nbd+unix:///EXPORT?socket=PATH');
  const [, path, host, port, exportName = ''] = found;
  if (path === '') throw wrong(text, 'path of the socket is missing');
  const address: NbdAddress =
    path === undefined ? parseHostPort(`${host!}:${port!}`, text) : { kind: 'unix', path };
  return { address, exportName, tls: false };
}

function decode(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(uri, 'percent signs make no sense');
  }
}

function wrong(text: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: 'wrong NBD URI', which: text, limit });
}
