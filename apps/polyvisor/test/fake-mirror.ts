import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { makeDeb, type DebFile } from './make-deb.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A Debian archive on this host with tiny packages, unsigned. */
export interface FakeMirror {
  readonly url: string;
  /** Files by path, to be changed by tests. */
  readonly files: Map<string, Buffer>;
  /** Paths asked for, in order. */
  readonly requests: string[];
  close(): void;
}

const modules = 'usr/lib/modules/6.12.0-riscv64/kernel';

const PACKAGES: Readonly<Record<string, { depends?: string; files: readonly DebFile[] }>> = {
  'linux-image-riscv64': { depends: 'linux-image-6.12.0-riscv64 (= 1)', files: [] },
  'linux-image-6.12.0-riscv64': {
    files: [
      { path: 'boot/vmlinux-6.12.0-riscv64', content: 'kernel image' },
      { path: `${modules}/drivers/virtio/virtio_mmio.ko`, content: makeModule('virtio_mmio') },
      {
        path: `${modules}/drivers/net/virtio_net.ko`,
        content: makeModule('virtio_net', 'failover', 'virtio:d00000001v*'),
      },
      { path: `${modules}/net/core/failover.ko`, content: makeModule('failover') },
      { path: `${modules}/drivers/gpu/huge.ko`, content: makeModule('huge') },
    ],
  },
  'busybox-static': { files: [{ path: 'usr/bin/busybox', content: 'busybox program' }] },
  opensbi: {
    files: ['fw_jump', 'fw_dynamic'].map((name) => ({
      path: `usr/lib/riscv64-linux-gnu/opensbi/generic/${name}.bin`,
      content: name,
    })),
  },
};

/** Serves suite `trixie` for riscv64. */
export async function startFakeMirror(): Promise<FakeMirror> {
  const files = new Map<string, Buffer>();
  const stanzas: string[] = [];
  for (const [name, { depends, files: content }] of Object.entries(PACKAGES)) {
    const deb = await makeDeb(content);
    const path = `pool/main/${name}_1_riscv64.deb`;
    files.set(`/debian/${path}`, deb);
    stanzas.push(
      `Package: ${name}\nVersion: 1\n${depends === undefined ? '' : `Depends: ${depends}\n`}Filename: ${path}\nSize: ${deb.length}\nSHA256: ${sha256(deb)}\n`,
    );
  }
  const index = gzipSync(stanzas.join('\n'));
  files.set(`/debian/dists/trixie/main/binary-riscv64/by-hash/SHA256/${sha256(index)}`, index);
  const release = `Suite: stable\nCodename: trixie\nAcquire-By-Hash: yes\nSHA256:\n ${sha256(index)} ${index.length} main/binary-riscv64/Packages.gz\n`;
  files.set(
    '/debian/dists/trixie/InRelease',
    Buffer.from(
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${release}-----BEGIN PGP SIGNATURE-----\n\nnone\n-----END PGP SIGNATURE-----\n`,
    ),
  );
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const file = files.get(request.url ?? '');
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': file.length }).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`,
    files,
    requests,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The smallest ELF file with a .modinfo section. */
export function makeModule(name: string, depends = '', alias?: string): Buffer {
  const info = Buffer.from(
    `name=${name}\0depends=${depends}\0${alias === undefined ? '' : `alias=${alias}\0`}`,
  );
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const table = 64 + info.length + names.length;
  header.writeBigUInt64LE(BigInt(table), 40);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(2, 62);
  const section = (nameAt: number, offset: number, size: number) => {
    const row = Buffer.alloc(64);
    row.writeUInt32LE(nameAt, 0);
    row.writeBigUInt64LE(BigInt(offset), 24);
    row.writeBigUInt64LE(BigInt(size), 32);
    return row;
  };
  return Buffer.concat([
    header,
    info,
    names,
    Buffer.alloc(64),
    section(1, 64, info.length),
    section(10, 64 + info.length, names.length),
  ]);
}
