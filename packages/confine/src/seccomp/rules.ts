import type { Allowance, Condition, FilterRules } from './filter.ts';
import type { SyscallName } from './syscalls.ts';

/** What a role's filter depends on. */
export interface SyscallNeeds {
  /** The process itself: the only one it may signal. */
  readonly pid: number;
  /** Creates, renames and removes files. */
  readonly changesFolders: boolean;
  /** Changes modes, owners, times and extended attributes: a shared folder's guest does. */
  readonly changesMetadata: boolean;
  /** Gives its own threads lower priorities: the compiler's of a vmm. No filter can tell whose thread a number means. */
  readonly renices: boolean;
  /** Truncates files by name: given where Landlock looks at it (ABI 3). */
  readonly truncates: boolean;
  /** Connects to sockets, of whatever family. */
  readonly connects: boolean;
  /** Listens on sockets. */
  readonly listens: boolean;
  /** Has TCP sockets, over IPv4 and IPv6. */
  readonly tcp: boolean;
  /** Has UDP sockets (and ICMP echo through them). */
  readonly udp: boolean;
}

type Group = readonly SyscallName[];

/** Memory, threads, time, descriptors, events, reading and writing: what Node, V8 and wasm live on. */
const RUNTIME: Group = [
  ...['brk', 'mmap', 'munmap', 'mprotect', 'mremap', 'madvise', 'msync', 'mincore', 'mseal'],
  ...['mlock', 'mlock2', 'munlock', 'membarrier', 'pkey_alloc', 'pkey_free', 'pkey_mprotect'],
  ...['memfd_create', 'get_mempolicy', 'arch_prctl'],
  ...['exit', 'exit_group', 'wait4', 'waitid', 'set_tid_address', 'set_robust_list', 'get_robust_list'],
  ...['rseq', 'futex', 'futex_waitv', 'futex_wake', 'futex_wait', 'futex_requeue', 'restart_syscall'],
  ...['sched_yield', 'sched_getaffinity', 'sched_getparam', 'sched_getscheduler', 'sched_getattr'],
  ...['sched_get_priority_max', 'sched_get_priority_min', 'getpriority', 'getcpu'],
  ...['rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'rt_sigpending', 'rt_sigtimedwait'],
  ...['rt_sigsuspend', 'sigaltstack', 'pause', 'signalfd4'],
  ...['nanosleep', 'clock_nanosleep', 'clock_gettime', 'clock_getres', 'gettimeofday', 'time', 'times'],
  ...['timerfd_create', 'timerfd_settime', 'timerfd_gettime', 'setitimer', 'getitimer', 'alarm'],
  ...['timer_create', 'timer_settime', 'timer_gettime', 'timer_getoverrun', 'timer_delete'],
  ...['getpid', 'getppid', 'gettid', 'getpgid', 'getpgrp', 'getsid', 'getuid', 'geteuid', 'getgid'],
  ...['getegid', 'getresuid', 'getresgid', 'getgroups', 'capget', 'getrlimit', 'getrusage'],
  ...['uname', 'sysinfo', 'getrandom', 'umask', 'getcwd'],
  ...['read', 'write', 'readv', 'writev', 'pread64', 'pwrite64', 'preadv', 'pwritev', 'preadv2'],
  ...['pwritev2', 'lseek', 'close', 'close_range', 'dup', 'dup2', 'dup3', 'pipe', 'pipe2', 'sendfile'],
  ...['splice', 'tee', 'copy_file_range', 'poll', 'ppoll', 'select', 'pselect6', 'eventfd', 'eventfd2'],
  ...['epoll_create', 'epoll_create1', 'epoll_ctl', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2'],
  ...['open', 'openat', 'openat2', 'creat', 'stat', 'fstat', 'lstat', 'newfstatat', 'statx', 'access'],
  ...['faccessat', 'faccessat2', 'readlink', 'readlinkat', 'getdents', 'getdents64', 'statfs', 'fstatfs'],
  ...['flock', 'fsync', 'fdatasync', 'syncfs', 'sync_file_range', 'ftruncate', 'fallocate'],
  ...['fadvise64', 'readahead', 'cachestat'],
  ...['sendto', 'recvfrom', 'sendmsg', 'recvmsg', 'sendmmsg', 'recvmmsg', 'shutdown', 'getsockname'],
  ...['getpeername', 'setsockopt', 'getsockopt'],
  // These can only take more away.
  ...['seccomp', 'landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self'],
  // The launcher's last step needs the first; the new program refuses both before it reads anything.
  ...['execve', 'execveat'],
] as Group;

const FOLDER_CHANGES: Group = [
  ...['rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'mkdir', 'mkdirat', 'rmdir'],
  ...['link', 'linkat', 'symlink', 'symlinkat'],
] as Group;

const METADATA_CHANGES: Group = [
  ...['chmod', 'fchmod', 'fchmodat', 'fchmodat2', 'chown', 'fchown', 'lchown', 'fchownat', 'utime'],
  ...['utimes', 'futimesat', 'utimensat', 'mknod', 'mknodat', 'setxattr', 'lsetxattr', 'fsetxattr'],
  ...['removexattr', 'lremovexattr', 'fremovexattr'],
  ...['getxattr', 'lgetxattr', 'fgetxattr', 'listxattr', 'llistxattr', 'flistxattr'],
] as Group;

/** A server of a unix socket makes it, sets its mode, and removes it. */
const LISTENING: Group = ['bind', 'listen', 'accept', 'accept4', 'unlink', 'unlinkat', 'chmod', 'fchmodat'];

// clone(2), linux/sched.h
const CLONE_VM = 0x100;
const CLONE_SIGHAND = 0x800;
const CLONE_PTRACE = 0x2000;
const CLONE_VFORK = 0x4000;
const CLONE_THREAD = 0x10000;
const CLONE_UNTRACED = 0x800000;
const CLONE_INTO_NEW =
  0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000;
const THREAD = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_TYPE = 0xf;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
/** Whatever fits the type, ICMP (echo through a datagram socket), TCP, UDP, ICMPv6: none of SCTP, MPTCP, raw. */
const INTERNET_PROTOCOLS = [0, 1, 6, 17, 58];

/** fcntl(2): what makes the kernel signal somebody. */
const F_SETOWN = 8;
const F_SETSIG = 10;
const F_SETOWN_EX = 15;

/** prctl(2): names, dumpable, no_new_privs, seccomp, timer slack, huge pages; reads of the rest that libc asks for. */
const PRCTL = [1, 2, 3, 4, 15, 16, 21, 22, 23, 29, 30, 38, 39, 41, 42, 51, 52, 56, 0x53564d41];

/** ioctl(2): terminals without typing into them (TIOCSTI), descriptor flags, sizes and holes of block devices, reflinks. */
const IOCTL = [
  ...[0x5401, 0x5402, 0x5403, 0x5404, 0x5413, 0x540f, 0x541b, 0x5411, 0x5421, 0x5450, 0x5451],
  ...[0x80081272, 0x1260, 0x1268, 0x125e, 0x1261, 0x1277, 0x127f, 0x1278, 0x127a, 0x127b, 0x80081270],
  ...[0x40049409, 0x4020940d, 0xc020660b, 0x80086601, 0x40086602],
  // A tap device's.
  ...[0x400454ca, 0x400454d0, 0x400454d8, 0x800454d2, 0x800454cf],
];
/** All of KVM's (linux/kvm.h): useless without its device node, which Landlock gives or not. */
const IOCTL_TYPE = 0xff00;
const KVM_TYPE = 0xae00;

/** Filter of a role: an allow-list, since a list of what is dangerous is never complete. */
export function syscallRules(needs: SyscallNeeds): FilterRules {
  const families: Condition[][] = [
    [is(0, [AF_UNIX]), { argument: 1, mask: SOCK_TYPE, values: [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET] }],
  ];
  const types = [...(needs.tcp ? [SOCK_STREAM] : []), ...(needs.udp ? [SOCK_DGRAM] : [])];
  if (types.length > 0) {
    families.push([
      is(0, [AF_INET, AF_INET6]),
      { argument: 1, mask: SOCK_TYPE, values: types },
      is(2, INTERNET_PROTOCOLS),
    ]);
  }
  const groups = [
    RUNTIME,
    needs.changesFolders ? FOLDER_CHANGES : [],
    needs.changesMetadata ? METADATA_CHANGES : [],
    needs.listens ? LISTENING : [],
  ];
  const allowed: Allowance[] = groups.flat().map((name) => ({ name }));
  allowed.push(
    { name: 'socket', when: families },
    { name: 'socketpair', when: [[is(0, [AF_UNIX])]] },
    // Threads only: no process, no namespace.
    {
      name: 'clone',
      when: [
        [
          {
            argument: 0,
            mask: THREAD | CLONE_INTO_NEW | CLONE_PTRACE | CLONE_UNTRACED | CLONE_VFORK,
            values: [THREAD],
          },
        ],
      ],
    },
    { name: 'kill', when: [[is(0, [needs.pid])]] },
    { name: 'tgkill', when: [[is(0, [needs.pid])]] },
    { name: 'prlimit64', when: [[is(0, [0, needs.pid])]] },
    { name: 'sched_setaffinity', when: [[is(0, [0])]] },
    { name: 'fcntl', when: [[{ argument: 1, values: [F_SETOWN, F_SETSIG, F_SETOWN_EX], not: true }]] },
    { name: 'prctl', when: [[is(0, PRCTL)]] },
    { name: 'ioctl', when: [[is(1, IOCTL)], [{ argument: 1, mask: IOCTL_TYPE, values: [KVM_TYPE] }]] },
  );
  // PRIO_PROCESS, which means a thread.
  if (needs.renices) allowed.push({ name: 'setpriority', when: [[is(0, [0])]] });
  if (needs.truncates) allowed.push({ name: 'truncate' });
  if (needs.connects) allowed.push({ name: 'connect' });
  // UDP sockets that wait for answers from anywhere are bound.
  if (needs.udp) allowed.push({ name: 'bind' });
  // glibc makes threads with clone where clone3, whose flags no filter can see, does not exist.
  return { allowed, absent: ['clone3', 'io_uring_setup'] };
}

function is(argument: Condition['argument'], values: readonly number[]): Condition {
  return { argument, values };
}
