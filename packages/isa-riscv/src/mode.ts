/**
 * Mode word: everything beside the code itself that a translation depends on. `updateMode` in the assembly
 * computes it from privilege, mstatus and satp; the rest of the engine only compares it.
 */
export const MODE = {
  /** Bits 0-1: privilege (0 U, 1 S, 3 M). */
  privilegeMask: 3,
  /** Bits 2-4: data TLB in force. 0 U, 1 S, 2 S with SUM, 3 M bare; 4 and up: combinations of MXR and MPRV. */
  mmuShift: 2,
  mmuMask: 7,
  /** mstatus.FS is not Off: floating-point instructions are legal. */
  fp: 32,
  /** mstatus.FS is Dirty: floating-point writes need not say so again. */
  fpDirty: 64,
} as const;

/** Index of the data TLB that a mode word asks for. */
export const mmuIndex = (mode: number): number => (mode >> MODE.mmuShift) & MODE.mmuMask;

/** Exception causes (Privileged Architecture, table of mcause values). */
export const CAUSE = {
  instructionMisaligned: 0,
  instructionAccess: 1,
  illegalInstruction: 2,
  breakpoint: 3,
  loadMisaligned: 4,
  loadAccess: 5,
  storeMisaligned: 6,
  storeAccess: 7,
  ecallUser: 8,
  ecallSupervisor: 9,
  ecallMachine: 11,
  instructionPageFault: 12,
  loadPageFault: 13,
  storePageFault: 15,
} as const;

/** `op` of the helper `csr_access`. */
export const CSR_OP = { write: 0, set: 1, clear: 2 } as const;
/** `flags` of the helper `csr_access`: which halves of the access happen (they decide on legality and side effects). */
export const CSR_FLAG = { read: 1, write: 2 } as const;

/** `flags` of the helper `sfence`. */
export const SFENCE = {
  /** rs1 is not x0: only the page of `va`. */
  hasVa: 1,
  /** rs2 is not x0: only address space `asid`. */
  hasAsid: 2,
  /** sinval.vma rather than sfence.vma: same rights to check. */
  sinval: 4,
  /** sfence.w.inval or sfence.inval.ir: checks rights (illegal in U mode), orders nothing here. */
  fenceOnly: 8,
} as const;

/** `kind` of the helper `cbo`; the values are the instruction's own bits 20-31. */
export const CBO = { inval: 0, clean: 1, flush: 2, zero: 4 } as const;
