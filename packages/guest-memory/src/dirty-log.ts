import type { BackedRegion, GuestMemoryLayout } from './layout.ts';
import { PAGE_SIZE } from './layout.ts';
import { COUNTER_HARVESTS, COUNTER_LOGGING, FLAG_CLEAN, FLAG_DIRTY } from './page-flags.ts';

/** A run of pages of one region that were written. */
export interface DirtyRange {
  readonly gpa: number;
  readonly length: number;
}

/**
 * Which pages were written since the last look. The order is the contract:
 * 1. `harvest()` *clears*: each dirty page becomes clean and is listed;
 * 2. the caller *revokes*: every writer on another thread passes a safe point and drops write permissions that it
 *    cached before (vCPU TLBs), so that a later write meets the CLEAN flag;
 * 3. only then the caller *copies* the listed pages. A write between 1 and 3 is in the copy or in the next harvest.
 */
export interface DirtyLog {
  /** Every RAM page becomes clean. The caller revokes, then copies all of RAM once. */
  start(): void;
  /** Step 1. Appends to `into` in address order; returns the number of dirty pages. Costs 1 ns a clean page. */
  harvest(into: DirtyRange[]): number;
  /** Pages lose their marks; harvests give nothing until the next start. */
  stop(): void;
}

/** The dirty log over a memory's shared flags; one per VM, on any thread. */
export function createDirtyLog(layout: GuestMemoryLayout): DirtyLog {
  const { flags, flagsFirstPage, counters } = layout;
  const ram = layout.regions.filter((region) => !region.readOnly);

  function forEachPage(visit: (page: number, gpa: number) => void): void {
    for (const region of ram) {
      const first = region.offset / PAGE_SIZE - flagsFirstPage;
      const pages = region.size / PAGE_SIZE;
      for (let index = 0; index < pages; index++) visit(first + index, region.gpa + index * PAGE_SIZE);
    }
  }

  return {
    start() {
      forEachPage((page) => change(flags, page, FLAG_DIRTY, FLAG_CLEAN));
      Atomics.store(counters, COUNTER_LOGGING, 1);
      Atomics.add(counters, COUNTER_HARVESTS, 1);
    },
    harvest(into) {
      let dirty = 0;
      for (const region of ram) dirty += harvestRegion(flags, flagsFirstPage, region, into);
      Atomics.add(counters, COUNTER_HARVESTS, 1);
      return dirty;
    },
    stop() {
      Atomics.store(counters, COUNTER_LOGGING, 0);
      forEachPage((page) => change(flags, page, FLAG_DIRTY | FLAG_CLEAN, 0));
    },
  };
}

function harvestRegion(
  flags: Uint8Array,
  flagsFirstPage: number,
  region: BackedRegion,
  into: DirtyRange[],
): number {
  const first = region.offset / PAGE_SIZE - flagsFirstPage;
  const pages = region.size / PAGE_SIZE;
  let dirty = 0;
  let runStart = -1;
  for (let index = 0; index < pages; index++) {
    const page = first + index;
    const isDirty = ((flags[page] as number) & FLAG_DIRTY) !== 0;
    if (isDirty) {
      change(flags, page, FLAG_DIRTY, FLAG_CLEAN);
      dirty++;
      if (runStart < 0) runStart = index;
    } else if (runStart >= 0) {
      into.push(range(region, runStart, index));
      runStart = -1;
    }
  }
  if (runStart >= 0) into.push(range(region, runStart, pages));
  return dirty;
}

function range(region: BackedRegion, from: number, to: number): DirtyRange {
  return { gpa: region.gpa + from * PAGE_SIZE, length: (to - from) * PAGE_SIZE };
}

function change(flags: Uint8Array, page: number, clear: number, set: number): void {
  for (;;) {
    const before = Atomics.load(flags, page);
    const after = (before & ~clear) | set;
    if (before === after || Atomics.compareExchange(flags, page, before, after) === before) return;
  }
}
