/* Memory map of the ACLINT's MSWI and MTIMER as one CLINT-compatible window (RISC-V ACLINT specification 1.0). */

/** A 32-bit word per hart; bit 0 is the machine software interrupt. */
export const MSWI_BASE = 0x0;
/** A 64-bit compare value per hart, in ticks. */
export const MTIMECMP_BASE = 0x4000;
/** 64-bit time, in ticks. */
export const MTIME = 0xbff8;
/** Bytes of the window. */
export const ACLINT_SIZE = 0x1_0000;
