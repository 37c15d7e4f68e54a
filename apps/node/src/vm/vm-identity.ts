import { generateKeyPairSync } from 'node:crypto';
import { issueToken } from '@polyvisor/rpc/channel';
import type { Role } from '@polyvisor/rpc/channel';
import type { ProcessRole } from '../process/process-setup.ts';

/** Who is who among the processes of one VM: a key pair that lives as long as its supervisor. */
export interface VmIdentity {
  /** DER as base64. */
  readonly publicKey: string;
  audience(role: ProcessRole): string;
  /** A token that `caller` shows to the process of `role`. */
  token(caller: Role, role: ProcessRole): string;
}

/** A new key pair; the private half stays here. */
export function createVmIdentity(vm: string): VmIdentity {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const audience = (role: ProcessRole): string => `${vm}/${role}`;
  return {
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    audience,
    token: (caller, role) =>
      issueToken(
        { role: caller, vm, audience: audience(role), epoch: 1, iat: Math.floor(Date.now() / 1000) },
        privateKey,
      ),
  };
}
