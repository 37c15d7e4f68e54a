import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
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
  /** The same for large pieces: read by several of the host's threads, which share the cost of touching fresh memory. */
  readParallel(offset: number, target: Uint8Array): Promise<void>;
  close(): void;
}

/** Readers at once, and bytes that each takes in one call. */
const READERS = 4;
const READ_BYTES = 1 << 20;

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
  const shorter = (): PolyvisorError =>
    new PolyvisorError('io', {
      what: `can't read ${role}`,
      which: path,
      limit: 'it became shorter while in use',
    });

  async function readPart(offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length;) {
      const part = target.subarray(done);
      const count = await new Promise<number>((resolve, reject) => {
        read(descriptor, part, 0, part.length, offset + done, (error, bytes) => {
          if (error === null) resolve(bytes);
          else reject(hostError(role, path, error));
        });
      });
      if (count === 0) throw shorter();
      done += count;
    }
  }

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
        if (count === 0) throw shorter();
        done += count;
      }
    },
    async readParallel(offset, target) {
      let next = 0;
      const reader = async (): Promise<void> => {
        while (next < target.length) {
          const at = next;
          next += READ_BYTES;
          await readPart(offset + at, target.subarray(at, at + READ_BYTES));
        }
      };
      await Promise.all(Array.from({ length: READERS }, reader));
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
  const copy = (offset: number, target: Uint8Array): void => {
    if (offset + target.length > bytes.length) {
      throw new PolyvisorError('io', { what: `can't read ${role}`, which: path, limit: 'beyond its end' });
    }
    target.set(bytes.subarray(offset, offset + target.length));
  };
  return {
    role,
    path,
    size: bytes.length,
    read: copy,
    async readParallel(offset, target) {
      copy(offset, target);
    },
    close() {},
  };
}
