import type { StateSection } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { aclintState } from '@polyvisor/proto/state/aclint';
import { plicState } from '@polyvisor/proto/state/plic';
import type { Aclint } from './aclint/aclint.ts';
import type { Plic } from './plic/plic.ts';

/*
 * Saved state of the controllers. Apart from them, so that vCPU threads, which never save, don't load the codec.
 */

/** Call while nothing runs. */
export function savePlic(plic: Plic): StateSection {
  return saveSection(plicState, plic.capture());
}

/** @throws PolyvisorError `corrupt` or `unsupported`; the controller is then as after reset or untouched. */
export function loadPlic(plic: Plic, saved: StateSection): void {
  const state = plicState.create();
  loadSection(plicState, state, saved);
  plic.restore(state);
}

/** Call while nothing runs. */
export function saveAclint(aclint: Aclint): StateSection {
  return saveSection(aclintState, aclint.capture());
}

/** @throws PolyvisorError `corrupt` or `unsupported`; the controller is then as after reset or untouched. */
export function loadAclint(aclint: Aclint, saved: StateSection): void {
  const state = aclintState.create();
  loadSection(aclintState, state, saved);
  aclint.restore(state);
}
