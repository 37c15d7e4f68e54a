import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { PolyvisorError } from '@polyvisor/contracts';
import { listAr, type ArMember } from './ar.ts';
import { decodeXz } from './decode-xz.ts';
import { openFileSource } from './file-source.ts';

/** A file or link of a package. `data` is there for regular files that were asked for. */
export interface DebEntry {
  /** Without leading `./` or `/`. */
  readonly path: string;
  readonly type: Header['type'];
  readonly mode: number;
  readonly linkTarget?: string;
  readonly data: Uint8Array;
}

/**
 * Reads the files of a .deb that `wanted` picks by path, in the package's order.
 * Errors: `corrupt`; `unsupported` for an unknown compression.
 * Cost: the whole data member is decompressed; memory holds the wanted files only.
 * Source: deb(5).
 */
export async function readDeb(path: string, wanted: (path: string) => boolean): Promise<DebEntry[]> {
  const member = listAr(path).find(({ name }) => name.startsWith('data.tar'));
  if (member === undefined)
    throw new PolyvisorError('corrupt', {
      what: 'not a Debian package',
      which: path,
      limit: 'no data.tar member',
    });
  const entries: DebEntry[] = [];
  const tar = extract();
  const done = pipeline(openMember(path, member), tar);
  // The loop below reports a broken pipe first; this keeps the promise from counting as unhandled.
  done.catch(() => {});
  for await (const entry of tar) {
    const { header } = entry;
    const name = header.name.replace(/^\.?\/+/, '').replace(/\/$/, '');
    if (!wanted(name)) {
      entry.resume();
      continue;
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of entry) pieces.push(piece as Uint8Array);
    entries.push({
      path: name,
      type: header.type,
      mode: header.mode ?? 0o644,
      ...(header.linkname ? { linkTarget: header.linkname } : {}),
      data: Buffer.concat(pieces),
    });
  }
  await done;
  return entries;
}

const OPENERS: Readonly<Record<string, (path: string, member: ArMember) => Readable>> = {
  'data.tar': openPlain,
  'data.tar.gz': (path, member) => openPlain(path, member).pipe(createGunzip()),
  'data.tar.zst': (path, member) => openPlain(path, member).pipe(createZstdDecompress()),
  'data.tar.xz': openXz,
};

function openMember(path: string, member: ArMember): Readable {
  const open = OPENERS[member.name];
  if (open === undefined)
    throw new PolyvisorError('unsupported', {
      what: 'unknown compression in package',
      which: path,
      limit: member.name,
    });
  return open(path, member);
}

function openPlain(path: string, member: ArMember): Readable {
  return createReadStream(path, { start: member.offset, end: member.offset + member.size - 1 });
}

function openXz(path: string, member: ArMember): Readable {
  const source = openFileSource(path, member.offset, member.size);
  return Readable.from(
    (function* () {
      try {
        // Pieces are reused by the decoder while tar-stream may still hold one: copy.
        for (const piece of decodeXz(source)) yield Buffer.from(piece);
      } finally {
        source.close();
      }
    })(),
    { objectMode: false, highWaterMark: 1 << 20 },
  );
}
