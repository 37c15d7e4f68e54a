// Slow paths of guest memory accesses, called from translated code when the inlined TLB probe fails.
// A failure leaves ENV.fault set (by the front end's `isa` functions) and the result is meaningless.
import {
  ENV_FAULT,
  ENV_MMIO_VALUE,
  ENV_MODE,
  ENV_PC,
  ENV_STAT_FETCH_MISS,
  ENV_STAT_SLOW_ACCESS,
  ENV_STAT_TLB_MISS,
  ENV_WALK_PA,
  ENV_WALK_SIZE_LOG2,
  FETCH_PAGE,
  FETCH_TAG,
  TLB_ADDEND,
  TLB_READ,
  TLB_WRITE,
} from './env.gen';
import {
  flagsOf,
  host_address,
  isPrivate,
  journaling,
  journalStore,
  loadWidth,
  markDirty,
  read_physical,
  storeWidth,
  wantsCopy,
  write_physical,
  wroteWatched,
} from './physical';
import { entryOf, fetchEntryOf, fill, fillFetch } from './tlb';

const READ: i32 = 0;
const WRITE: i32 = 1;
const EXECUTE: i32 = 2;
// A fetch entry that leads to no physical page.
const NO_PAGE: u32 = 0xffffffff;
const PAGE_MASK: u64 = ~(<u64>0xfff);

// Translates for the access, in the mode in force: ENV.walk* and true, or raises and false.
// @ts-ignore: decorator
@external("isa", "walk")
declare function isa_walk(env: i32, va: u64, access: i32): i32;
// @ts-ignore: decorator
@external("isa", "misaligned")
declare function isa_misaligned(env: i32, va: u64, access: i32): void;
// @ts-ignore: decorator
@external("isa", "access_fault")
declare function isa_access_fault(env: i32, va: u64, access: i32): void;
// @ts-ignore: decorator
@external("host", "records")
declare function host_records(env: i32, page: i32, mode: i32): i32;
// Lockstep: a store to a page of RAM, by an address in it, that there is no private copy of. Raises.
// @ts-ignore: decorator
@external("host", "private_page")
declare function host_private_page(env: i32, host: i32): void;
// Lockstep: code is to be fetched from a page that has a private copy. Not 0: raised.
// @ts-ignore: decorator
@external("host", "private_fetch")
declare function host_private_fetch(env: i32): i32;

// The record array for pages of which only parts may be executed, or are mapped alike: it has the host decode each instruction.
// @ts-ignore: decorator
@external("host", "split_records")
declare function host_split_records(env: i32): i32;

// Where the last `resolve` found the bytes: in linear memory, or (0) at a physical address.
let resolvedHost: i32 = 0;
let resolvedGpa: u64 = 0;
// The page of the last `resolve` for a store has flags that a store must honour.
let resolvedWatched: bool = false;
// The last `resolve` was right for fewer bytes than asked for: protection divides the page.
let resolvedPart: bool = false;

/** Finds `width` bytes that don't cross a page. False: raised. */
function resolve(env: i32, va: u64, width: i32, access: i32): bool {
  const entry = entryOf(env, va);
  const page = va & PAGE_MASK;
  resolvedWatched = false;
  resolvedPart = false;
  if ((access == READ ? load<u64>(entry, TLB_READ) : load<u64>(entry, TLB_WRITE)) == page) {
    resolvedHost = load<i32>(entry, TLB_ADDEND) + <i32>va;
    return true;
  }
  store<u32>(env, load<u32>(env, ENV_STAT_TLB_MISS) + 1, ENV_STAT_TLB_MISS);
  if (isa_walk(env, va, access) == 0) return false;
  const sizeLog2 = load<u32>(env, ENV_WALK_SIZE_LOG2);
  if (sizeLog2 < 12 && (<u32>va & ((1 << sizeLog2) - 1)) + <u32>width > <u32>1 << sizeLog2) {
    // An aligned access is one; pieces of others are looked at by themselves.
    resolvedPart = (va & <u64>(width - 1)) != 0;
    if (!resolvedPart) isa_access_fault(env, va, access);
    return resolvedPart;
  }
  resolvedGpa = load<u64>(env, ENV_WALK_PA);
  resolvedHost = host_address(resolvedGpa, width, access == READ ? 1 : 0);
  if (resolvedHost == 0) return true;
  if (access == WRITE && wantsCopy(resolvedHost)) {
    host_private_page(env, resolvedHost);
    return false;
  }
  // Pieces smaller than a page (PMP) and memory that is not whole pages are never cached.
  const cacheable = sizeLog2 >= 12 && host_address(resolvedGpa & PAGE_MASK, 4096, 1) != 0;
  const flags = flagsOf(resolvedHost);
  if (access == WRITE) markDirty(flags);
  resolvedWatched = load<u8>(flags) != 0;
  if (cacheable) {
    const ram = host_address(resolvedGpa, width, 0) != 0;
    // DIRTY alone is no reason to look at each store.
    fill(env, va, resolvedHost, ram && (load<u8>(flags) & 5) == 0 && !journaling());
  }
  return true;
}

// @ts-ignore: decorator
@inline
function extend(value: u64, width: i32, desc: i32): u64 {
  if ((desc & 4) == 0) return value;
  if (width == 4) return <u64>(<i64>(<i32>value));
  if (width == 2) return <u64>(<i64>(<i16>value));
  if (width == 1) return <u64>(<i64>(<i8>value));
  return value;
}

// @ts-ignore: decorator
@inline
function swap(value: u64, width: i32): u64 {
  if (width == 8) return bswap<u64>(value);
  if (width == 4) return <u64>bswap<u32>(<u32>value);
  if (width == 2) return <u64>bswap<u16>(<u16>value);
  return value;
}

// @ts-ignore: decorator
@inline
function badAlignment(va: u64, width: i32, desc: i32): bool {
  return ((desc >> 4) & 3) == 2 && (va & <u64>(width - 1)) != 0;
}

function loadSingly(env: i32, va: u64, width: i32): u64 {
  let value: u64 = 0;
  for (let i = 0; i < width; i++) {
    const byte = loadBytes(env, va + <u64>i, 1);
    if (load<i32>(env, ENV_FAULT) != 0) return 0;
    value |= byte << <u64>(i << 3);
  }
  return value;
}

/** Bytes in guest order, zero-extended, least significant first as in memory of a little-endian machine. */
function loadBytes(env: i32, va: u64, width: i32): u64 {
  if ((va & 0xfff) + <u64>width > 4096) return loadSingly(env, va, width);
  if (!resolve(env, va, width, READ)) return 0;
  if (resolvedPart) return loadSingly(env, va, width);
  if (resolvedHost != 0) return loadWidth(resolvedHost, width);
  // Devices see aligned accesses only.
  if ((resolvedGpa & <u64>(width - 1)) != 0) {
    let value: u64 = 0;
    const gpa = resolvedGpa;
    for (let i = 0; i < width; i++) {
      if (read_physical(env, gpa + <u64>i, 1) != 0) {
        isa_access_fault(env, va, READ);
        return 0;
      }
      value |= (load<u64>(env, ENV_MMIO_VALUE) & 0xff) << <u64>(i << 3);
    }
    return value;
  }
  if (read_physical(env, resolvedGpa, width) != 0) {
    isa_access_fault(env, va, READ);
    return 0;
  }
  const value = load<u64>(env, ENV_MMIO_VALUE);
  return width == 8 ? value : value & (((<u64>1) << <u64>(width << 3)) - 1);
}

function storeBytes(env: i32, va: u64, width: i32, value: u64): void {
  if ((va & 0xfff) + <u64>width > 4096) {
    // Both pages must accept the store before either changes.
    const second = (va + <u64>(width - 1)) & PAGE_MASK;
    if (!resolve(env, va, 1, WRITE) || !resolve(env, second, 1, WRITE)) return;
    for (let i = 0; i < width; i++) storeBytes(env, va + <u64>i, 1, value >> <u64>(i << 3));
    return;
  }
  if (!resolve(env, va, width, WRITE)) return;
  if (resolvedPart) {
    // All pieces must accept the store before any changes.
    for (let i = 0; i < width; i++) if (!resolve(env, va + <u64>i, 1, WRITE)) return;
    for (let i = 0; i < width; i++) storeBytes(env, va + <u64>i, 1, value >> <u64>(i << 3));
    return;
  }
  if (resolvedHost != 0) {
    const host = resolvedHost;
    const watched = resolvedWatched;
    journalStore(host, width);
    storeWidth(host, width, value);
    if (watched) wroteWatched(env, host, width);
    return;
  }
  if ((resolvedGpa & <u64>(width - 1)) != 0) {
    const gpa = resolvedGpa;
    for (let i = 0; i < width; i++) {
      if (write_physical(env, gpa + <u64>i, 1, (value >> <u64>(i << 3)) & 0xff) != 0) {
        isa_access_fault(env, va, WRITE);
        return;
      }
    }
    return;
  }
  if (write_physical(env, resolvedGpa, width, value) != 0) isa_access_fault(env, va, WRITE);
}

// Named `load` and `store` by the exports; AssemblyScript's builtins keep theirs inside.
function slowLoad(env: i32, va: u64, desc: i32): u64 {
  store<u32>(env, load<u32>(env, ENV_STAT_SLOW_ACCESS) + 1, ENV_STAT_SLOW_ACCESS);
  const width = 1 << (desc & 3);
  if (badAlignment(va, width, desc)) {
    isa_misaligned(env, va, READ);
    return 0;
  }
  const value = loadBytes(env, va, width);
  return extend((desc & 8) != 0 ? swap(value, width) : value, width, desc);
}

function slowStore(env: i32, va: u64, value: u64, desc: i32): void {
  store<u32>(env, load<u32>(env, ENV_STAT_SLOW_ACCESS) + 1, ENV_STAT_SLOW_ACCESS);
  const width = 1 << (desc & 3);
  if (badAlignment(va, width, desc)) {
    isa_misaligned(env, va, WRITE);
    return;
  }
  storeBytes(env, va, width, (desc & 8) != 0 ? swap(value, width) : value);
}

/** Finds the RAM of an atomic access: address, or 0 after raising. */
function resolveAtomic(env: i32, va: u64, width: i32): i32 {
  if ((va & <u64>(width - 1)) != 0) {
    isa_misaligned(env, va, WRITE);
    return 0;
  }
  if (!resolve(env, va, width, WRITE)) return 0;
  // Devices take part in no atomics.
  if (resolvedHost == 0) isa_access_fault(env, va, WRITE);
  return resolvedHost;
}

// @ts-ignore: decorator
@inline
function cmpxchg(at: i32, width: i32, expected: u64, replacement: u64): u64 {
  if (width == 8) return atomic.cmpxchg<u64>(at, expected, replacement);
  if (width == 4) return <u64>atomic.cmpxchg<u32>(at, <u32>expected, <u32>replacement);
  if (width == 2) return <u64>atomic.cmpxchg<u16>(at, <u16>expected, <u16>replacement);
  return <u64>atomic.cmpxchg<u8>(at, <u8>expected, <u8>replacement);
}

function combine(op: i32, width: i32, old: u64, value: u64): u64 {
  if (op == 0) return value;
  if (op == 1) return old + value;
  if (op == 2) return old & value;
  if (op == 3) return old | value;
  if (op == 4) return old ^ value;
  const shift = <u64>(64 - (width << 3));
  if (op == 5) return <i64>(old << shift) < <i64>(value << shift) ? old : value;
  if (op == 6) return <i64>(old << shift) > <i64>(value << shift) ? old : value;
  if (op == 7) return old << shift < value << shift ? old : value;
  return old << shift > value << shift ? old : value;
}

/** Atomic read-modify-write; gives the old value. */
export function rmw(env: i32, va: u64, value: u64, desc: i32): u64 {
  const width = 1 << (desc & 3);
  const host = resolveAtomic(env, va, width);
  if (host == 0) return 0;
  const watched = resolvedWatched;
  journalStore(host, width);
  const op = (desc >> 8) & 15;
  const mask: u64 = width == 8 ? ~(<u64>0) : ((<u64>1) << <u64>(width << 3)) - 1;
  const big = (desc & 8) != 0;
  let old: u64 = 0;
  for (;;) {
    const raw = loadWidth(host, width);
    old = big ? swap(raw, width) : raw;
    const result = combine(op, width, old, value) & mask;
    if (cmpxchg(host, width, raw, big ? swap(result, width) : result) == raw) break;
  }
  if (watched) wroteWatched(env, host, width);
  return extend(old, width, desc);
}

/** Atomic compare and swap; gives the old value. */
export function cas(env: i32, va: u64, expected: u64, replacement: u64, desc: i32): u64 {
  const width = 1 << (desc & 3);
  const host = resolveAtomic(env, va, width);
  if (host == 0) return 0;
  const watched = resolvedWatched;
  const mask: u64 = width == 8 ? ~(<u64>0) : ((<u64>1) << <u64>(width << 3)) - 1;
  let old: u64;
  journalStore(host, width);
  if ((desc & 8) != 0) {
    old = swap(cmpxchg(host, width, swap(expected & mask, width), swap(replacement & mask, width)), width);
  } else {
    old = cmpxchg(host, width, expected & mask, replacement & mask);
  }
  if (watched && old == (expected & mask)) wroteWatched(env, host, width);
  return extend(old, width, desc);
}

// Where record arrays of pages were found last, so that a flushed instruction TLB fills again without the host:
// pairs of u32 page + 1 and i32 address, by the page's low bits; 0: not kept.
let recordCache: i32 = 0;
export const RECORD_CACHE_ENTRIES: i32 = 2048;

/** Keeps record arrays' addresses at `at`, zeroed; 0: asks the host each time (decoding depends on the mode). */
export function keep_records(at: i32): void {
  recordCache = at;
}

/** All record arrays have gone. */
export function forget_records(): void {
  if (recordCache != 0) memory.fill(recordCache, 0, RECORD_CACHE_ENTRIES << 3);
}

function recordsOf(env: i32, page: i32, mode: i32): i32 {
  if (recordCache == 0) return host_records(env, page, mode);
  const slot = recordCache + ((page & (RECORD_CACHE_ENTRIES - 1)) << 3);
  if (load<i32>(slot) == page + 1) return load<i32>(slot, 4);
  const records = host_records(env, page, mode);
  store<i32>(slot, page + 1);
  store<i32>(slot, records, 4);
  return records;
}

/** Fills the instruction TLB for ENV.pc and ENV.mode. 0: raised. */
export function fetch(env: i32): i32 {
  const pc = load<u64>(env, ENV_PC);
  const mode = load<u32>(env, ENV_MODE);
  store<u32>(env, load<u32>(env, ENV_STAT_FETCH_MISS) + 1, ENV_STAT_FETCH_MISS);
  if (isa_walk(env, pc, EXECUTE) == 0) return 0;
  const pa = load<u64>(env, ENV_WALK_PA);
  const host = host_address(pa & PAGE_MASK, 4096, 1);
  if (host == 0) {
    isa_access_fault(env, pc, EXECUTE);
    return 0;
  }
  if (load<u32>(env, ENV_WALK_SIZE_LOG2) < 12) {
    fillFetch(env, pc, mode, host_split_records(env), NO_PAGE);
    return 1;
  }
  if (isPrivate(host) && host_private_fetch(env) != 0) return 0;
  const page = <i32>(pa >> 12);
  const records = recordsOf(env, page, mode);
  fillFetch(env, pc, mode, records, page);
  return 1;
}

/** Whether code at virtual page `va` is in physical page `page` now, in ENV.mode. Raises nothing. */
export function fetch_check(env: i32, va: u64, page: i32): i32 {
  const mode = load<u32>(env, ENV_MODE);
  const entry = fetchEntryOf(env, va);
  if (load<u64>(entry, FETCH_TAG) == ((va & PAGE_MASK) | <u64>mode)) return load<i32>(entry, FETCH_PAGE) == page ? 1 : 0;
  if (isa_walk(env, va, EXECUTE) == 0) {
    store<i32>(env, 0, ENV_FAULT);
    return 0;
  }
  const pa = load<u64>(env, ENV_WALK_PA);
  if (<i32>(pa >> 12) != page || load<u32>(env, ENV_WALK_SIZE_LOG2) < 12) return 0;
  if (isPrivate(host_address(pa, 1, 1))) return 0;
  fillFetch(env, va, mode, recordsOf(env, page, mode), page);
  return 1;
}

export { slowLoad as load, slowStore as store };
