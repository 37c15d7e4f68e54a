import { closeSync, fchmodSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { PolyvisorError } from '@polyvisor/contracts';
import { hostError, lastErrno, openLibc } from './libc.ts';

// memfd_create(2), linux/memfd.h
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_NOEXEC_SEAL = 8;

// fcntl(2), linux/fcntl.h
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const F_SEAL_SEAL = 1;
const F_SEAL_SHRINK = 2;
const F_SEAL_GROW = 4;

/** Bytes of a page of the host: the granule of mappings. Hosts with larger pages are refused by the probe. */
export const HOST_PAGE = 4096;

/** Memory without a name in any file system, reached by its descriptor alone. */
export interface Memfd {
  readonly fd: number;
  /** Bytes; fixed for ever. */
  readonly size: number;
  /** Closes this descriptor. The memory lives on as long as somebody maps it or has another descriptor. */
  close(): void;
}

/**
 * Makes `bytes` (a multiple of 4096) of zeroed memory that can be given to another process: sealed, so that nobody can
 * shrink it, which would kill every process that has it mapped. Nothing is resident before it is touched.
 *
 * A child process gets it through the `stdio` array of `child_process.spawn`: `stdio: ['ignore', 'inherit',
 * 'inherit', memfd.fd]` makes it descriptor 3 of the child. Node clears close-on-exec for the descriptors in that
 * array and no others, so nothing leaks into other children. The child checks it with {@link checkMemfd}.
 *
 * @param name For /proc/PID/maps; at most 249 bytes.
 * @throws PolyvisorError `unsupported`, `limit` (descriptors, memory), `invalid-argument`.
 */
export function createMemfd(name: string, bytes: number): Memfd {
  if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes % HOST_PAGE !== 0) {
    throw new PolyvisorError('invalid-argument', {
      what: "can't make shared memory",
      which: name,
      limit: `${bytes} bytes is no multiple of ${HOST_PAGE}`,
    });
  }
  const fd = create(name);
  try {
    ftruncateSync(fd, bytes);
    if (openLibc().fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !== 0) {
      throw hostError("can't seal shared memory", name);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let open = true;
  return {
    fd,
    size: bytes,
    close() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

function create(name: string): number {
  const { memfdCreate } = openLibc();
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = memfdCreate(name, flags | MFD_NOEXEC_SEAL);
  // Linux before 6.3 does not know that flag.
  if (fd < 0 && lastErrno() === constants.errno.EINVAL) fd = memfdCreate(name, flags);
  if (fd < 0) throw hostError("can't make shared memory", name);
  return fd;
}

/**
 * A second descriptor of the same memory that allows reading only, for processes that shall see and not touch it
 * (they map it with access `read`). It also takes the right to open the memory anew for writing from everybody but its
 * maker's own user and root; a peer that runs as that user must be kept out of /proc. The caller closes it.
 * @throws PolyvisorError `io`.
 */
export function openReadOnly(memfd: Memfd): number {
  try {
    fchmodSync(memfd.fd, 0o400);
    return openSync(`/proc/self/fd/${memfd.fd}`, 'r');
  } catch (cause) {
    throw new PolyvisorError('io', {
      what: "can't make a descriptor for reading",
      which: String(cause),
      cause,
    });
  }
}

/**
 * Checks a descriptor that came from another process before anything maps it: it must be memory of exactly
 * `expectedBytes`, in pages of 4096 bytes, sealed against shrinking and against changes of its seals. With anything
 * less, the peer could kill this process (SIGBUS) at its next access.
 * @throws PolyvisorError `corrupt`: use nothing of this peer; `unsupported`.
 */
export function checkMemfd(fd: number, expectedBytes: number): void {
  const { fcntl } = openLibc();
  const seals = fcntl(fd, F_GET_SEALS, 0);
  if (seals < 0) throw refused(fd, 'it is no memfd');
  const needed = F_SEAL_SHRINK | F_SEAL_SEAL;
  if ((seals & needed) !== needed) throw refused(fd, 'it can still shrink: it lacks the seals');
  const { size, blksize } = fstatSync(fd);
  if (size !== expectedBytes) throw refused(fd, `it has ${size} bytes, not ${expectedBytes}`);
  // Huge pages may run out at any touch.
  if (blksize !== HOST_PAGE) throw refused(fd, `its pages have ${blksize} bytes`);
}

function refused(fd: number, limit: string): PolyvisorError {
  return new PolyvisorError('corrupt', {
    what: "won't map a peer's memory",
    which: `descriptor ${fd}`,
    limit,
  });
}
