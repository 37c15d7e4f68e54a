import { chownSync, copyFileSync, constants, realpathSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import type { VmFolder } from './vm-folder.ts';
import type { VmPlan } from './vm-plan.ts';

/** A user that only the processes of one VM have. */
export interface VmUser {
  readonly uid: number;
  readonly gid: number;
}

/** What has been done so that a VM can run as its own user. */
export interface UserPreparation {
  /** Undefined: the processes keep this one's. */
  readonly user: VmUser | undefined;
  /** Why there is none. */
  readonly reason: string;
  /** The plan with files that this user can read. */
  readonly plan: VmPlan;
  /** Gives disks back to their owners. Idempotent. */
  restore(): void;
}

/** Users of VMs; no system gives out such numbers by itself. */
const FIRST_UID = 1_900_000_000;
const UIDS = 1 << 24;

/**
 * Prepares files for an own user, where this process is root and they can be reached: boot files that others may not
 * read are copied, disks change hands until `restore`. What stands in a way leaves all as it is.
 */
export function prepareUser(plan: VmPlan, folder: VmFolder, command: readonly string[]): UserPreparation {
  const given: (() => void)[] = [];
  const restore = (): void => {
    for (const back of given.splice(0).reverse()) back();
  };
  const none = (reason: string): UserPreparation => ({ user: undefined, reason, plan, restore: () => {} });
  if (process.getuid?.() !== 0) return none('not started as root');
  if (plan.shares.length > 0) return none('shared folders belong to others');
  // The folder's name is nobody else's.
  const uid = FIRST_UID + createHash('sha256').update(folder.path).digest().readUIntBE(0, 3);
  try {
    for (const path of [process.execPath, command.at(-1) ?? '']) {
      if (!reachable(path, 0o4)) return none(`not readable by others: ${path}`);
    }
    for (const { path } of plan.disks) {
      if (!foldersOpen(path)) return none(`its folder is not open to others: ${path}`);
    }
    const copied = copyBootFiles(plan, folder, uid);
    for (const { path, readOnly } of plan.disks) {
      if (!reachable(path, readOnly ? 0o4 : 0o6)) given.push(giveAway(path, uid));
    }
    folder.giveTo({ uid, gid: uid });
    return { user: { uid, gid: uid }, reason: '', plan: copied, restore };
  } catch (error) {
    restore();
    return none(error instanceof Error ? error.message : String(error));
  }
}

function copyBootFiles(plan: VmPlan, folder: VmFolder, uid: number): VmPlan {
  const copy = (path: string, name: string): string => {
    if (reachable(path, 0o4)) return path;
    const target = join(folder.path, name);
    copyFileSync(path, target, constants.COPYFILE_FICLONE);
    chownSync(target, uid, uid);
    return target;
  };
  const { kernel, initrd, firmware } = plan;
  return {
    ...plan,
    ...(kernel === undefined ? {} : { kernel: copy(kernel, 'kernel') }),
    ...(initrd === undefined ? {} : { initrd: copy(initrd, 'initrd') }),
    firmware: firmware.kind === 'file' ? { kind: 'file', path: copy(firmware.path, 'firmware') } : firmware,
  };
}

/** @returns how to take it back. */
function giveAway(given: string, uid: number): () => void {
  const path = realpathSync(given);
  const found = statSync(path);
  // One that a supervisor which died has left with its VM is root's again afterwards.
  const ours = found.uid === 0 || (found.uid >= FIRST_UID && found.uid < FIRST_UID + UIDS);
  if (!found.isFile() || found.nlink > 1 || !ours) {
    const limit = `owner ${found.uid}, ${found.nlink} names`;
    throw new PolyvisorError('permission', { what: 'a disk is not given away', which: path, limit });
  }
  chownSync(path, uid, uid);
  const gid = found.uid === 0 ? found.gid : 0;
  return () => {
    try {
      chownSync(path, 0, gid);
    } catch {
      // It was removed meanwhile.
    }
  };
}

/** Whether anybody may do this with a file. */
function reachable(path: string, bits: number): boolean {
  return foldersOpen(path) && (statSync(path).mode & bits) === bits;
}

function foldersOpen(given: string): boolean {
  let folder = dirname(realpathSync(given));
  for (;;) {
    if ((statSync(folder).mode & 0o1) === 0) return false;
    if (folder === dirname(folder)) return true;
    folder = dirname(folder);
  }
}
