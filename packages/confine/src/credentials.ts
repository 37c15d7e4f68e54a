import { constants } from 'node:os';
import { PolyvisorError } from '@polyvisor/contracts';
import { confinementError, lastErrno, openLibc } from './libc.ts';

// prctl(2), linux/prctl.h
const PR_SET_DUMPABLE = 4;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** linux/capability.h _LINUX_CAPABILITY_VERSION_3 */
const CAPABILITY_VERSION = 0x20080522;
/** More than there are: the kernel says where they end. */
const CAPABILITY_LIMIT = 64;

/**
 * Empties the bounding set, so that no program executed later gets a capability, not even root's.
 * @returns how many were dropped; 0 without CAP_SETPCAP.
 */
export function dropBoundingSet(): number {
  const { prctl } = openLibc();
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (let capability = 0; capability < CAPABILITY_LIMIT; capability++) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) === 0) continue;
    if (lastErrno() === constants.errno.EINVAL) return capability;
    if (lastErrno() === constants.errno.EPERM) return 0;
    throw confinementError("can't drop a capability", String(capability));
  }
  return CAPABILITY_LIMIT;
}

/** Gives up all capabilities of the calling thread. With an empty bounding set they don't come back by an execve. */
export function dropCapabilities(): void {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint32(0, CAPABILITY_VERSION, true);
  const none = new Uint8Array(new ArrayBuffer(24));
  if (openLibc().capset(new Uint8Array(header.buffer), none) !== 0) {
    throw confinementError("can't drop capabilities", 'of this process');
  }
}

/** Becomes another user, with no further groups, for ever. Needs root. */
export function becomeUser(uid: number, gid: number): void {
  if (process.setgroups === undefined || process.setgid === undefined || process.setuid === undefined) {
    throw new PolyvisorError('unsupported', { what: "can't change the user", limit: process.platform });
  }
  process.setgroups([]);
  process.setgid(gid);
  process.setuid(uid);
}

/** No execve gives more rights from now on (set-user-ID, file capabilities). Inherited by all that follow. */
export function forbidNewPrivileges(): void {
  if (openLibc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) {
    throw confinementError("can't set no_new_privs", 'of this process');
  }
}

/** Other processes of the same user can't trace it or read its memory, and no core is dumped. An execve undoes it. */
export function forbidTracing(): boolean {
  return openLibc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) === 0;
}
