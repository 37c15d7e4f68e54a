import { PolyvisorError } from '@polyvisor/contracts';

/** What a process is; `admin` is a person, or a program that acts for one. */
export const roles = ['node', 'vmm', 'devices', 'block', 'migration', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Who calls, or who is called. */
export interface Identity {
  readonly role: Role;
  /** The VM that it belongs to; undefined for what serves many. */
  readonly vm: string | undefined;
  /** Epoch that its token was made for; 0 without a token. */
  readonly epoch: number;
  /** How it was found out. */
  readonly source: 'token' | 'certificate' | 'endpoint';
}

/** Names of VMs in certificates and tokens. */
export const vmName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export function isRole(text: unknown): text is Role {
  return roles.includes(text as Role);
}

/**
 * Checks that somebody may act for a VM: either it belongs to that VM, or it is a role that has none.
 * @throws PolyvisorError `permission`.
 */
export function requireVm(identity: Identity, vm: string): void {
  if (identity.vm === vm) return;
  if (identity.vm === undefined && ['node', 'migration', 'admin'].includes(identity.role)) return;
  throw new PolyvisorError('permission', {
    what: 'not the VM of the caller',
    which: vm,
    limit: identity.vm === undefined ? `a ${identity.role} without VM` : `caller is of ${identity.vm}`,
  });
}
