import { PolyvisorError, type MemoryRegion } from '@polyvisor/contracts';
import { checkMemfd, createMemfd, HOST_PAGE, mapShared, overlay, type Memfd } from '@polyvisor/shared-memory';
import { createGuestMemory, type BackedGuestMemory, type GuestMemoryHooks } from '../guest-memory.ts';
import { PAGE_SIZE, type GuestMemoryLayout } from '../layout.ts';
import { COUNTER_WORDS } from '../page-flags.ts';

/*
 * Guest memory in two memfds, so that devices in another process meet the same guest:
 *
 *   RAM    the regions in the owner's order, back to back. Those of ROM are holes: nobody else can write a ROM.
 *   flags  a page with the counters, then one flag byte for each page of the first memfd
 *
 * vCPU state, TLBs and translated code lie elsewhere in the owner's memory and are not shared. A hostile device
 * process can do to the guest what a device with DMA can: its RAM, and (by the flags) its stale translations and its
 * dirty log. It can't reach the owner.
 */

const FLAGS_AT = HOST_PAGE;

/** The two pieces of memory behind a guest's. */
export interface GuestMemfds {
  readonly ram: Memfd;
  readonly flags: Memfd;
}

/** Bytes of the memfds for a guest with these regions (all of them, in the order of the VM's configuration). */
export function guestMemfdSizes(regions: readonly MemoryRegion[]): {
  readonly ram: number;
  readonly flags: number;
} {
  const ram = regions.reduce((sum, region) => sum + region.size, 0);
  return { ram, flags: FLAGS_AT + Math.ceil(ram / PAGE_SIZE / HOST_PAGE) * HOST_PAGE };
}

/**
 * Makes both. Give them to the accelerator's process and to each device process of this VM, and to nobody else.
 * @throws PolyvisorError `unsupported`, `limit`.
 */
export function createGuestMemfds(name: string, regions: readonly MemoryRegion[]): GuestMemfds {
  const sizes = guestMemfdSizes(regions);
  const ram = createMemfd(`${name}-ram`, sizes.ram);
  try {
    return { ram, flags: createMemfd(`${name}-flags`, sizes.flags) };
  } catch (error) {
    ram.close();
    throw error;
  }
}

/**
 * The owner's side: lays the memfds under the RAM and the flags of a memory that nobody has written yet (the machine's
 * `onMemory`). The guest runs as fast as without.
 * @throws PolyvisorError `corrupt` when a descriptor is not what {@link createGuestMemfds} makes; `unsupported` when the
 * accelerator lays out its memory in another way, or the host can't; `io`, `limit`.
 */
export function overlayGuestMemory(layout: GuestMemoryLayout, ramFd: number, flagsFd: number): void {
  const { regions, counters, flagsFirstPage } = layout;
  const buffer = layout.buffer as SharedArrayBuffer;
  const sizes = guestMemfdSizes(regions);
  checkMemfd(ramFd, sizes.ram);
  checkMemfd(flagsFd, sizes.flags);
  checkPlaces(layout, sizes.flags);
  overlay(buffer, counters.byteOffset, sizes.flags, flagsFd, 0);
  for (const region of regions) {
    if (region.readOnly) continue;
    overlay(buffer, region.offset, region.size, ramFd, region.offset - flagsFirstPage * PAGE_SIZE);
  }
  shared.add(buffer);
}

/** Only then do the owner's offsets become those of the other processes, and nothing else comes to lie in the memfds. */
function checkPlaces({ regions, counters, flags, flagsFirstPage, buffer }: GuestMemoryLayout, bytes: number) {
  let next = flagsFirstPage * PAGE_SIZE;
  for (const region of regions) {
    if (region.offset !== next) throw unsupported('regions are not back to back');
    next += region.size;
  }
  const inPlace =
    counters.buffer === buffer &&
    flags.buffer === buffer &&
    counters.byteOffset % HOST_PAGE === 0 &&
    flags.byteOffset === counters.byteOffset + FLAGS_AT &&
    (counters.byteOffset + bytes <= flagsFirstPage * PAGE_SIZE || counters.byteOffset >= next);
  if (!inPlace) throw unsupported('flags and counters have no pages of their own');
}

function unsupported(limit: string): PolyvisorError {
  return new PolyvisorError('unsupported', { what: "this memory can't be shared", limit });
}

/** What a device process was given. */
export interface SharedGuestMemoryOptions {
  readonly ramFd: number;
  readonly flagsFd: number;
  /** All regions of the VM, in the order of its configuration. */
  readonly regions: readonly MemoryRegion[];
  /**
   * `onCodeWrite`'s offset is into the RAM memfd: the caller tells the owner, before it tells it of what it wrote for
   * (the interrupt), and the owner calls {@link ownersOffset}.
   */
  readonly hooks?: GuestMemoryHooks;
}

/** Guest memory that belongs to another process. */
export interface SharedGuestMemory extends BackedGuestMemory {
  /** Unmaps it; what is still under way writes to nowhere. */
  close(): void;
}

/**
 * A device process's side: guest memory as `createGuestMemory` gives it, without ROM. Allocates nothing: pages become
 * resident once for all processes, when first touched. Takes 16 GiB of address space.
 * @throws PolyvisorError `corrupt`, `unsupported`, `io`, `limit`.
 */
export function openSharedGuestMemory(options: SharedGuestMemoryOptions): SharedGuestMemory {
  const { ramFd, flagsFd, regions } = options;
  const sizes = guestMemfdSizes(regions);
  checkMemfd(ramFd, sizes.ram);
  checkMemfd(flagsFd, sizes.flags);
  const ram = mapShared(ramFd, sizes.ram);
  const flags = mapShared(flagsFd, sizes.flags);
  let end = 0;
  const backed = regions.map((region) => {
    const offset = end;
    end += region.size;
    return { gpa: region.gpa, size: region.size, offset, readOnly: region.readOnly };
  });
  const layout: GuestMemoryLayout = {
    buffer: ram.buffer,
    regions: backed.filter((region) => !region.readOnly),
    flags: new Uint8Array(flags.buffer, FLAGS_AT, sizes.ram / PAGE_SIZE),
    flagsFirstPage: 0,
    counters: new Int32Array(flags.buffer, 0, COUNTER_WORDS),
  };
  shared.add(ram.buffer);
  return {
    ...createGuestMemory(layout, options.hooks),
    close() {
      ram.close();
      flags.close();
    },
  };
}

/**
 * Where a range that a device process named (offset in the RAM memfd, length) lies in the owner's memory; -1 when it
 * is not wholly in one region of RAM: a peer's mistake or malice.
 */
export function ownersOffset(layout: GuestMemoryLayout, offset: number, length: number): number {
  const here = offset + layout.flagsFirstPage * PAGE_SIZE;
  for (const region of layout.regions) {
    const inside = here - region.offset;
    if (!region.readOnly && inside >= 0 && length >= 0 && inside <= region.size - length) return here;
  }
  return -1;
}

const shared = new WeakSet<ArrayBufferLike>();

/** Whether other processes have this memory, too. Known on the thread that mapped it. */
export function isSharedBetweenProcesses(layout: GuestMemoryLayout): boolean {
  return shared.has(layout.buffer);
}
