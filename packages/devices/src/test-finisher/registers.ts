/** The finisher's one register: what happens in bits 0-15, an exit code in bits 16-31. */
export const FINISHER = 0;

export const FINISHER_FAIL = 0x3333;
export const FINISHER_PASS = 0x5555;
export const FINISHER_RESET = 0x7777;
