import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi, { type LibraryHandle } from 'koffi';
import { SYSCALLS, type SyscallName } from '../src/seccomp/syscalls.ts';
import type { Outcome, Targets } from './targets.ts';

/** On which thread a call happens: on this one, or on one of libuv's pool. */
export type Where = 'here' | 'pool';

const O_RDWR = 2;
const O_CREAT = 0o100;
const PTRACE_ATTACH = 16;
const PTRACE_SEIZE = 0x4206;
const { SIGSTOP } = constants.signals;
const SIGCHLD = 17;
const CLONE_NEWUSER = 0x10000000;
const AF_UNIX = 1;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const AF_VSOCK = 40;
const [STREAM, RAW] = [1, 3];

type Call = readonly [ReturnType<LibraryHandle['func']>, ...(number | string | Uint8Array | null)[]];

/** Everything that a process which loaded libc tries against others and the host. Nothing of it may be `ok`. @param only Names; all if not given. */
export async function attack(
  targets: Targets,
  where: Where,
  only?: readonly string[],
): Promise<Record<string, Outcome>> {
  const libc = koffi.load('libc.so.6');
  const open = libc.func('int open(const char *path, int flags, int mode)');
  const kill = libc.func('int kill(int pid, int signal)');
  const socket = libc.func('int socket(int family, int type, int protocol)');
  const connect = libc.func('int connect(int fd, const uint8_t *address, int bytes)');
  const execve = libc.func('int execve(const char *path, void *argv, void *env)');
  const mount = libc.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, void *data)',
  );
  const readv = libc.func(
    'long process_vm_readv(int pid, const uint8_t *local, unsigned long n, const uint8_t *remote, unsigned long m, unsigned long flags)',
  );
  const raw = libc.func('long syscall(long nr, long a, long b, long c, long d, long e)');
  const { pid, disk, memoryFd, memoryAddress } = targets.victim;
  const unixSocket = await result([socket, AF_UNIX, STREAM, 0], 'here');
  const attempts: Readonly<Record<string, Call>> = {
    'read a disk': [open, disk, 0, 0],
    'write a disk': [open, disk, O_RDWR, 0],
    'connect to a socket': [connect, unixSocket, unixAddress(targets.victim.socket), 110],
    'open its memory': [open, `/proc/${pid}/mem`, O_RDWR, 0],
    'open its RAM by descriptor': [open, `/proc/${pid}/fd/${memoryFd}`, O_RDWR, 0],
    'read its mappings': [open, `/proc/${pid}/maps`, 0, 0],
    'read its environment': [open, `/proc/${pid}/environ`, 0, 0],
    process_vm_readv: [
      readv,
      pid,
      iovec(new Uint8Array(new ArrayBuffer(64))),
      1,
      iovecAt(memoryAddress, 64),
      1,
      0,
    ],
    'ptrace attach': [raw, number('ptrace'), PTRACE_ATTACH, pid, 0, 0, 0],
    'ptrace seize': [raw, number('ptrace'), PTRACE_SEIZE, pid, 0, 0, 0],
    'stop it': [kill, pid, SIGSTOP],
    'stop a thread of it': [raw, number('tgkill'), pid, pid, SIGSTOP, 0, 0],
    'stop its parent': [kill, process.ppid, SIGSTOP],
    'signal everybody': [kill, -1, 0],
    'get a handle of it': [raw, number('pidfd_open'), pid, 0, 0, 0, 0],
    'limit it': [raw, number('prlimit64'), pid, 7, 0, 0, 0],
    execve: [execve, '/bin/true', null, null],
    'execve of itself': [execve, process.execPath, null, null],
    fork: [raw, number('clone'), SIGCHLD, 0, 0, 0, 0],
    mount: [mount, 'none', '/mnt', 'tmpfs', 0, null],
    'user namespace': [raw, number('unshare'), CLONE_NEWUSER, 0, 0, 0, 0],
    'raw socket': [socket, 2, RAW, 1],
    'packet socket': [socket, AF_PACKET, RAW, 0],
    'netlink socket': [socket, AF_NETLINK, RAW, 0],
    'vsock socket': [socket, AF_VSOCK, STREAM, 0],
    'create a file outside': [open, targets.outside, O_RDWR | O_CREAT, 0o600],
    'read a secret of the host': [open, '/etc/passwd', 0, 0],
    'become root': [raw, number('setuid'), 0, 0, 0, 0, 0],
    bpf: [raw, number('bpf'), 0, 0, 0, 0, 0],
    userfaultfd: [raw, number('userfaultfd'), 0, 0, 0, 0, 0],
    io_uring: [raw, number('io_uring_setup'), 1, 0, 0, 0, 0],
    x32: [raw, 0x40000000 + 39, 0, 0, 0, 0, 0],
  };
  const outcomes: Record<string, Outcome> = {};
  for (const [name, call] of Object.entries(attempts)) {
    if (only?.includes(name) ?? true) outcomes[name] = await outcome(call, where);
  }
  return outcomes;
}

/** Calls by number with zeroes; names of those that the kernel got to see. */
export function tryCalls(names: readonly SyscallName[]): string[] {
  const libc = koffi.load('libc.so.6');
  const raw = libc.func('long syscall(long nr, long a, long b, long c, long d, long e)') as (
    ...args: number[]
  ) => number;
  return names.filter((name) => {
    const nr = number(name);
    if (nr < 0) return false;
    if (raw(nr, 0, 0, 0, 0, 0) >= 0) return true;
    const errno = koffi.errno();
    return errno !== constants.errno.EPERM && errno !== constants.errno.ENOSYS;
  });
}

async function outcome(call: Call, where: Where): Promise<Outcome> {
  const value = await result(call, where);
  // A fork that worked: the child must not go on as if it were the test.
  if (value === 0 && call[1] === number('clone')) process.exit(1);
  if (value >= 0) return 'ok';
  return where === 'here' ? getSystemErrorName(-koffi.errno()) : 'refused';
}

function result([call, ...args]: Call, where: Where): Promise<number> {
  if (where === 'here') return Promise.resolve(Number((call as (...args: unknown[]) => number)(...args)));
  return new Promise((resolve, reject) => {
    call.async(...args, (error: Error | null, value: number) =>
      error === null ? resolve(Number(value)) : reject(error),
    );
  });
}

function number(name: SyscallName): number {
  return SYSCALLS[name][process.arch === 'arm64' ? 1 : 0];
}

function unixAddress(path: string): Uint8Array {
  const address = new Uint8Array(110);
  address[0] = AF_UNIX;
  address.set(new TextEncoder().encode(path), 2);
  return address;
}

function iovec(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  return iovecAt(Number(koffi.address(bytes)), bytes.length);
}

function iovecAt(address: number, bytes: number): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(address), BigInt(bytes)).buffer);
}
