import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { PolyvisorError, type ErrorCode } from '@polyvisor/contracts';

/** The calls to Linux that Node does not offer. Addresses are numbers: below 2^47, they are exact. Failure is -1. */
export interface Libc {
  readonly memfdCreate: (name: string, flags: number) => number;
  readonly fcntl: (fd: number, command: number, argument: number) => number;
  readonly mmap: (
    address: number,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => number;
  readonly lseek: (fd: number, offset: number, whence: number) => number;
  readonly pipe2: (descriptors: number, flags: number) => number;
  readonly write: (fd: number, address: number, bytes: number) => number;
  /** `syscall(2)` with the parameters of futex(2). */
  readonly futex: (
    number: number,
    address: number,
    operation: number,
    value: number,
    timeout: number,
    address2: number,
    value3: number,
  ) => number;
}

let opened: Libc | undefined;

/**
 * Opens libc, once on each thread.
 * @throws PolyvisorError `unsupported` where there is no such thing (another system, no prebuilt FFI).
 */
export function openLibc(): Libc {
  opened ??= load();
  return opened;
}

function load(): Libc {
  if (process.platform !== 'linux') throw unsupported(`the system is ${process.platform}`);
  try {
    const library = koffi.load('libc.so.6');
    // Variadic ones are declared as if they were not: on 64-bit Linux the arguments travel the same way.
    return {
      memfdCreate: library.func('int memfd_create(const char *name, unsigned int flags)'),
      fcntl: library.func('int fcntl(int fd, int command, int argument)'),
      mmap: library.func(
        'int64_t mmap(uintptr_t address, size_t bytes, int protection, int flags, int fd, int64_t offset)',
      ),
      lseek: library.func('int64_t lseek(int fd, int64_t offset, int whence)'),
      pipe2: library.func('int pipe2(uintptr_t descriptors, int flags)'),
      write: library.func('int64_t write(int fd, uintptr_t address, size_t bytes)'),
      futex: library.func(
        'long syscall(long number, uintptr_t address, int operation, int value, uintptr_t timeout, uintptr_t address2, int value3)',
      ),
    } as Libc;
  } catch (cause) {
    throw unsupported('libc could not be loaded', cause);
  }
}

/** The number of the last failed call's error. Read it at once. */
export function lastErrno(): number {
  return koffi.errno();
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  [constants.errno.EPERM]: 'permission',
  [constants.errno.EACCES]: 'permission',
  [constants.errno.ENOMEM]: 'limit',
  [constants.errno.EMFILE]: 'limit',
  [constants.errno.ENFILE]: 'limit',
  [constants.errno.ENOSYS]: 'unsupported',
};

/** The error for a failed call to the host. Read at once: another call changes errno. */
export function hostError(what: string, which: string): PolyvisorError {
  const errno = lastErrno();
  return new PolyvisorError(CODES[errno] ?? 'io', { what, which, limit: getSystemErrorName(-errno) });
}

function unsupported(limit: string, cause?: unknown): PolyvisorError {
  return new PolyvisorError('unsupported', { what: "can't share memory between processes", limit, cause });
}

const addresses = new WeakMap<ArrayBufferLike, number>();

/**
 * Where a buffer lies in this process. Shared memory and memory made by `new ArrayBuffer` lie outside the
 * garbage-collected heap and never move. Costs 10 ns after the first look.
 */
export function addressOf(buffer: ArrayBufferLike): number {
  let address = addresses.get(buffer);
  if (address === undefined) {
    address = Number(koffi.address(new Uint8Array(buffer)));
    addresses.set(buffer, address);
  }
  return address;
}
