import koffi from 'koffi';
import type { TimeChange } from '../file-tree.ts';

const AT_FDCWD = -100;
const NANOSECONDS = 1_000_000_000n;
/** Values of tv_nsec (utimensat(2)). */
const UTIME_NOW = 0x3fff_ffffn;
const UTIME_OMIT = 0x3fff_fffen;

/** The calls to Linux that Node doesn't offer. All are quick: they act on an inode that is in memory. */
export interface Libc {
  /** Sets times to the nanosecond. @returns 0 or an error number. */
  setTimes(path: string, atime: TimeChange, mtime: TimeChange): number;
  /** Makes a pipe or a socket. @returns 0 or an error number. */
  makeNode(path: Uint8Array, mode: number): number;
}

type Utimensat = (directory: number, path: string, times: BigInt64Array, flags: number) => number;
type Mknod = (path: Uint8Array, mode: number, device: number) => number;

/** Opens libc; undefined where there is no such thing (another libc, no prebuilt FFI). */
export function openLibc(): Libc | undefined {
  try {
    const library = koffi.load('libc.so.6');
    const utimensat = library.func(
      'int utimensat(int directory, const char *path, int64_t *times, int flags)',
    ) as Utimensat;
    const mknod = library.func('int mknod(const uint8_t *path, unsigned int mode, uint64_t device)') as Mknod;
    const times = new BigInt64Array(4);
    const result = (value: number): number => (value === 0 ? 0 : koffi.errno());
    return {
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
