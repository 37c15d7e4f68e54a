export { createPageDiscard } from './page-discard.ts';
export {
  createGuestMemfds,
  guestMemfdSizes,
  isSharedBetweenProcesses,
  openSharedGuestMemory,
  overlayGuestMemory,
  ownersOffset,
} from './shared-guest-memory.ts';
export type { GuestMemfds, SharedGuestMemory, SharedGuestMemoryOptions } from './shared-guest-memory.ts';
