import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ErrorCode } from '@polyvisor/contracts';

/** A file whose bytes go into guest memory. Stays open, so that a reset loads the same bytes even if it was replaced. */
export interface ImageFile {
  /** What it is for, in errors: `kernel`. */
  readonly role: string;
  readonly path: string;
  readonly size: number;
  /** Fills `target` from `offset` on. @throws PolyvisorError `io` when the file has become shorter or unreadable. */
  read(offset: number, target: Uint8Array): void;
  close(): void;
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not-found',
  EACCES: 'permission',
  EPERM: 'permission',
};
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'not readable by this user',
  EPERM: 'not permitted',
  ENOTDIR: 'a part of the path is no folder',
};

/** @throws PolyvisorError `not-found`, `permission`, `invalid-argument` (a folder, empty) or `io`. */
export function openImageFile(role: string, path: string): ImageFile {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw hostError(role, path, error);
  }
  const stat = fstatSync(descriptor);
  if (!stat.isFile() || stat.size === 0) {
    closeSync(descriptor);
    const limit = stat.isDirectory()
      ? 'it is a folder'
      : stat.isFile()
        ? 'it is empty'
        : 'it is not a regular file';
    throw new PolyvisorError('invalid-argument', { what: `can't use ${role}`, which: path, limit });
  }
  let open = true;
  return {
    role,
    path,
    size: stat.size,
    read(offset, target) {
      let done = 0;
      while (done < target.length) {
        let count: number;
        try {
          count = readSync(descriptor, target, done, target.length - done, offset + done);
        } catch (error) {
          throw hostError(role, path, error);
        }
        if (count === 0) {
          throw new PolyvisorError('io', {
            what: `can't read ${role}`,
            which: path,
            limit: 'it became shorter while in use',
          });
        }
        done += count;
      }
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

function hostError(role: string, path: string, cause: unknown): PolyvisorError {
  const errno = String((cause as { code?: unknown }).code);
  const limit = REASONS[errno] ?? errno;
  return new PolyvisorError(CODES[errno] ?? 'io', { what: `can't open ${role}`, which: path, limit, cause });
}

/** An image that is in memory already: tests, and images that were decompressed. */
export function imageFromBytes(role: string, path: string, bytes: Uint8Array): ImageFile {
  return {
    role,
    path,
    size: bytes.length,
    read(offset, target) {
      if (offset + target.length > bytes.length) {
        throw new PolyvisorError('io', { what: `can't read ${role}`, which: path, limit: 'beyond its end' });
      }
      target.set(bytes.subarray(offset, offset + target.length));
    },
    close() {},
  };
}
