import { spawnSync } from 'node:child_process';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** A file, or with `link` a symbolic link, for {@link makeDeb}. */
export interface DebFile {
  readonly path: string;
  readonly content?: Uint8Array | string;
  readonly link?: string;
}

const COMPRESSORS = {
  '': (tar: Buffer) => tar,
  '.gz': (tar: Buffer) => gzipSync(tar),
  '.zst': (tar: Buffer) => zstdCompressSync(tar),
  '.xz': (tar: Buffer) => spawnSync('xz', ['-c'], { input: tar, maxBuffer: 1 << 28 }).stdout,
} as const;

/** Builds a small .deb. */
export async function makeDeb(
  files: readonly DebFile[],
  compression: keyof typeof COMPRESSORS = '.gz',
): Promise<Buffer> {
  const tar = pack();
  for (const { path, content = '', link } of files) {
    if (link === undefined) tar.entry({ name: `./${path}`, mode: 0o644 }, Buffer.from(content));
    else tar.entry({ name: `./${path}`, type: 'symlink', linkname: link });
  }
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  return makeAr([
    ['debian-binary', Buffer.from('2.0\n')],
    [`control.tar.gz`, gzipSync(Buffer.alloc(1024))],
    [`data.tar${compression}`, COMPRESSORS[compression](Buffer.concat(pieces))],
  ]);
}

/** Builds an `ar` archive. */
export function makeAr(members: readonly (readonly [string, Buffer])[]): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, data] of members) {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(header), data, Buffer.alloc(data.length & 1, '\n'));
  }
  return Buffer.concat(parts);
}
