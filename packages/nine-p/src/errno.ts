/** Error numbers of Linux, as guests expect them in Rlerror (asm-generic/errno.h). */
export const EPERM = 1;
export const ENOENT = 2;
export const EIO = 5;
export const EBADF = 9;
export const EAGAIN = 11;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const EMFILE = 24;
export const EFBIG = 27;
export const EROFS = 30;
export const ENAMETOOLONG = 36;
export const ELOOP = 40;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const ESTALE = 116;

const ERRNO_LIMIT = 4096;

/** A file operation's failure that the guest gets to see as its error number. Never leaves this package. */
export class FileError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

/** The error number behind anything thrown: a {@link FileError}'s, a host call's, otherwise EIO. */
export function errnoOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return EIO;
  const { errno } = error;
  if (typeof errno !== 'number' || !Number.isInteger(errno)) return EIO;
  // Node tells numbers of the host's calls as negative.
  const positive = Math.abs(errno);
  return positive > 0 && positive < ERRNO_LIMIT ? positive : EIO;
}
