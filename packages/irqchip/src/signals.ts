/**
 * Interrupt inputs of harts, as interrupt controllers drive them. The accelerator implements it on shared
 * memory; callable on any thread at any time, from several threads at once for different harts or bits.
 */
export interface HartSignals {
  /**
   * Level of an mip bit. 3 MSIP, 7 MTIP (unused: {@link setTimer}), 9 SEIP (ORed with the bit that software
   * wrote), 11 MEIP: the level stays until changed. 1 SSIP: true sets the software-writable bit, false clears it.
   * Wakes a hart that waits in WFI. Not blocking.
   */
  setInterrupt(hart: number, bit: number, level: boolean): void;
  /**
   * mtimecmp of a hart, in timer ticks, as unsigned halves: MTIP becomes `mtime >= mtimecmp`, kept by the hart itself.
   * Calls for one hart never overlap. Wakes the hart if it waits.
   */
  setTimer(hart: number, low: number, high: number): void;
}

/** mip bit numbers (RISC-V privileged, 3.1.9). */
export const MIP_SSIP = 1;
export const MIP_MSIP = 3;
export const MIP_MTIP = 7;
export const MIP_SEIP = 9;
export const MIP_MEIP = 11;
