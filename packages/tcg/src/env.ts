/**
 * Layout of a vCPU block: the piece of linear memory that one vCPU works in. Byte offsets from its start (`env`).
 * The first part is the engine's, the same for every guest; registers and control state of the guest follow
 * at {@link ENV.guest}. The AssemblyScript side reads the same numbers from `assembly/env.gen.ts`.
 */
export const ENV = {
  /** u64: guest pc; true only outside translated code and at its exits. */
  pc: 0x00,
  /** u32: mode word (under 4096): what translations depend on beside the code (privilege, width, flags). */
  mode: 0x08,
  /** i32, atomic: not 0 asks the vCPU to leave translated code soon. Any thread sets it. */
  exitRequest: 0x0c,
  /** i32: not 0 after a helper or a memory access raised. The front end's helpers give it meaning (RISC-V: cause + 1). */
  fault: 0x10,
  /** u32: free for the front end, with {@link ENV.fault}. */
  faultCode: 0x14,
  /** u64: faulting address or bits. */
  faultValue: 0x18,
  /** i32: instructions that may still be executed before `run` returns; regions count only when told to. */
  budget: 0x20,
  /** i32: nesting of guest calls as wasm calls. */
  depth: 0x24,
  /** u64: what the instruction count will be when `budget` is 0: the count now is this minus `budget`. */
  icount: 0x28,
  /** u64: result of an address translation: physical address. */
  walkPa: 0x38,
  /** u32: access rights of that translation: 1 read, 2 write, 4 execute (the rights that a TLB entry may cache). */
  walkRights: 0x40,
  /** u32: log2 of the size of the page that it came from; below 12: of the aligned piece of it that this holds for. */
  walkSizeLog2: 0x44,
  /** u32: data MMU index in force: the mode word's, kept for helpers. */
  mmuIndex: 0x48,
  /** u32: index of this vCPU. */
  vcpu: 0x4c,
  /** i32, atomic: futex that a waiting vCPU sleeps on; changed before each notify. */
  wake: 0x50,
  /** u32, atomic: interrupt lines as other threads drive them, in the front end's bit order. */
  lines: 0x54,
  /** u64: address reserved by load-reserved, all ones for none; and the value seen there. */
  reservation: 0x58,
  reservedValue: 0x60,
  /** u64: clock as of the last look, in the guest's timer ticks. */
  ticks: 0x68,
  /** u64: tick at which the next timer is due for this vCPU; all ones for never. */
  timerDue: 0x70,
  /** Floating-point status block, as `softfloat` takes it: u32 sticky flags, u32 options. */
  fpFlags: 0x78,
  fpOptions: 0x7c,
  /** u32: data-TLB misses and instructions-TLB misses, exits and others: statistics for people. */
  statTlbMiss: 0x80,
  statFetchMiss: 0x84,
  statRegionEntry: 0x88,
  statSlowAccess: 0x8c,
  /** u32: changes whenever an instruction mapping may have changed. */
  fetchGeneration: 0x90,
  /** i32: set by a helper that wants `run` to return this {@link EXIT} code at the next exit. */
  hostExit: 0x94,
  /** u64: value that an MMIO read gave. */
  mmioValue: 0x98,
  /** u32: bit n: data TLB n, bit 31: instruction TLB has entries since the last flush. */
  tlbUsed: 0xa0,
  /** u64, u64: a range of addresses that includes every page larger than 4 KiB in the TLBs: base and mask (0, 0: none). */
  largeBase: 0xa8,
  largeMask: 0xb0,
  /** Two records to execute an instruction that crosses a page, followed by page-exit records. */
  crossing: 0x200,
  /** Guest registers and control state, 3 KiB. */
  guest: 0x400,
  /** Data TLBs: {@link TLB_MODES} of {@link TLB_ENTRIES} entries of 32 bytes. */
  tlb: 0x1000,
  /** Instruction TLB: {@link FETCH_ENTRIES} entries of 32 bytes. */
  fetch: 0x11000,
  /** Bytes of a whole vCPU block. */
  size: 0x20000,
} as const;

/**
 * Entry of a data TLB, 32 bytes: i64 read tag, i64 write tag, i32 addend (host offset = addend + low 32 bits of
 * the guest address), i32 unused, u64 physical page address. A tag is the page's virtual address, or all ones.
 */
export const TLB = { read: 0, write: 8, addend: 16, pa: 24, size: 32 } as const;
export const TLB_ENTRIES = 256;
export const TLB_MODES = 8;

/**
 * Entry of the instruction TLB, 32 bytes: i64 tag (virtual page address | mode word, or all ones), i32 address of
 * the page's record array, u32 physical page number, or all ones where each instruction is looked up for itself.
 */
export const FETCH = { tag: 0, records: 8, page: 12, size: 32 } as const;
export const FETCH_ENTRIES = 512;

export const PAGE_BITS = 12;
export const PAGE_SIZE = 4096;

/** What `run` (the interpreter's entry) and regions return. */
export const EXIT = {
  /** Regions: went on to `env.pc`. Callers whose return address it is continue. */
  next: 0,
  /** Leave all nested guest calls and look around: an exit request, a changed mapping or mode, a fault. */
  unwind: 1,
  /** The interpreter's budget is used up. */
  budget: 2,
  /** The guest waits for an interrupt; `env.pc` is past the instruction. */
  wait: 3,
  /** The host must serve something that a helper has left in the vCPU block (a machine call, shutdown). */
  host: 4,
  /** A region found that its code is mapped elsewhere now: it must be dropped. Nothing was executed. */
  stale: 5,
} as const;
