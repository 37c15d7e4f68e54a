import { beforeAll, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeWith } from '@polyvisor/testkit/needs';
import type { NbdServer } from '../../src/node/nbd/nbd-server.ts';
import type { NbdServerOptions } from '../../src/node/nbd/nbd-server.ts';
import { loadCertificates, loadPskFile } from '../../src/node/nbd/tls-credentials.ts';
import { folder, fresh, MIB, motley, openOurs, serve, sh, start, uriOf } from './peers.ts';

describeWith({ programs: ['openssl', 'qemu-nbd', 'qemu-img', 'nbdkit', 'nbdinfo'] }, 'NBD over TLS', () => {
  let pki = '';
  let stranger = '';
  let keys = '';
  let image = '';

  /** An authority, and a server and a client that it vouches for. */
  const makePki = (path: string): void => {
    mkdirSync(path);
    const openssl = (...args: string[]): void =>
      void execFileSync('openssl', args, { cwd: path, stdio: 'ignore' });
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca-key.pem',
      '-out',
      'ca-cert.pem',
      '-days',
      '2',
      '-subj',
      '/CN=authority',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    );
    for (const role of ['server', 'client']) {
      openssl(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${role}-key.pem`,
        '-out',
        `${role}.csr`,
        '-subj',
        `/CN=${role === 'server' ? 'localhost' : role}`,
      );
      writeFileSync(
        join(path, 'extensions'),
        `basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=${role}Auth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n`,
      );
      openssl(
        'x509',
        '-req',
        '-in',
        `${role}.csr`,
        '-CA',
        'ca-cert.pem',
        '-CAkey',
        'ca-key.pem',
        '-CAcreateserial',
        '-out',
        `${role}-cert.pem`,
        '-days',
        '2',
        '-extfile',
        'extensions',
      );
    }
  };

  beforeAll(async () => {
    pki = join(folder, 'pki');
    stranger = join(folder, 'stranger');
    makePki(pki);
    makePki(stranger);
    keys = join(folder, 'keys.psk');
    writeFileSync(keys, 'alice:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n');
    image = await motley();
  }, 60_000);

  const tcp = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  const serveTls = async (
    tls: NonNullable<NbdServerOptions['tls']>,
  ): Promise<{ readonly port: number; readonly server: NbdServer }> => {
    const { server } = await serve(image, { readOnly: true, server: { address: tcp, tls } });
    if (server.address.kind !== 'tcp') throw new Error('no port');
    return { port: server.address.port, server };
  };
  const qemu = (port: number, folderOfClient: string): Promise<string> =>
    sh(
      'qemu-img',
      'compare',
      '--object',
      `tls-creds-x509,id=tls0,dir=${folderOfClient},endpoint=client`,
      '--image-opts',
      `driver=qcow2,read-only=on,file.filename=${image}`,
      `driver=raw,file.driver=nbd,file.host=127.0.0.1,file.port=${port},file.tls-creds=tls0,file.tls-hostname=localhost`,
    );

  test('QEMU and libnbd come with a certificate, and not with a wrong one or none', async () => {
    const { port } = await serveTls({
      credentials: loadCertificates(pki, 'server'),
      required: true,
      verifyPeer: true,
    });
    expect(await qemu(port, pki)).toContain('identical');
    await expect(qemu(port, stranger)).rejects.toThrow();
    const uri = (from: string): string => `nbds://localhost:${port}/?tls-certificates=${from}`;
    expect(await sh('nbdinfo', '--size', uri(pki))).toBe(`${32 * MIB}\n`);
    await expect(sh('nbdinfo', '--size', uri(stranger))).rejects.toThrow();
    await expect(sh('nbdinfo', '--size', `nbd://localhost:${port}/`)).rejects.toThrow();
    const node = await openOurs(uri(pki), {}, true);
    const bytes = new Uint8Array(3 * MIB);
    await node.read(MIB, bytes);
    expect(bytes[0]).toBe(1);
    await expect(openOurs(uri(stranger), {}, true)).rejects.toMatchObject({ code: 'permission' });
    await expect(openOurs(`nbd://localhost:${port}/`, {}, true)).rejects.toMatchObject({
      code: 'permission',
    });
    await expect(openOurs(`${uri(pki)}&tls-hostname=other`, {}, true)).rejects.toMatchObject({
      code: 'permission',
    });
  }, 60_000);

  test('a client that trusts the server is not trusted for it', async () => {
    const { port, server } = await serveTls({
      credentials: loadCertificates(pki, 'server'),
      required: true,
      verifyPeer: true,
    });
    const nameless = join(folder, 'nameless');
    const forged = join(folder, 'forged');
    for (const path of [nameless, forged]) {
      mkdirSync(path);
      cpSync(join(pki, 'ca-cert.pem'), join(path, 'ca-cert.pem'));
    }
    for (const file of ['client-cert.pem', 'client-key.pem'])
      cpSync(join(stranger, file), join(forged, file));
    for (const path of [nameless, forged]) {
      const uri = `nbds://localhost:${port}/?tls-certificates=${path}`;
      await expect(openOurs(uri, {}, true)).rejects.toThrow();
      await expect(sh('nbdinfo', '--size', uri)).rejects.toThrow();
      await expect(qemu(port, path)).rejects.toThrow();
    }
    expect(server.clients).toBe(0);
  }, 60_000);

  test('TLS as an offer', async () => {
    const { port } = await serveTls({
      credentials: loadCertificates(pki, 'server'),
      required: false,
      verifyPeer: false,
    });
    await openOurs(`nbd://localhost:${port}/`, {}, true);
    await openOurs(`nbds://localhost:${port}/?tls-certificates=${pki}`, {}, true);
    expect(await sh('nbdinfo', '--size', `nbd://localhost:${port}/`)).toBe(`${32 * MIB}\n`);
  }, 60_000);

  test('shared keys', async () => {
    const { port } = await serveTls({ credentials: loadPskFile(keys), required: true, verifyPeer: false });
    const uri = (user: string): string => `nbds://${user}@localhost:${port}/?tls-psk-file=${keys}`;
    expect(await sh('nbdinfo', '--size', uri('alice'))).toBe(`${32 * MIB}\n`);
    await openOurs(uri('alice'), {}, true);
    await expect(openOurs(uri('mallory'), {}, true)).rejects.toMatchObject({ code: 'not-found' });
    const wrong = fresh('wrong.psk');
    writeFileSync(wrong, 'alice:ff\n');
    await expect(openOurs(uri('alice').replace(keys, wrong), {}, true)).rejects.toMatchObject({
      code: 'permission',
    });
  }, 60_000);

  test('our client with qemu-nbd and nbdkit', async () => {
    const socket = fresh('tls.sock');
    const creds = `tls-creds-x509,id=tls0,dir=${pki},endpoint=server,verify-peer=yes`;
    await start(
      'qemu-nbd',
      ['-r', '-t', '-e', '4', '--object', creds, '--tls-creds', 'tls0', '-f', 'qcow2', '-k', socket, image],
      socket,
    );
    const tlsUri = uriOf(socket).replace('nbd+', 'nbds+');
    const node = await openOurs(tlsUri, { 'tls-certificates': pki }, true);
    const bytes = new Uint8Array(3 * MIB);
    await node.read(MIB, bytes);
    expect(bytes[0]).toBe(1);
    const psk = fresh('psk.sock');
    await start('nbdkit', ['-f', '-U', psk, '--tls=require', `--tls-psk=${keys}`, 'memory', '8M'], psk);
    const secret = await openOurs(uriOf(psk).replace('nbd+', 'nbds+'), {
      'tls-psk-file': keys,
      'tls-username': 'alice',
    });
    await secret.write(5, new Uint8Array(2 * MIB).fill(3));
    await secret.read(0, bytes);
    expect([bytes[4], bytes[5]]).toEqual([0, 3]);
  }, 60_000);
});
