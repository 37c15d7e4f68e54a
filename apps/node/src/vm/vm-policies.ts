import { blockHostPolicy, deviceHostPolicy, programFolders, vmmPolicy } from '@polyvisor/confine';
import type { ConfinementPolicy, RoleOptions } from '@polyvisor/confine';
import type { ProcessRole } from '../process/process-setup.ts';
import type { VmFolder } from './vm-folder.ts';
import type { VmPlan } from './vm-plan.ts';

/** What the processes of a VM may touch: nothing that its plan doesn't name. */
export interface VmPolicies {
  policy(role: ProcessRole): ConfinementPolicy;
}

export interface VmPoliciesOptions {
  readonly plan: VmPlan;
  readonly folder: VmFolder;
  /** Path of the script that is run. */
  readonly script: string;
  /** Absent: the processes keep this one's user. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Files behind the disks that are only read. */
  readonly backingFiles?: readonly string[];
}

/** Policies of each role. */
export function createVmPolicies(options: VmPoliciesOptions): VmPolicies {
  const { plan, folder, script, user, backingFiles = [] } = options;
  const base = (role: ProcessRole, peers: readonly ProcessRole[]): RoleOptions => ({
    program: programFolders(script),
    connect: peers.map((peer) => folder.socket(peer)),
    listen: [folder.socket(role), folder.socket(`${role}-metrics`)],
    ...(user === undefined ? {} : { user }),
  });
  const paths = (list: readonly { path: string; readOnly: boolean }[]) => ({
    readOnly: list.filter(({ readOnly }) => readOnly).map(({ path }) => path),
    readWrite: list.filter(({ readOnly }) => !readOnly).map(({ path }) => path),
  });
  const make: Readonly<Record<ProcessRole, () => ConfinementPolicy>> = {
    cpu: () => {
      const { kernel, initrd, firmware } = plan;
      const files = [kernel, initrd, firmware.kind === 'file' ? firmware.path : undefined];
      return vmmPolicy({ ...base('cpu', ['devices']), images: files.filter((path) => path !== undefined) });
    },
    devices: () => {
      const { shares, nets } = plan;
      const forwardedPorts = nets.flatMap(({ forwards }) => forwards.map(({ hostPort }) => hostPort));
      return deviceHostPolicy({
        ...base('devices', ['block']),
        ...(shares.length === 0 ? {} : { shares: paths(shares) }),
        ...(nets.length === 0 ? {} : { userNetworking: { forwardedPorts } }),
      });
    },
    block: () => {
      const images = paths(plan.disks);
      return blockHostPolicy({
        ...base('block', []),
        images: { readOnly: [...images.readOnly, ...backingFiles], readWrite: images.readWrite },
      });
    },
  };
  return { policy: (role) => make[role]() };
}
