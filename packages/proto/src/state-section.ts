import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { StateSchema } from './define-state.ts';

/** The section that holds `live`, as `Device.save` returns it. */
export function saveSection<T extends object>(schema: StateSchema<T>, live: T): StateSection {
  return { type: schema.name, version: schema.version, bytes: schema.encode(live) };
}

/**
 * Takes a section over into the live object: all of it, or nothing when it throws.
 * @throws PolyvisorError `corrupt` when the section is of another type, malformed or out of range,
 * `unsupported` for fields of a newer version.
 */
export function loadSection<T extends object>(schema: StateSchema<T>, live: T, section: StateSection): void {
  if (section.type !== schema.name) {
    throw new PolyvisorError('corrupt', {
      what: "saved state doesn't belong to this device",
      which: section.type,
      limit: `expected ${schema.name}`,
    });
  }
  schema.load(live, section.bytes);
}
