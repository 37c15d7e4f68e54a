/** Where things lie in guest RAM, and how log records look. Physical addresses. */
export const LAYOUT = {
  ram: 0x8000_0000,
  ramSize: 64 << 20,
  /** Behind the header of a Linux Image. Entry points: see `runtime.ts`. */
  runtime: 0x8000_0040,
  /** Save areas of the trap handlers and what they share. */
  context: 0x8000_8000,
  cases: 0x8001_0000,
  casesEnd: 0x8020_0000,
  log: 0x8020_0000,
  logEnd: 0x8060_0000,
  tables: 0x8060_0000,
  /** Data and code that cases reach through page tables that they change. 2 MiB, so that a superpage maps it. */
  arena: 0x8080_0000,
  /** A page table that PMP may deny; protected together with the arena. */
  protectedTable: 0x80a0_0000,
  protectedEnd: 0x80c0_0000,
} as const;

/** Of {@link LAYOUT.context}: integer registers of the two handlers, then shared words. */
export const CONTEXT = {
  machine: 0,
  supervisor: 0x400,
  logNext: 0x800,
  case: 0x808,
  next: 0x810,
  escape: 0x818,
} as const;

/** One record of the log: eight 64-bit words. */
export const RECORD = {
  size: 64,
  /** A trap: cause, pc, tval, status, registers' hash, pending interrupts. A value: what it is, the value. */
  cause: 0,
  epc: 8,
  tval: 16,
  status: 24,
  hash: 32,
  pending: 40,
  what: 0,
  value: 8,
  kind: 48,
  case: 56,
} as const;
/** Values of {@link RECORD.kind}. */
export const KIND = { machineTrap: 1, supervisorTrap: 2, value: 3 } as const;

/** Instructions in U mode run at their physical address plus this, where translation is on. */
export const USER_ALIAS = 0x4000_0000;
/** In a7 at an environment call: the case is over. */
export const FINISH = 0x5a5;

/** Registers with a meaning in the code of cases. */
export const REGISTER = {
  /** Bytes of 1: in code they are instructions that do nothing. */
  stored: 24,
  /** USER_ALIAS, or 0 without translation. */
  alias: 25,
  address: 26,
  /** Where to go on after an exception. */
  resume: 27,
  temporary: 23,
  finish: 17,
} as const;
