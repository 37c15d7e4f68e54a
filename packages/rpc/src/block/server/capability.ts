import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import { vmName } from '../../channel/identity.ts';
import { openClaims, signClaims } from '../../channel/token.ts';

/** What a capability allows. */
export interface VolumeClaims {
  readonly volume: string;
  readonly vm: string;
  readonly access: 'read' | 'read-write';
}

/** Makes and opens capabilities. */
export interface Capabilities {
  grant(claims: VolumeClaims): Uint8Array;
  /** About 60 us. @throws PolyvisorError `permission`. */
  open(capability: Uint8Array): VolumeClaims;
}

const purpose = 'volume';
const lengthLimit = 2048;

/**
 * Capabilities that live as long as their key. Without a key one is made: those of an earlier process are void then,
 * and so is whoever was stopped and wakes up with one.
 * @param key private, Ed25519.
 */
export function createCapabilities(key?: KeyObject): Capabilities {
  const privateKey = key ?? generateKeyPairSync('ed25519').privateKey;
  const publicKey = createPublicKey(privateKey);
  return {
    grant: ({ volume, vm, access }) => Buffer.from(signClaims(purpose, { volume, vm, access }, privateKey)),
    open(capability) {
      if (capability.length > lengthLimit) throw refused('too long');
      const claims = openClaims(purpose, Buffer.from(capability).toString('latin1'), publicKey);
      const { volume, vm, access } = (claims ?? {}) as Record<string, unknown>;
      if (typeof volume !== 'string' || typeof vm !== 'string' || !vmName.test(vm))
        throw refused('no volume or VM');
      if (access !== 'read' && access !== 'read-write') throw refused('no access that is known');
      return { volume, vm, access };
    },
  };
}

function refused(limit: string): PolyvisorError {
  return new PolyvisorError('permission', { what: 'a capability is refused', limit });
}
