import { closeSync, constants as fs, fstatSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { PolyvisorError } from '@polyvisor/contracts';
import { confinementError, lastErrno, lastErrorName, openLibc } from './libc.ts';
import { syscallNumber, type SyscallArchitecture } from './seccomp/syscalls.ts';

/** Rights on files (linux/landlock.h LANDLOCK_ACCESS_FS_*), as bits. */
export const FS = {
  execute: 1,
  writeFile: 1 << 1,
  readFile: 1 << 2,
  readDir: 1 << 3,
  removeDir: 1 << 4,
  removeFile: 1 << 5,
  makeChar: 1 << 6,
  makeDir: 1 << 7,
  makeReg: 1 << 8,
  makeSock: 1 << 9,
  makeFifo: 1 << 10,
  makeBlock: 1 << 11,
  makeSym: 1 << 12,
  /** Renames and links from one folder into another; ABI 2. */
  refer: 1 << 13,
  /** ABI 3. */
  truncate: 1 << 14,
  /** ABI 5. */
  ioctlDev: 1 << 15,
  /** Connecting to a unix socket by its name; ABI 9. */
  resolveUnix: 1 << 16,
} as const;

/** The ABI that first knew something. */
export const ABI = {
  refer: 2,
  truncate: 3,
  tcp: 4,
  ioctlDev: 5,
  scopes: 6,
  resolveUnix: 9,
  udp: 10,
} as const;

const ABI_1_RIGHTS = (1 << 13) - 1;
const RIGHTS_SINCE: readonly (readonly [number, number])[] = [
  [1, ABI_1_RIGHTS],
  [ABI.refer, FS.refer],
  [ABI.truncate, FS.truncate],
  [ABI.ioctlDev, FS.ioctlDev],
  [ABI.resolveUnix, FS.resolveUnix],
];
/** Rights that make sense on something that is no folder; the kernel refuses rules with others. */
const FILE_RIGHTS = FS.execute | FS.writeFile | FS.readFile | FS.truncate | FS.ioctlDev | FS.resolveUnix;

const NET = { bindTcp: 1, connectTcp: 2 } as const;
const SCOPE = { abstractUnixSockets: 1, signals: 2 } as const;

const CREATE_RULESET_VERSION = 1;
const RULE_PATH_BENEATH = 1;
const RULE_NET_PORT = 2;
/** open(2), asm-generic/fcntl.h */
const O_PATH = 0o10000000;

/** A file or a tree with the rights on it. */
export interface PathRule {
  readonly path: string;
  readonly rights: number;
  /** Skipped where it does not exist, instead of failing. */
  readonly optional?: boolean;
}

/** What a process may do; all else that the kernel's Landlock knows is refused. */
export interface LandlockRules {
  readonly paths: readonly PathRule[];
  /** Undefined: ports are not looked at. */
  readonly tcpConnect?: readonly number[] | undefined;
  readonly tcpListen: readonly number[];
}

/** Version of the kernel's Landlock, or why there is none. */
export type LandlockProbe = { readonly abi: number } | { readonly abi: 0; readonly reason: string };

/** Asks the kernel; changes nothing. */
export function probeLandlock(architecture: SyscallArchitecture): LandlockProbe {
  const number = syscallNumber('landlock_create_ruleset', architecture);
  const abi = openLibc().callCreateRuleset(number, null, 0, CREATE_RULESET_VERSION);
  if (abi > 0) return { abi };
  const reasons: Readonly<Record<number, string>> = {
    [constants.errno.ENOSYS]: 'this kernel is older than 5.13, or was built without it',
    [constants.errno.EOPNOTSUPP]: 'it is switched off (boot parameter lsm=)',
    [constants.errno.EPERM]: 'a filter around this process refuses it (a container?)',
  };
  return { abi: 0, reason: reasons[lastErrno()] ?? lastErrorName() };
}

/**
 * Restricts the calling thread, and whatever it starts or executes from now on. Other threads keep what they have:
 * call it where an execve follows. Needs no_new_privs or CAP_SYS_ADMIN.
 * @throws PolyvisorError `not-found` (a file that is not optional), `permission`, `io`.
 */
export function restrictThread(rules: LandlockRules, abi: number, architecture: SyscallArchitecture): void {
  const libc = openLibc();
  const rights = rightsOf(abi);
  const net = abi >= ABI.tcp ? NET.bindTcp | (rules.tcpConnect === undefined ? 0 : NET.connectTcp) : 0;
  const scopes = abi >= ABI.scopes ? SCOPE.abstractUnixSockets | SCOPE.signals : 0;
  const attributes = words(rights, net, scopes);
  // An older kernel takes a longer struct as long as what it doesn't know is zero.
  const create = syscallNumber('landlock_create_ruleset', architecture);
  const ruleset = libc.callCreateRuleset(create, attributes, attributes.length, 0);
  if (ruleset < 0) throw confinementError("can't make a Landlock ruleset", `ABI ${abi}`);
  try {
    const add = (type: number, rule: Uint8Array, what: string): void => {
      const number = syscallNumber('landlock_add_rule', architecture);
      if (libc.callAddRule(number, ruleset, type, rule, 0) !== 0) {
        throw confinementError("can't add a Landlock rule", what);
      }
    };
    for (const rule of rules.paths) addPath(rule, rights, add);
    if (net !== 0) {
      for (const port of rules.tcpListen) add(RULE_NET_PORT, words(NET.bindTcp, port), `port ${port}`);
      for (const port of rules.tcpConnect ?? [])
        add(RULE_NET_PORT, words(NET.connectTcp, port), `port ${port}`);
    }
    if (libc.callRestrictSelf(syscallNumber('landlock_restrict_self', architecture), ruleset, 0) !== 0) {
      throw confinementError("can't enter a Landlock domain", `ABI ${abi}`);
    }
  } finally {
    closeSync(ruleset);
  }
}

/** All rights on files that an ABI can refuse. */
export function rightsOf(abi: number): number {
  return RIGHTS_SINCE.reduce((rights, [since, added]) => (abi >= since ? rights | added : rights), 0);
}

function addPath(
  { path, rights, optional }: PathRule,
  handled: number,
  add: (type: number, rule: Uint8Array, what: string) => void,
): void {
  let fd;
  try {
    fd = openSync(path, O_PATH | fs.O_RDONLY);
  } catch (cause) {
    if (optional === true) return;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new PolyvisorError(missing ? 'not-found' : 'permission', {
      what: "can't give a confined process its file",
      which: path,
      limit: (cause as NodeJS.ErrnoException).code ?? '',
      cause,
    });
  }
  try {
    const possible = fstatSync(fd).isDirectory() ? handled : handled & FILE_RIGHTS;
    if ((rights & possible) === 0) return;
    // struct landlock_path_beneath_attr: 64 bits of rights, then the descriptor, packed.
    const rule = words(rights & possible, fd).subarray(0, 12);
    add(RULE_PATH_BENEATH, rule, path);
  } finally {
    closeSync(fd);
  }
}

/** 64-bit words whose upper halves are zero. */
function words(...values: readonly number[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach((value, index) => view.setUint32(index * 8, value, true));
  return new Uint8Array(view.buffer);
}
