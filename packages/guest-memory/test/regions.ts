import type { MemoryRegion } from '@polyvisor/contracts';

/** ROM lies between two pieces of RAM. */
export const LOW = 0x1000_0000;
export const ROM = 0x2000_0000;
export const HIGH = 0x8000_0000;
export const REGIONS: readonly MemoryRegion[] = [
  { gpa: HIGH, size: 16 << 20, readOnly: false },
  { gpa: ROM, size: 0x3000, readOnly: true },
  { gpa: LOW, size: 0x5000, readOnly: false },
];
