import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { StateSchema } from '@polyvisor/proto';
import { aclintState } from '@polyvisor/proto/state/aclint';
import { plicState } from '@polyvisor/proto/state/plic';
import type { Aclint } from './aclint/aclint.ts';
import type { Plic } from './plic/plic.ts';

/*
 * Saved state of the controllers. Apart from them, so that vCPU threads, which never save, don't load the codec.
 */

/** Call while nothing runs. */
export function savePlic(plic: Plic): StateSection {
  return section(plicState, plic.capture());
}

/** @throws PolyvisorError `corrupt` or `unsupported`; the controller is then as after reset or untouched. */
export function loadPlic(plic: Plic, saved: StateSection): void {
  plic.restore(decode(plicState, saved));
}

/** Call while nothing runs. */
export function saveAclint(aclint: Aclint): StateSection {
  return section(aclintState, aclint.capture());
}

/** @throws PolyvisorError `corrupt` or `unsupported`; the controller is then as after reset or untouched. */
export function loadAclint(aclint: Aclint, saved: StateSection): void {
  aclint.restore(decode(aclintState, saved));
}

function section<T extends object>(schema: StateSchema<T>, state: T): StateSection {
  return { type: schema.name, version: schema.version, bytes: schema.encode(state) };
}

function decode<T extends object>(schema: StateSchema<T>, saved: StateSection): T {
  if (saved.type !== schema.name) {
    throw new PolyvisorError('corrupt', {
      what: 'saved state is of another device',
      which: saved.type,
      limit: `${schema.name} expected`,
    });
  }
  return schema.decode(saved.bytes);
}
