/**
 * Words in the engine's free part of a vCPU block through which threads talk to a vCPU. Byte offsets from `env`;
 * all i32, all atomic.
 */
export const CONTROL = {
  /** Not 0: `run` must return `kicked`. */
  kick: 0x100,
  /** Number of fences that others have asked of this vCPU, and number that it has done. */
  fenceWanted: 0x104,
  fenceDone: 0x108,
  /** 1 while the vCPU may execute guest code; before it does, it looks at everything here. 0 while it waits for an interrupt. */
  running: 0x10c,
  /** f64: guest time in ns at which the next timer is due, Infinity for none. */
  timerDueNs: 0x110,
  /** Interrupt bits that others set once in the software-writable register (RISC-V SSIP). */
  softSet: 0x118,
  /** Regions installed so far. */
  regions: 0x130,
  /** How far this vCPU has read the code log, and told in it what it has overwritten itself. */
  codeLogTail: 0x11c,
  /** u64 in ticks: comparator written by other threads (ACLINT mtimecmp), and a count of its changes. */
  comparator: 0x120,
  comparatorChanges: 0x128,
  /** 1: one of the fences asked for is over instruction fetches. */
  fenceCode: 0x12c,
  /** What each of eight vCPUs wants flushed here, {@link FENCE_REQUEST} each. */
  fenceRequests: 0x140,
  /** Behind the last one. */
  end: 0x1c0,
} as const;

/**
 * A request for a fence over addresses, in words: whether there is one (0 none, 1 asked, 2 being written or read), what
 * (number of pages, 0 for all; an address space), number of the first page. `size` is in bytes.
 */
export const FENCE_REQUEST = { state: 0, what: 1, pageLow: 2, pageHigh: 3, size: 16 } as const;
