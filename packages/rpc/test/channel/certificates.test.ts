import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { blockService } from '@polyvisor/proto/service/block';
import { describeWith } from '@polyvisor/testkit/needs';
import {
  connect,
  createCertificateAuthority,
  createServer,
  identityOfCertificate,
  issueCertificate,
  serve,
} from '../../src/channel/index.ts';
import type { Connection, Endpoint, Handlers, Role, Server, TlsFiles } from '../../src/channel/index.ts';

const authority = createCertificateAuthority('lab.example', 30);
const other = createCertificateAuthority('lab.example', 30);

function files(role: Role, vm?: string, from = authority): TlsFiles {
  const { certificate, key } = issueCertificate(
    from,
    { role, vm, hosts: ['localhost', '127.0.0.1', '::1'] },
    30,
  );
  return { ca: from.certificate, certificate, key };
}

describe('certificates', () => {
  test('say whom they are for', () => {
    const { certificate } = files('vmm', 'vm-1.a');
    expect(identityOfCertificate(certificate)).toEqual({ domain: 'lab.example', role: 'vmm', vm: 'vm-1.a' });
    expect(identityOfCertificate(files('node').certificate)).toMatchObject({ role: 'node', vm: undefined });
  });

  test('are signed by their authority only', () => {
    const certificate = new X509Certificate(files('node').certificate);
    expect(certificate.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
    expect(certificate.verify(new X509Certificate(other.certificate).publicKey)).toBe(false);
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('::1')).toBe('::1');
  });

  test.each([
    ['an authority itself', authority.certificate],
    ['garbage', 'x'],
  ])('%s is nobody', (_what, certificate) => {
    expect(() => identityOfCertificate(certificate)).toThrow(/a certificate is refused/);
  });

  test('need an authority with its own key, and names that are some', () => {
    expect(() =>
      issueCertificate({ ...authority, key: other.key }, { role: 'node', vm: undefined }, 1),
    ).toThrow(/isn't the certificate's/);
    const leaf = files('node');
    expect(() => issueCertificate(leaf, { role: 'node', vm: undefined }, 1)).toThrow(/no authority/);
    expect(() => createCertificateAuthority('a/b', 1)).toThrow(/not a name of a domain/);
  });
});

describeWith({ programs: ['openssl'] }, 'openssl', () => {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (...words: readonly string[]): string =>
    execFileSync('openssl', words, { encoding: 'utf8', cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });

  test('takes the chain, for both ends of a connection', () => {
    writeFileSync(join(folder, 'ca.pem'), authority.certificate);
    writeFileSync(join(folder, 'leaf.pem'), files('devices', 'vm1').certificate);
    for (const purpose of ['sslserver', 'sslclient']) {
      expect(run('verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'ca.pem', 'leaf.pem')).toBe(
        'leaf.pem: OK\n',
      );
    }
    const text = run('x509', '-in', 'leaf.pem', '-noout', '-text');
    expect(text).toContain('URI:polyvisor://lab.example/devices/vm1');
    expect(text).toContain('IP Address:0:0:0:0:0:0:0:1');
    expect(text).toContain('CA:FALSE');
    writeFileSync(join(folder, 'alien.pem'), other.certificate);
    expect(() => run('verify', '-CAfile', 'alien.pem', 'leaf.pem')).toThrow();
  });
});

describe('mutual TLS', () => {
  const own = files('block');
  const nothing = Object.fromEntries(Object.keys(blockService).map((name) => [name, () => ({})]));
  const handlers = nothing as unknown as Handlers<typeof blockService>;
  let server: Server;
  let where: Endpoint & { readonly kind: 'tcp' };
  const connections: Connection<typeof blockService>[] = [];

  beforeEach(async () => {
    server = await createServer({
      listen: ['tcp:127.0.0.1:0'],
      services: [serve(blockService, handlers)],
      identity: { tls: own },
    });
    const [endpoint] = server.endpoints;
    if (endpoint?.kind !== 'tcp') throw new Error('listens nowhere');
    where = endpoint;
  });
  afterEach(async () => {
    for (const connection of connections.splice(0)) connection.close();
    await server.close();
  });

  const call = async (tls: TlsFiles, peer?: readonly Role[]): Promise<string> => {
    const connection = connect(where, blockService, {
      identity: { tls, ...(peer === undefined ? {} : { peer }) },
      deadlineMs: 1_500,
    });
    connections.push(connection);
    return connection.call.list({}).then(
      () => 'done',
      (error: { code: string }) => error.code,
    );
  };

  test('a certificate is an identity', async () => {
    expect(await call(files('node'), ['block'])).toBe('done');
    expect(await call(files('devices', 'vm1'))).toBe('permission');
  });

  test('a client of another authority, and a server of another role or authority, are refused', async () => {
    expect(await call(files('node', undefined, other))).toBe('unavailable');
    expect(await call({ ...files('node', undefined, other), ca: authority.certificate })).toBe('unavailable');
    expect(await call(files('node'), ['vmm'])).toBe('unavailable');
  });

  test('no certificate, or an older TLS, gets nowhere', async () => {
    const attempt = (options: ConnectionOptions): Promise<string> =>
      new Promise((resolve) => {
        const all = { port: where.port, host: '127.0.0.1', ca: own.ca, ALPNProtocols: ['h2'], ...options };
        const socket = connectTls(all, () => socket.write('PRI'));
        socket.on('error', () => resolve('refused'));
        socket.on('close', () => resolve('closed'));
      });
    expect(await attempt({})).toBe('refused');
    const { certificate, key } = files('node');
    expect(await attempt({ cert: certificate, key, maxVersion: 'TLSv1.2' })).toBe('refused');
  });
});
