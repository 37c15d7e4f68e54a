import type { MemoryRegion } from '@polyvisor/contracts';
import type { GuestMemoryLayout } from './layout.ts';
import { PAGE_SIZE } from './layout.ts';
import { COUNTER_WORDS } from './page-flags.ts';
import type { BackedGuestMemory } from './guest-memory.ts';
import { createGuestMemory } from './guest-memory.ts';

/**
 * Allocates zeroed shared memory for regions, for accelerators without an address space of their own, and tests.
 * @throws RangeError when the host has no memory for it.
 */
export function allocateGuestMemory(regions: readonly MemoryRegion[]): GuestMemoryLayout {
  let size = 0;
  const backed = regions.map((region) => {
    const offset = size;
    size += region.size;
    return { gpa: region.gpa, size: region.size, readOnly: region.readOnly, offset };
  });
  return {
    buffer: new SharedArrayBuffer(size),
    regions: backed,
    flags: new Uint8Array(new SharedArrayBuffer(Math.ceil(size / PAGE_SIZE))),
    flagsFirstPage: 0,
    counters: new Int32Array(new SharedArrayBuffer(COUNTER_WORDS * 4)),
  };
}

/** Guest memory of one RAM region, for tests of devices: `createTestGuestMemory({ size: 0x10000 })` starts at 0x80000000. */
export function createTestGuestMemory(options: {
  readonly size: number;
  readonly gpa?: number;
}): BackedGuestMemory {
  const { size, gpa = 0x8000_0000 } = options;
  return createGuestMemory(allocateGuestMemory([{ gpa, size, readOnly: false }]));
}
