import { constants } from 'node:fs';
import koffi from 'koffi';
import { EAGAIN, EINVAL, EPERM } from '../errno.ts';
import type { TimeChange } from '../file-tree.ts';
import { isAscii } from './descriptor-path.ts';

const AT_FDCWD = -100;
const NANOSECONDS = 1_000_000_000n;
/** Values of tv_nsec (utimensat(2)). */
const UTIME_NOW = 0x3fff_ffffn;
const UTIME_OMIT = 0x3fff_fffen;

/** openat2(2): `struct open_how`, and what it must not do on the way. */
const SYS_OPENAT2 = 437;
const OPEN_HOW_BYTES = 24;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;
const RESOLVE_CACHED = 0x20n;
/** O_PATH, O_NOFOLLOW and O_CLOEXEC; the last two are the host's, whose values differ. */
const PIN_FLAGS = 0o10000000 | constants.O_NOFOLLOW | 0o2000000;
const RWF_NOWAIT = 8;
const ENOSYS = 38;

/** The calls to Linux that Node doesn't offer. None waits for a disk. */
export interface Libc {
  /**
   * Pins what a name in a directory stands for, if the kernel knows it without looking at the disk: 5 us, where a
   * trip through Node's thread pool takes 40.
   * @returns a descriptor, a negative error number, or undefined when it would have to wait.
   */
  pinCached(directory: number, name: string): number | undefined;
  /** Reads what the page cache holds. @returns bytes read; 0 at the end of the file; -1 when it would have to wait. */
  readCached(fd: number, offset: number, target: Uint8Array): number;
  /** Sets times to the nanosecond. @returns 0 or an error number. */
  setTimes(path: string, atime: TimeChange, mtime: TimeChange): number;
  /** Makes a pipe or a socket. @returns 0 or an error number. */
  makeNode(path: Uint8Array, mode: number): number;
}

type Utimensat = (directory: number, path: string, times: BigInt64Array, flags: number) => number;
type Openat2 = (number: number, directory: number, path: string, how: BigUint64Array, size: number) => number;
type Preadv2 = (fd: number, iov: BigUint64Array, count: number, offset: number, flags: number) => number;
type Mknod = (path: Uint8Array, mode: number, device: number) => number;

/** Opens libc; undefined where there is no such thing (another libc, no prebuilt FFI). */
export function openLibc(): Libc | undefined {
  try {
    const library = koffi.load('libc.so.6');
    const utimensat = library.func(
      'int utimensat(int directory, const char *path, int64_t *times, int flags)',
    ) as Utimensat;
    const mknod = library.func('int mknod(const uint8_t *path, unsigned int mode, uint64_t device)') as Mknod;
    // Not declared variadic: on 64-bit Linux the arguments travel the same way.
    const openat2 = library.func(
      'int64_t syscall(int64_t number, int directory, const char *path, uint64_t *how, size_t size)',
    ) as Openat2;
    const preadv2 = library.func(
      'int64_t preadv2(int fd, uint64_t *iov, int count, int64_t offset, int flags)',
    ) as Preadv2;
    const how = BigUint64Array.of(
      BigInt(PIN_FLAGS),
      0n,
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
    );
    let hasOpenat2 = true;
    const iov = new BigUint64Array(2);
    const times = new BigInt64Array(4);
    const result = (value: number): number => (value === 0 ? 0 : koffi.errno());
    return {
      pinCached(directory, name) {
        // koffi would write other characters as UTF-8.
        if (!hasOpenat2 || !isAscii(name)) return undefined;
        const fd = openat2(SYS_OPENAT2, directory, name, how, OPEN_HOW_BYTES);
        if (fd >= 0) return fd;
        const error = koffi.errno();
        // Older kernels, and sandboxes that refuse what they don't know.
        if (error === ENOSYS || error === EINVAL || error === EPERM) hasOpenat2 = false;
        return hasOpenat2 && error !== EAGAIN ? -error : undefined;
      },
      readCached(fd, offset, target) {
        iov[0] = BigInt(koffi.address(target));
        iov[1] = BigInt(target.length);
        return preadv2(fd, iov, 1, offset, RWF_NOWAIT);
      },
      setTimes(path, atime, mtime) {
        fillTime(times, 0, atime);
        fillTime(times, 2, mtime);
        return result(utimensat(AT_FDCWD, path, times, 0));
      },
      makeNode: (path, mode) => result(mknod(Uint8Array.of(...path, 0), mode, 0)),
    };
  } catch {
    return undefined;
  }
}

function fillTime(times: BigInt64Array, at: number, change: TimeChange): void {
  if (typeof change === 'string') {
    times[at] = 0n;
    times[at + 1] = change === 'now' ? UTIME_NOW : UTIME_OMIT;
    return;
  }
  const nanoseconds = ((change % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  times[at] = (change - nanoseconds) / NANOSECONDS;
  times[at + 1] = nanoseconds;
}
