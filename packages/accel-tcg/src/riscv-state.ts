import { PolyvisorError, type StateSection } from '@polyvisor/contracts';

/** Saves a hart's architectural state. */
export function saveState(_buffer: SharedArrayBuffer, _env: number): StateSection {
  throw new PolyvisorError('unsupported', { what: "can't save a vCPU yet" });
}

/** Takes over a saved state. */
export function loadState(_buffer: SharedArrayBuffer, _env: number, _section: StateSection): void {
  throw new PolyvisorError('unsupported', { what: "can't load a vCPU yet" });
}
