import { userInfo } from 'node:os';
import { PolyvisorError } from '@polyvisor/contracts';
import type { OptionValues, ProtocolDriver, ProtocolOpenOptions } from '../../graph/driver.ts';
import { ALLOCATION_CONTEXT } from '../../nbd/nbd-protocol.ts';
import { NbdNode } from '../../nbd/nbd-node.ts';
import { formatNbdUri, parseNbdUri } from '../../nbd/nbd-uri.ts';
import type { NbdTarget } from '../../nbd/nbd-uri.ts';
import { nbdConnector } from './connect-nbd.ts';
import type { NbdConnectOptions } from './connect-nbd.ts';
import { loadCertificates, loadPskFile } from './tls-credentials.ts';

/** Disks on NBD servers. */
export const nbdDriver: ProtocolDriver = {
  openOptions: [
    { name: 'filename', type: 'string', help: 'NBD URI: nbd://HOST/EXPORT, nbd+unix:///EXPORT?socket=PATH' },
    { name: 'host', type: 'string', help: 'host of the server' },
    { name: 'port', type: 'number', help: 'port of the server (default: 10809)' },
    { name: 'path', type: 'string', help: 'unix socket of the server' },
    { name: 'export', type: 'string', help: 'name of the export (default: the nameless one)' },
    {
      name: 'reconnect-delay',
      type: 'number',
      default: 0,
      help: 'seconds for which requests wait when the connection is lost',
    },
    {
      name: 'open-timeout',
      type: 'number',
      default: 0,
      help: 'seconds for which the first connection is tried',
    },
    { name: 'tls', type: 'boolean', default: false, help: 'use TLS (nbds in a URI)' },
    {
      name: 'tls-certificates',
      type: 'string',
      help: 'folder with ca-cert.pem, client-cert.pem, client-key.pem',
    },
    { name: 'tls-psk-file', type: 'string', help: 'file with shared keys, USER:KEY' },
    { name: 'tls-username', type: 'string', help: "whose shared key (default: this system's user)" },
    { name: 'tls-hostname', type: 'string', help: "name in the server's certificate (default: the host)" },
    { name: 'tls-verify-peer', type: 'boolean', help: "check the server's certificate (default: yes)" },
    {
      name: 'x-dirty-bitmap',
      type: 'string',
      help: 'metadata context that map shows instead of allocation: qemu:dirty-bitmap:NAME',
    },
  ],
  open: (options) => open(options),
  async create(options) {
    const node = await open(options);
    try {
      if (options.size !== undefined && options.size > node.size) {
        throw new PolyvisorError('limit', {
          what: 'NBD export is too small',
          which: node.name,
          limit: `${node.size} bytes instead of ${options.size}`,
        });
      }
      await node.writeZeroes(0, node.size, { mayUnmap: true, ...io(options) });
      return node;
    } catch (error) {
      await node.close();
      throw error;
    }
  },
  identify: async (reference) => formatNbdUri(parseNbdUri(reference)),
};

/** What a reference or options name. @throws PolyvisorError `invalid-argument` */
export function nbdTargetOf(reference: string | undefined, values: OptionValues): NbdTarget {
  const text = reference ?? values['filename'];
  const { host, port, path } = values;
  const parsed = typeof text === 'string' ? parseNbdUri(text) : undefined;
  if (parsed === undefined && (typeof path === 'string') === (typeof host === 'string')) {
    throw new PolyvisorError('invalid-argument', {
      what: 'nbd driver needs a URI, or either host or path',
      hint: 'nbd://HOST/EXPORT or nbd+unix:///EXPORT?socket=PATH',
    });
  }
  const exportName = values['export'];
  const base: NbdTarget = parsed ?? {
    address:
      typeof path === 'string'
        ? { kind: 'unix', path }
        : { kind: 'tcp', host: String(host), port: Number(port ?? 10809) },
    exportName: '',
    tls: false,
  };
  const text2 = (name: string): string | undefined =>
    typeof values[name] === 'string' ? (values[name] as string) : undefined;
  const certificates = text2('tls-certificates') ?? base.tlsCertificates;
  const psk = text2('tls-psk-file') ?? base.tlsPskFile;
  const hostname = text2('tls-hostname') ?? base.tlsHostname;
  const username = text2('tls-username') ?? base.tlsUsername;
  const verify = values['tls-verify-peer'] ?? base.tlsVerifyPeer;
  return {
    address: base.address,
    exportName: typeof exportName === 'string' ? exportName : base.exportName,
    tls: base.tls || values['tls'] === true,
    ...(certificates === undefined ? {} : { tlsCertificates: certificates }),
    ...(psk === undefined ? {} : { tlsPskFile: psk }),
    ...(hostname === undefined ? {} : { tlsHostname: hostname }),
    ...(username === undefined ? {} : { tlsUsername: username }),
    ...(verify === undefined ? {} : { tlsVerifyPeer: verify !== false }),
  };
}

/** How a target is connected to. @throws PolyvisorError `not-found` (certificates, keys) */
export function nbdConnectOptionsOf(target: NbdTarget): NbdConnectOptions {
  const { address } = target;
  const name = formatNbdUri(target);
  if (!target.tls) return { address, name };
  const { tlsCertificates, tlsPskFile, tlsUsername, tlsHostname, tlsVerifyPeer = true } = target;
  const credentials =
    tlsPskFile !== undefined
      ? loadPskFile(tlsPskFile)
      : tlsCertificates !== undefined
        ? loadCertificates(tlsCertificates, 'client')
        : ({ kind: 'x509', ca: undefined, certificate: undefined, key: undefined } as const);
  return {
    address,
    name,
    tls: {
      credentials,
      verifyPeer: tlsVerifyPeer,
      hostname: tlsHostname ?? (address.kind === 'tcp' ? address.host : 'localhost'),
      username: tlsUsername ?? userInfo().username,
    },
  };
}

async function open(options: ProtocolOpenOptions): Promise<NbdNode> {
  const { values, reference, readOnly, growable, logger } = options;
  const target = nbdTargetOf(reference, values);
  const connecting = nbdConnectOptionsOf(target);
  const bitmap = values['x-dirty-bitmap'];
  const contexts = [typeof bitmap === 'string' ? bitmap : ALLOCATION_CONTEXT];
  const node = await NbdNode.open(nbdConnector(connecting, { exportName: target.exportName, contexts }), {
    name: connecting.name,
    readOnly,
    growable: growable ?? false,
    reconnectDelayMs: Number(values['reconnect-delay'] ?? 0) * 1000,
    openTimeoutMs: Number(values['open-timeout'] ?? 0) * 1000,
    logger,
    ...io(options),
  });
  if (typeof bitmap !== 'string' || node.info.contexts.has(bitmap)) return node;
  await node.close();
  throw new PolyvisorError('not-found', { what: 'NBD server has no such context', which: bitmap });
}

function io({ signal }: ProtocolOpenOptions): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
