import { isAbsolute } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Mechanism } from './report.ts';

/** Roles of processes that are confined. */
export type ConfinedRole = 'vmm' | 'device-host' | 'block-host';

const ROLES: readonly ConfinedRole[] = ['vmm', 'device-host', 'block-host'];

/** Names, absolute. Symbolic links are followed when the policy is applied; what a name means later does not matter. */
export interface PathGrants {
  readonly readOnly?: readonly string[];
  readonly readWrite?: readonly string[];
}

/** Sockets of a process. Without any TCP and UDP it has no internet sockets at all. */
export interface SocketGrants {
  /** Unix sockets that it may connect to. They need not exist yet; their folders must. */
  readonly connect?: readonly string[];
  /** Unix sockets that it makes: it may make sockets, and remove files, in their folders. */
  readonly listen?: readonly string[];
  /** Remote TCP ports, or any: user networking's. */
  readonly tcpConnect?: readonly number[] | 'any';
  /** Local TCP ports; 0 is "some free one". */
  readonly tcpListen?: readonly number[];
  /** UDP, to and from anywhere. */
  readonly udp?: boolean;
}

/** Resource limits (setrlimit(2)); core dumps, which would hold a guest's memory, are always off. */
export interface ConfinementLimits {
  /** Descriptors; 4096 if not said. */
  readonly openFiles?: number;
  /** Threads of the user, over all of its processes; 1024 if not said. Set with an own user only. */
  readonly threads?: number;
  /** Bytes of the longest file that it may write. Not for processes that write images. */
  readonly fileBytes?: number;
}

/** All that a process may touch. What is not named here, and not part of {@link runtimeGrants}, is refused. */
export interface ConfinementPolicy {
  readonly role: ConfinedRole;
  /** Program text: the folders it is loaded from. See `programFolders`. */
  readonly program: readonly string[];
  /** Single files (and device nodes), which must exist. A file that is replaced by rename is no longer the one granted. */
  readonly files?: PathGrants;
  /** Whole trees; "readWrite" includes making, renaming and removing, never device nodes. */
  readonly folders?: PathGrants;
  readonly sockets?: SocketGrants;
  /** Changes modes, owners, times and extended attributes of files: shares do. */
  readonly changesMetadata?: boolean;
  /** User and group of its own: one per VM. Needs a start as root. Without it the process keeps its user. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly limits?: ConfinementLimits;
  /** Inherited descriptors that it keeps besides 0, 1 and 2. */
  readonly descriptors?: readonly number[];
  /** No start without these. Default: start with what there is, and report what is missing. */
  readonly require?: readonly Mechanism[];
}

const MAX_PATHS = 4096;
const MAX_ID = 0xfffffffe;
const MAX_PORT = 65535;
const MAX_DESCRIPTOR = 65535;

/**
 * Checks a policy before anything of it is applied.
 * @throws PolyvisorError `invalid-argument`.
 */
export function checkPolicy(policy: ConfinementPolicy): void {
  if (!ROLES.includes(policy.role)) throw invalid('role', String(policy.role), `one of ${ROLES.join(', ')}`);
  const { files, folders, sockets, user, limits, descriptors } = policy;
  const paths = [
    policy.program,
    ...[files?.readOnly, files?.readWrite, folders?.readOnly, folders?.readWrite],
    ...[sockets?.connect, sockets?.listen],
  ].flatMap((list) => list ?? []);
  if (paths.length > MAX_PATHS) throw invalid('paths', String(paths.length), `at most ${MAX_PATHS}`);
  for (const path of paths) {
    if (!isAbsolute(path) || path.includes('\0')) throw invalid('path', path, 'it must be absolute');
  }
  const connect = sockets?.tcpConnect;
  const ports = [...(sockets?.tcpListen ?? []), ...(connect === 'any' ? [] : (connect ?? []))];
  ports.forEach((port) => checkNumber('port', port, MAX_PORT));
  (descriptors ?? []).forEach((fd) => checkNumber('descriptor', fd, MAX_DESCRIPTOR));
  if (user !== undefined) {
    checkNumber('uid', user.uid, MAX_ID);
    checkNumber('gid', user.gid, MAX_ID);
    if (user.uid === 0 || user.gid === 0) throw invalid('user', 'root', 'an own user is never root');
  }
  for (const [name, value] of Object.entries(limits ?? {})) {
    checkNumber(name, value as number, Number.MAX_SAFE_INTEGER);
  }
}

/** Whether a policy gives TCP sockets. */
export function hasTcp({ sockets }: ConfinementPolicy): boolean {
  // 'any' has a length, too.
  return (sockets?.tcpConnect?.length ?? 0) > 0 || (sockets?.tcpListen?.length ?? 0) > 0;
}

function checkNumber(what: string, value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) {
    throw invalid(what, String(value), `0 to ${max}`);
  }
}

function invalid(what: string, which: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: `bad ${what} in a confinement`, which, limit });
}
