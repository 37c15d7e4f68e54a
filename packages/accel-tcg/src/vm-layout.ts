import { ENV, PAGE_SIZE } from '@polyvisor/tcg';

/** Parts of a VM's one shared linear memory, as byte addresses. Address 0 is never used: it means "none". */
export interface VmLayout {
  /** Region table for the softmmu: 32 bytes each. */
  readonly regionTable: number;
  /** Shared words of the VM: see {@link VM_WORD}. */
  readonly words: number;
  /** Log of overwritten and newly translated code pages. */
  readonly codeLog: number;
  /** vCPU blocks, `ENV.size` apart. */
  readonly vcpus: number;
  /** Counters of guest-memory, on a page of their own; the flags follow. Both can be shared with other processes. */
  readonly counters: number;
  /** One flag byte per guest page, and per private one. */
  readonly flags: number;
  readonly flagsBytes: number;
  /** Record arenas, `arenaBytes` for each vCPU. */
  readonly arenas: number;
  readonly arenaBytes: number;
  /** Journals of stores, for lockstep: `JOURNAL_BYTES` for each vCPU; 0 bytes otherwise. */
  readonly journals: number;
  /** First byte of guest memory, 64 KiB aligned. */
  readonly ram: number;
  /** Pages that vCPUs have for themselves, for lockstep: `PRIVATE_BYTES` for each; behind guest memory. */
  readonly privatePages: number;
  /** Wasm pages of the whole. */
  readonly wasmPages: number;
}

/** Indices of i32 words at `VmLayout.words`. */
export const VM_WORD = {
  /** Futex of the timer thread: changed when a timer may have become due earlier. */
  timerWake: 0,
  /** Not 0: the timer thread must end. */
  timerStop: 1,
  /** 1 once the compile worker listens. */
  compilerReady: 2,
  /** vCPUs that wait for others to read the code log or to serve a fence: who does wakes them. */
  waiters: 3,
} as const;

/**
 * Address space for predecoded code: of all vCPUs together, and of one at most and at least. A page of RISC-V code
 * takes 36 KiB, of which only what is decoded becomes resident; when an arena is full, all in it is dropped.
 * Booting Linux to a shell takes 46 MiB.
 */
const ARENAS_BYTES = 512 << 20;
const ARENA_MOST = 256 << 20;
const ARENA_LEAST = 16 << 20;

/** Bytes of one vCPU's journal. */
export const JOURNAL_BYTES = 1 << 20;

/** Pages that one step in lockstep can store to. */
export const PRIVATE_PAGES = 32;
/** Bytes that one vCPU needs for its copies of them: a page for its region table, then the copies. */
export const PRIVATE_BYTES = (1 + PRIVATE_PAGES) * PAGE_SIZE;

/** Entries of the code log; a reader that is half of it behind drops everything. */
export const CODE_LOG_ENTRIES = 16384;

const WASM_PAGE = 65536;
const MAX_WASM_PAGES = 65536;

const alignUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/**
 * Lays out the memory of a VM with `vcpus` CPUs and `guestBytes` of RAM and ROM.
 * @throws RangeError when a 32-bit memory can't hold it.
 */
export function layOutVm(vcpus: number, guestBytes: number, lockstep = false): VmLayout {
  const regionTable = WASM_PAGE;
  const words = regionTable + 0x400;
  const codeLog = words + 0x400;
  const vcpuBlocks = alignUp(codeLog + 8 + CODE_LOG_ENTRIES * 8, WASM_PAGE);
  const counters = alignUp(vcpuBlocks + vcpus * ENV.size, PAGE_SIZE);
  const flags = counters + PAGE_SIZE;
  const privateBytes = lockstep ? vcpus * PRIVATE_BYTES : 0;
  const ramBytes = alignUp(guestBytes, PAGE_SIZE);
  const flagsBytes = (ramBytes + privateBytes) / PAGE_SIZE;
  const arenas = alignUp(flags + flagsBytes, WASM_PAGE);
  // In lockstep each vCPU has two engines.
  const arenaCount = vcpus * (lockstep ? 2 : 1);
  const journalsBytes = lockstep ? vcpus * JOURNAL_BYTES : 0;
  const room =
    MAX_WASM_PAGES * WASM_PAGE - arenas - journalsBytes - alignUp(ramBytes + privateBytes, WASM_PAGE);
  const share = Math.min(ARENAS_BYTES, room) / arenaCount;
  const arenaBytes = Math.max(ARENA_LEAST, Math.min(ARENA_MOST, Math.floor(share / WASM_PAGE) * WASM_PAGE));
  const journals = arenas + arenaCount * arenaBytes;
  const ram = journals + journalsBytes;
  const privatePages = ram + ramBytes;
  const wasmPages = Math.ceil((privatePages + privateBytes) / WASM_PAGE);
  if (wasmPages > MAX_WASM_PAGES) {
    throw new RangeError(
      `guest memory of ${guestBytes} bytes with ${vcpus} vCPUs exceeds a 32-bit wasm memory`,
    );
  }
  return {
    regionTable,
    words,
    codeLog,
    vcpus: vcpuBlocks,
    counters,
    flags,
    flagsBytes,
    arenas,
    arenaBytes,
    journals,
    ram,
    privatePages,
    wasmPages,
  };
}
