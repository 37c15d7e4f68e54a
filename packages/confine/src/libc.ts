import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { PolyvisorError } from '@polyvisor/contracts';

/** The calls to Linux that confinement consists of. Failure is -1. Numbers of `call*` come from the table. */
export interface Libc {
  readonly prctl: (option: number, a: number, b: number, c: number, d: number) => number;
  readonly fcntl: (fd: number, command: number, argument: number) => number;
  readonly setrlimit: (resource: number, limits: Uint8Array) => number;
  readonly getrlimit: (resource: number, limits: Uint8Array) => number;
  readonly capset: (header: Uint8Array, data: Uint8Array) => number;
  readonly execve: (
    path: string,
    argv: readonly (string | null)[],
    env: readonly (string | null)[],
  ) => number;
  /** landlock_create_ruleset(2) */
  readonly callCreateRuleset: (
    nr: number,
    attributes: Uint8Array | null,
    bytes: number,
    flags: number,
  ) => number;
  /** landlock_add_rule(2) */
  readonly callAddRule: (
    nr: number,
    ruleset: number,
    type: number,
    rule: Uint8Array,
    flags: number,
  ) => number;
  /** landlock_restrict_self(2) */
  readonly callRestrictSelf: (nr: number, ruleset: number, flags: number) => number;
  /** seccomp(2) */
  readonly callSeccomp: (nr: number, operation: number, flags: number, argument: Uint8Array | null) => number;
}

let opened: Libc | undefined;

/** Opens libc, once on each thread. @throws PolyvisorError `unsupported` where there is none (another system). */
export function openLibc(): Libc {
  opened ??= load();
  return opened;
}

function load(): Libc {
  try {
    if (process.platform !== 'linux') throw new Error(`the system is ${process.platform}`);
    const library = koffi.load('libc.so.6');
    // Variadic ones are declared as if they were not: on 64-bit Linux the arguments travel the same way.
    return {
      prctl: library.func(
        'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
      ),
      fcntl: library.func('int fcntl(int fd, int command, int argument)'),
      setrlimit: library.func('int setrlimit(int resource, const uint8_t *limits)'),
      getrlimit: library.func('int getrlimit(int resource, _Out_ uint8_t *limits)'),
      capset: library.func('int capset(uint8_t *header, const uint8_t *data)'),
      execve: library.func('int execve(const char *path, const char **argv, const char **env)'),
      callCreateRuleset: library.func(
        'long syscall(long number, const uint8_t *attributes, size_t bytes, unsigned int flags)',
      ),
      callAddRule: library.func(
        'long syscall(long number, int ruleset, int type, const uint8_t *rule, unsigned int flags)',
      ),
      callRestrictSelf: library.func('long syscall(long number, int ruleset, unsigned int flags)'),
      callSeccomp: library.func(
        'long syscall(long number, unsigned int operation, unsigned int flags, const uint8_t *argument)',
      ),
    } as Libc;
  } catch (cause) {
    const limit = cause instanceof Error ? cause.message : String(cause);
    throw new PolyvisorError('unsupported', { what: "can't confine a process", limit, cause });
  }
}

/** Number of the last failed call's error. Read it at once. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Name of the last failed call's error: `EPERM`. Read it at once. */
export function lastErrorName(): string {
  return getSystemErrorName(-koffi.errno());
}

/** The error for a failed step of a confinement. Read it at once. */
export function confinementError(what: string, which: string): PolyvisorError {
  const errno = koffi.errno();
  const denied = errno === constants.errno.EPERM || errno === constants.errno.EACCES;
  return new PolyvisorError(denied ? 'permission' : 'io', { what, which, limit: getSystemErrorName(-errno) });
}

/** Address of bytes that stand in an ArrayBuffer of their own, and so never move. */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return BigInt(koffi.address(bytes));
}
