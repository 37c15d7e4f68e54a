import { PolyvisorError } from '@polyvisor/contracts';
import type { Gpa, GuestMemory } from '@polyvisor/contracts';
import type { BackedRegion, GuestMemoryLayout } from './layout.ts';
import { PAGE_SIZE } from './layout.ts';
import {
  COUNTER_FENCE,
  COUNTER_STALE,
  COUNTER_WORDS,
  FLAG_CLEAN,
  FLAG_CODE,
  FLAG_DIRTY,
  FLAG_STALE,
  FLAGS_WATCHED,
} from './page-flags.ts';

/** What {@link createGuestMemory} may call. */
export interface GuestMemoryHooks {
  /**
   * A write met pages with translated code: their flags are STALE and the stale counter is bumped.
   * The accelerator kicks whoever must drop translations. `offset` is into the backing buffer.
   */
  readonly onCodeWrite?: (offset: number, length: number) => void;
}

/** Guest memory with what loaders and debuggers may do beyond devices. */
export interface BackedGuestMemory extends GuestMemory {
  readonly layout: GuestMemoryLayout;
  /** Like `locate`, but finds ROM, too. For the machine's own loaders only. */
  locateRom(gpa: Gpa, length: number): number;
  /** Copies host bytes into RAM or ROM. False unless the range lies in one region. */
  load(gpa: Gpa, bytes: Uint8Array): boolean;
}

/**
 * Opens guest memory on this thread. `locate` and `wrote` allocate nothing and cost some 10 ns
 * (`wrote` another 1 ns a page).
 * @throws PolyvisorError `invalid-argument` when the layout contradicts itself.
 */
export function createGuestMemory(
  layout: GuestMemoryLayout,
  hooks: GuestMemoryHooks = {},
): BackedGuestMemory {
  checkLayout(layout);
  const { buffer, flags, flagsFirstPage, counters } = layout;
  const ram = layout.regions.filter((region) => !region.readOnly);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const words = new Uint16Array(buffer, 0, Math.floor(buffer.byteLength / 2));
  const onCodeWrite = hooks.onCodeWrite;

  function wrote(gpa: Gpa, length: number): void {
    if (length === 0) return;
    const offset = locateIn(ram, gpa, length);
    if (offset >= 0) wroteAt(offset, length);
  }

  function wroteAt(offset: number, length: number): void {
    const first = Math.floor(offset / PAGE_SIZE) - flagsFirstPage;
    const last = Math.floor((offset + length - 1) / PAGE_SIZE) - flagsFirstPage;
    // The data must be visible before the flag is looked at: a translator sets CODE, then reads the bytes.
    Atomics.add(counters, COUNTER_FENCE, 1);
    let stale = false;
    for (let page = first; page <= last; page++) {
      if (((flags[page] as number) & FLAGS_WATCHED) !== 0) stale = touchWatchedPage(flags, page) || stale;
    }
    if (stale) {
      Atomics.add(counters, COUNTER_STALE, 1);
      onCodeWrite?.(offset, length);
    }
  }

  return {
    layout,
    bytes,
    view,
    words,
    locate: (gpa, length) => locateIn(ram, gpa, length),
    wrote,
    locateRom: (gpa, length) => locateIn(layout.regions, gpa, length),
    load(gpa, source) {
      const offset = locateIn(layout.regions, gpa, source.length);
      if (offset < 0) return false;
      bytes.set(source, offset);
      if (source.length > 0) wroteAt(offset, source.length);
      return true;
    },
  };
}

/** Marks a written page; returns whether its translated code became stale. */
function touchWatchedPage(flags: Uint8Array, page: number): boolean {
  for (;;) {
    const before = Atomics.load(flags, page);
    let after = before;
    if ((before & FLAG_CLEAN) !== 0) after = (after & ~FLAG_CLEAN) | FLAG_DIRTY;
    if ((before & FLAG_CODE) !== 0) after |= FLAG_STALE;
    if (before === after || Atomics.compareExchange(flags, page, before, after) === before) {
      return (before & FLAG_CODE) !== 0;
    }
  }
}

function locateIn(regions: readonly BackedRegion[], gpa: Gpa, length: number): number {
  for (let index = 0; index < regions.length; index++) {
    const region = regions[index] as BackedRegion;
    const inside = gpa - region.gpa;
    // A NaN or fraction fails the comparisons or is refused by the caller's own reading; lengths are never negative.
    if (inside >= 0 && length >= 0 && inside <= region.size - length) return region.offset + inside;
  }
  return -1;
}

function checkLayout(layout: GuestMemoryLayout): void {
  const { regions, buffer, flags, flagsFirstPage, counters } = layout;
  if (counters.length < COUNTER_WORDS) throw invalid('counters', `${counters.length} words`);
  for (const region of regions) {
    const { gpa, size, offset } = region;
    const which = `0x${gpa.toString(16)}`;
    const aligned = [gpa, size, offset].every(
      (value) => Number.isSafeInteger(value) && value >= 0 && value % PAGE_SIZE === 0,
    );
    if (!aligned || size === 0) throw invalid(which, 'address, size and offset must be multiples of 4096');
    if (offset + size > buffer.byteLength) throw invalid(which, 'beyond the end of its buffer');
    const firstPage = offset / PAGE_SIZE - flagsFirstPage;
    if (firstPage < 0 || firstPage + size / PAGE_SIZE > flags.length)
      throw invalid(which, 'pages without flags');
  }
  const sorted = [...regions].sort((a, b) => a.gpa - b.gpa);
  for (let index = 1; index < sorted.length; index++) {
    const below = sorted[index - 1] as BackedRegion;
    const above = sorted[index] as BackedRegion;
    if (below.gpa + below.size > above.gpa)
      throw invalid(`0x${above.gpa.toString(16)}`, 'overlaps another region');
  }
}

function invalid(which: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: 'bad guest memory layout', which, limit });
}
