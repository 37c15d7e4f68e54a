import { close, fdatasync, fstat, open, read, write } from 'node:fs';
import type { Stats } from 'node:fs';
import { promisify } from 'node:util';
import type { ErrorCode, Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import { lockImage } from './image-lock.ts';
import type { Libc } from './libc.ts';
import { openLibc } from './libc.ts';

/** What to open, and how. */
export interface RawImageOptions {
  /** An existing regular file. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Serial number that the guest sees. */
  readonly id?: string;
}

/** A raw disk image: the file's bytes are the disk's. Operations as `BlockBackend` of `@polyvisor/virtio` says. */
export interface RawImage {
  /** The file's size, rounded up to whole sectors of 512. */
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly id: string;
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
  flush(): Promise<void>;
  discard?(offset: number, length: number): Promise<void>;
  writeZeroes?(offset: number, length: number, mayUnmap: boolean): Promise<void>;
  close(): Promise<void>;
}

const SECTOR_BYTES = 512;
const PROBE_BYTES = 4096;
/** Longer reads always go to the thread pool: copying them would keep everything else waiting. */
const CACHED_BYTES = 256 * 1024;

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat) as (fd: number) => Promise<Stats>;

/**
 * Opens and locks a raw image.
 * The bytes between the file's end and the next whole sector read as zeroes; a write there makes the file longer.
 * @throws PolyvisorError `not-found`, `permission`, `invalid-argument` (no regular file, or empty),
 * `busy` (another VM uses it).
 */
export async function openRawImage(
  options: RawImageOptions,
  { logger = silentLogger }: { readonly logger?: Logger } = {},
): Promise<RawImage> {
  const { path, readOnly } = options;
  const fd = await openFile(path, readOnly ? 'r' : 'r+').catch((error: unknown) => {
    throw openError(options, error);
  });
  try {
    const stat = await statFile(fd);
    checkFile(path, stat);
    const libc = openLibc();
    if (libc === undefined) logger.warn({ path }, 'this system has no file locks for disk images');
    else lockImage(libc, fd, path, readOnly);
    const size = Math.ceil(stat.size / SECTOR_BYTES) * SECTOR_BYTES;
    const file = new RawFile(fd, path, size, options, libc);
    if (readOnly || libc === undefined) return file;
    return await withHoles(file, fd, size, libc);
  } catch (error) {
    await closeFile(fd);
    throw error;
  }
}

function checkFile(path: string, stat: Stats): void {
  if (!stat.isFile()) {
    throw new PolyvisorError('invalid-argument', {
      what: "can't use as a disk image",
      which: path,
      limit: stat.isDirectory() ? 'it is a directory' : 'it is no regular file',
      hint: 'give the path of an image file',
    });
  }
  if (stat.size === 0) {
    throw new PolyvisorError('invalid-argument', {
      what: "can't use as a disk image",
      which: path,
      limit: 'it is empty',
      hint: `give it a size first: truncate -s 1G ${path}`,
    });
  }
}

const OPEN_ERRORS: Readonly<Record<string, { code: ErrorCode; limit: string; hint?: string }>> = {
  ENOENT: { code: 'not-found', limit: 'no such file', hint: 'check the path' },
  ENOTDIR: { code: 'not-found', limit: 'no such file', hint: 'check the path' },
  EISDIR: { code: 'invalid-argument', limit: 'it is a directory', hint: 'give the path of an image file' },
  EACCES: { code: 'permission', limit: 'no permission' },
  EPERM: { code: 'permission', limit: 'no permission' },
  EROFS: { code: 'permission', limit: 'the file system is read-only' },
  ETXTBSY: { code: 'busy', limit: 'it is being executed' },
  EMFILE: { code: 'limit', limit: 'too many open files', hint: 'raise ulimit -n' },
};

function openError({ path, readOnly }: RawImageOptions, cause: unknown): PolyvisorError {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  const known = OPEN_ERRORS[errno] ?? { code: 'io' as const, limit: errno };
  const denied = known.code === 'permission';
  const hint =
    known.hint ?? (denied && !readOnly ? 'make it writable or attach the disk read-only' : undefined);
  return new PolyvisorError(known.code, {
    what: readOnly ? "can't open disk image" : "can't open disk image for writing",
    which: path,
    limit: known.limit,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

class RawFile implements RawImage {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly id: string;
  readonly #fd: number;
  readonly #path: string;
  /** Absent once the file system has shown that it can't. */
  #cached: Libc['readCached'] | undefined;
  #closed: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  #nextFlush: Promise<void> | undefined;

  constructor(fd: number, path: string, size: number, options: RawImageOptions, libc: Libc | undefined) {
    this.#cached = libc?.readCached;
    this.#fd = fd;
    this.#path = path;
    this.sizeBytes = size;
    this.readOnly = options.readOnly;
    this.id = options.id ?? '';
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    const ready = this.#readCached(offset, target);
    if (ready === target.length) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const step = (done: number): void =>
        read(this.#fd, target, done, target.length - done, offset + done, (error, count) => {
          if (error !== null) {
            reject(this.#error("can't read disk image", error));
            return;
          }
          // At the end of the file, inside the last sector.
          if (count === 0) target.fill(0, done);
          if (count === 0 || done + count === target.length) resolve();
          else step(done + count);
        });
      step(ready);
    });
  }

  /** @returns bytes that were there without waiting. */
  #readCached(offset: number, target: Uint8Array): number {
    if (this.#cached === undefined || target.length > CACHED_BYTES || this.#closed !== undefined) return 0;
    const count = this.#cached(this.#fd, offset, target);
    if (count < 0) this.#cached = undefined;
    return Math.max(0, count);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (done: number): void =>
        write(this.#fd, source, done, source.length - done, offset + done, (error, count) => {
          if (error !== null) reject(this.#error("can't write disk image", error));
          else if (done + count === source.length) resolve();
          else step(done + count);
        });
      step(0);
    });
  }

  /** One runs at a time; all that come meanwhile share the next one, which begins after their writes. */
  flush(): Promise<void> {
    if (this.#flushing === undefined) {
      this.#flushing = this.#sync().finally(() => (this.#flushing = undefined));
      return this.#flushing;
    }
    this.#nextFlush ??= this.#flushing
      .catch(() => {}) // its own callers hear of it
      .then(() => {
        this.#nextFlush = undefined;
        return this.flush();
      });
    return this.#nextFlush;
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) =>
      fdatasync(this.#fd, (error) =>
        error === null ? resolve() : reject(this.#error("can't flush disk image", error)),
      ),
    );
  }

  #error(what: string, cause: NodeJS.ErrnoException): PolyvisorError {
    const full = cause.code === 'ENOSPC' || cause.code === 'EDQUOT';
    return new PolyvisorError('io', {
      what,
      which: this.#path,
      limit: full ? 'no space left on the host' : (cause.code ?? cause.message),
      ...(full ? { hint: 'free some space; the guest sees an IO error' } : {}),
      cause,
    });
  }

  close(): Promise<void> {
    this.#closed ??= closeFile(this.#fd);
    return this.#closed;
  }
}

/** Adds discard and fast zeroing where the file system has them. */
async function withHoles(file: RawFile, fd: number, size: number, libc: Libc): Promise<RawImage> {
  const beyond = Math.ceil(size / PROBE_BYTES) * PROBE_BYTES;
  // Beyond the end, where there is nothing to lose; the file keeps its size.
  if (!(await libc.punchHole(fd, beyond, PROBE_BYTES))) return file;
  const zeroRange = await libc.zeroRange(fd, beyond, PROBE_BYTES);
  const image: RawImage = file;
  const failed = (what: string): PolyvisorError => new PolyvisorError('io', { what });
  image.discard = async (offset, length) => {
    if (!(await libc.punchHole(fd, offset, length))) throw failed("can't discard a range of the disk image");
  };
  image.writeZeroes = async (offset, length, mayUnmap) => {
    const zero = mayUnmap || !zeroRange ? libc.punchHole : libc.zeroRange;
    if (!(await zero(fd, offset, length))) throw failed("can't zero a range of the disk image");
  };
  return image;
}
