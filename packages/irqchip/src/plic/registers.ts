/* Memory map of the PLIC (RISC-V platform-level interrupt controller specification 1.0, chapter 3). */

/** A 32-bit priority per source; source 0 doesn't exist. */
export const PRIORITY_BASE = 0x0;
/** A bit per source. */
export const PENDING_BASE = 0x1000;
/** A bit per source, {@link ENABLE_STRIDE} bytes a context. */
export const ENABLE_BASE = 0x2000;
export const ENABLE_STRIDE = 0x80;
/** Threshold and claim/complete, {@link CONTEXT_STRIDE} bytes a context. */
export const CONTEXT_BASE = 0x20_0000;
export const CONTEXT_STRIDE = 0x1000;
export const CONTEXT_THRESHOLD = 0x0;
export const CONTEXT_CLAIM = 0x4;

/** Address space that boards give a PLIC. */
export const PLIC_SIZE = 0x60_0000;
/** Sources of QEMU's `virt`: 1 to 95. */
export const PLIC_SOURCES = 95;
/** Priorities are 0 (never) to 7. */
export const PRIORITY_MASK = 7;
