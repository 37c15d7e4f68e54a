/**
 * Bits of a page's flag byte, in shared memory. Every writer of guest memory honours them: vCPU threads,
 * devices in process, and later devices in other processes. All changes are `Atomics` operations on the byte, and each transition is one
 * compare-exchange (CLEAN to DIRTY by a writer, DIRTY to CLEAN by the harvester).
 */

/** Translations of code in this page exist: whoever writes it must see {@link FLAG_STALE} set and announce it. */
export const FLAG_CODE = 1 << 0;
/**
 * A writer that can't drop the translations itself has overwritten code: set with {@link COUNTER_STALE}
 * bumped afterwards. The accelerator clears CODE and STALE when it has dropped the page's translations.
 */
export const FLAG_STALE = 1 << 1;
/** The dirty log is on and nobody has written the page since it was armed. The first writer clears it and sets DIRTY. */
export const FLAG_CLEAN = 1 << 2;
/** Written since the last harvest; meaningful while the dirty log is on. */
export const FLAG_DIRTY = 1 << 3;

/** A write to a page with none of these set needs no slow path. */
export const FLAGS_WATCHED = FLAG_CODE | FLAG_CLEAN;

/** Index in the counters: number of times that some page became {@link FLAG_STALE}. Compare with a remembered value. */
export const COUNTER_STALE = 0;
/** Index in the counters: 1 while the dirty log is on. */
export const COUNTER_LOGGING = 1;
/** Index in the counters: harvests so far; a cached write permission (TLB) from an older harvest must not be used. */
export const COUNTER_HARVESTS = 2;
/** Index in the counters: writes by devices so far. Counting orders a data write before a flag read. */
export const COUNTER_FENCE = 3;
/** Words in the counters array. */
export const COUNTER_WORDS = 4;
