/* Shared words of a scripted vCPU. */

/** 1: leave a wait. */
export const KICKED = 0;
/** mip, as driven by interrupt controllers. */
export const INTERRUPTS = 1;
/** How often the vCPU was started. */
export const STARTS = 2;
/** First of the words that scripts may use; scripts of all vCPUs share those of vCPU 0. */
export const FREE = 8;
export const WORDS = 64;

export function openWords(vcpus: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(vcpus * WORDS * 4));
}
