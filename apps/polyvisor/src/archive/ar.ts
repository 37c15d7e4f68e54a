import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;
const MEMBER_LIMIT = 1000;

/** A member of an `ar` archive: where its bytes are in the file. */
export interface ArMember {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/**
 * Lists an `ar` archive's members. Errors: `corrupt` for anything that is none.
 * Long-name tables are not understood: Debian packages (deb(5)) have short names only.
 */
export function listAr(path: string): ArMember[] {
  const descriptor = openSync(path, 'r');
  try {
    const fileSize = fstatSync(descriptor).size;
    const members: ArMember[] = [];
    if (readText(descriptor, 0, MAGIC.length) !== MAGIC) throw corrupt(path, 'no ar signature');
    let position = MAGIC.length;
    while (position < fileSize) {
      const header = readText(descriptor, position, HEADER_BYTES);
      if (header.length !== HEADER_BYTES || !header.endsWith('`\n'))
        throw corrupt(path, `bad member header at byte ${position}`);
      const digits = header.slice(48, 58).trimEnd();
      const size = Number(digits);
      const offset = position + HEADER_BYTES;
      if (!/^\d+$/.test(digits) || offset + size > fileSize)
        throw corrupt(path, `bad member size at byte ${position}`);
      members.push({ name: header.slice(0, 16).trimEnd().replace(/\/$/, ''), offset, size });
      if (members.length > MEMBER_LIMIT) throw corrupt(path, `more than ${MEMBER_LIMIT} members`);
      position = offset + size + (size & 1);
    }
    return members;
  } finally {
    closeSync(descriptor);
  }
}

function readText(descriptor: number, position: number, length: number): string {
  const bytes = Buffer.alloc(length);
  return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, length, position));
}

function corrupt(path: string, detail: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: 'not a Debian package', which: path, limit: detail });
}
