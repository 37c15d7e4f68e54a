import type { ErrorCode } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';

const OPEN_ERRORS: Readonly<Record<string, { code: ErrorCode; limit: string; hint?: string }>> = {
  ENOENT: { code: 'not-found', limit: 'no such file', hint: 'check the path' },
  ENOTDIR: { code: 'not-found', limit: 'no such file', hint: 'check the path' },
  EISDIR: { code: 'invalid-argument', limit: 'it is a directory', hint: 'give the path of an image file' },
  ELOOP: { code: 'not-found', limit: 'its symbolic links lead nowhere', hint: 'check the path' },
  ENAMETOOLONG: { code: 'invalid-argument', limit: 'the name is too long' },
  EACCES: { code: 'permission', limit: 'no permission' },
  EPERM: { code: 'permission', limit: 'no permission' },
  EROFS: { code: 'permission', limit: 'the file system is read-only' },
  ETXTBSY: { code: 'busy', limit: 'it is being executed' },
  EMFILE: { code: 'limit', limit: 'too many open files', hint: 'raise ulimit -n' },
  ENOSPC: { code: 'io', limit: 'no space left on the host' },
  EINVAL: { code: 'unsupported', limit: 'this file system has no direct IO', hint: 'use cache=writeback' },
};

/** Why a file could not be opened. The cause is Node's error, whose `code` is the errno's name. */
export function openError(path: string, readOnly: boolean, cause: unknown): PolyvisorError {
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

/** Why an operation on an open file failed. */
export function fileError(what: string, path: string, cause: NodeJS.ErrnoException): PolyvisorError {
  const full = cause.code === 'ENOSPC' || cause.code === 'EDQUOT';
  return new PolyvisorError('io', {
    what,
    which: path,
    limit: full ? 'no space left on the host' : (cause.code ?? cause.message),
    ...(full ? { hint: 'free some space' } : {}),
    cause,
  });
}
