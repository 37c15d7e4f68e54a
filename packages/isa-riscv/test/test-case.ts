/**
 * One differential test: registers, memory and code before, or registers and memory after. Everything lives in
 * one fixed piece of memory, which `x31` points to, so that the oracle needs no relocation.
 */
export const CASE = {
  /** Guest address of the case. */
  base: 0x20000000,
  /** x0-x31, f0-f31, fcsr. */
  x: 0,
  f: 256,
  fcsr: 512,
  /** Data that loads and stores reach. */
  scratch: 0x400,
  scratchSize: 0x1400,
  /** Programs of some length go on in the next page. */
  code: 0x1fb0,
  size: 0x2400,
  /** Where the code must jump to when it is done. */
  exit: 0x20010000,
} as const;

/** Registers that point into the scratch area and are never written: memory instructions use them. */
export const POINTERS = [2, 8, 30] as const;
/** Points to the case; never written. */
export const CASE_POINTER = 31;

export const codeAddress = CASE.base + CASE.code;
