export { allocateGuestMemory, createTestGuestMemory } from './allocate-guest-memory.ts';
export { createDirtyLog } from './dirty-log.ts';
export type { DirtyLog, DirtyRange } from './dirty-log.ts';
export { createGuestMemory } from './guest-memory.ts';
export type { BackedGuestMemory, GuestMemoryHooks } from './guest-memory.ts';
export { PAGE_SHIFT, PAGE_SIZE } from './layout.ts';
export type { BackedRegion, GuestMemoryLayout } from './layout.ts';
export * from './page-flags.ts';
