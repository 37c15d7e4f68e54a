import type { Gpa } from '@polyvisor/contracts';

/** A piece of guest-physical address space and where it lies in the backing buffer. */
export interface BackedRegion {
  /** Page-aligned. */
  readonly gpa: Gpa;
  /** Bytes, a multiple of the page size. */
  readonly size: number;
  /** Offset in the backing buffer, page-aligned. */
  readonly offset: number;
  /** ROM: neither the guest nor a device can write it, and `locate` doesn't find it. */
  readonly readOnly: boolean;
}

/**
 * Everything that a thread needs to reach guest memory. Structured-cloneable: made once by the owner of
 * the memory, then sent to each thread, where `createGuestMemory(layout)` opens it.
 */
export interface GuestMemoryLayout {
  readonly buffer: SharedArrayBuffer | ArrayBuffer;
  readonly regions: readonly BackedRegion[];
  /**
   * One byte of page flags (see `page-flags.ts`) per page of the backing buffer, starting with the page at
   * {@link flagsFirstPage}: flag index = floor(buffer offset / 4096) - flagsFirstPage.
   */
  readonly flags: Uint8Array;
  readonly flagsFirstPage: number;
  /** Shared counters, {@link COUNTER_WORDS} words; see `counter*` in `page-flags.ts`. */
  readonly counters: Int32Array;
}

/** Bytes of a page, the granule of flags and of the dirty log. */
export const PAGE_SIZE = 4096;
/** log2 of {@link PAGE_SIZE}. */
export const PAGE_SHIFT = 12;
