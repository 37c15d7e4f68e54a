// Guest-physical memory: which addresses are RAM or ROM, and where they live in linear memory.
import { ENV_MMIO_VALUE } from './env.gen';

// Regions in linear memory, 32 bytes each: u64 gpa, u64 size, u32 host address, u32 read-only.
let regionsAt: i32 = 0;
let regionCount: i32 = 0;
// One flag byte for each 4 KiB page of the memory, counted from host address `flagsBase`.
let flagsAt: i32 = 0;
let flagsBase: u32 = 0;

// @ts-ignore: decorator
@external("host", "mmio_read")
declare function host_mmio_read(env: i32, gpa: f64, width: i32): i32;
// @ts-ignore: decorator
@external("host", "mmio_write")
declare function host_mmio_write(env: i32, gpa: f64, width: i32, low: i32, high: i32): i32;
// @ts-ignore: decorator
@external("host", "code_write")
declare function host_code_write(env: i32, hostAddress: i32, width: i32): void;

export const FLAG_CODE: u32 = 1;
export const FLAG_STALE: u32 = 2;
export const FLAG_CLEAN: u32 = 4;
export const FLAG_DIRTY: u32 = 8;

/** Where regions and page flags are. Once, before anything else. */
export function configure(regions: i32, count: i32, flags: i32, base: i32): void {
  regionsAt = regions;
  regionCount = count;
  flagsAt = flags;
  flagsBase = <u32>base;
}

// Where stores are logged for lockstep runs: 16 bytes each (u32 address, u32 width, u64 old bytes); 0: nowhere.
let journalAt: i32 = 0;
let journalEnd: i32 = 0;

/** From now on stores log what they overwrite at `at` (at most `entries`); 0 ends it. The TLBs must be flushed by the caller. */
export function journal_start(at: i32, entries: i32): void {
  journalAt = at;
  journalEnd = at + (entries << 4);
}

/** Address behind the last entry; equal to the end given by `entries` when some may be missing. */
export function journal_position(): i32 {
  return journalAt;
}

// @ts-ignore: decorator
@inline
export function journaling(): bool {
  return journalAt != 0;
}

/** Logs the bytes that a store is about to overwrite. */
export function journalStore(host: i32, width: i32): void {
  if (journalAt == 0 || journalAt >= journalEnd) return;
  store<i32>(journalAt, host);
  store<i32>(journalAt, width, 4);
  store<u64>(journalAt, loadWidth(host, width), 8);
  journalAt += 16;
}

// Lockstep: stores go to private copies of pages, all of which lie at this address or above; 0: to the pages themselves.
let privateFrom: u32 = 0;

/** From now on stores go to private copies of pages, which lie at `from` and above; 0 ends it. The caller flushes the TLBs. */
export function keep_private(from: i32): void {
  privateFrom = <u32>from;
}

/** Whether a store to an address of RAM must wait for a private copy of its page. */
// @ts-ignore: decorator
@inline
export function wantsCopy(host: i32): bool {
  return <u32>host < privateFrom;
}

/** Whether an address lies in a private copy. */
// @ts-ignore: decorator
@inline
export function isPrivate(host: i32): bool {
  return privateFrom != 0 && <u32>host >= privateFrom;
}

/** Address in linear memory of `width` bytes at `gpa`, or 0 when they are not all RAM (or ROM, when `rom`). */
export function host_address(gpa: u64, width: i32, rom: i32): i32 {
  for (let i = 0; i < regionCount; i++) {
    const region = regionsAt + (i << 5);
    const offset = gpa - load<u64>(region);
    const size = load<u64>(region, 8);
    if (offset < size && size - offset >= <u64>width && (rom != 0 || load<u32>(region, 20) == 0)) {
      return <i32>(load<u32>(region, 16) + <u32>offset);
    }
  }
  return 0;
}

/** Address of the flag byte of the page at a host address. */
// @ts-ignore: decorator
@inline
export function flagsOf(host: i32): i32 {
  return flagsAt + <i32>((<u32>host - flagsBase) >> 12);
}

/** A page that the dirty log watches gets its mark. */
export function markDirty(flags: i32): void {
  for (;;) {
    const before = <u32>atomic.load<u8>(flags);
    if ((before & FLAG_CLEAN) == 0) return;
    const after = (before & ~FLAG_CLEAN) | FLAG_DIRTY;
    if (<u32>atomic.cmpxchg<u8>(flags, <u8>before, <u8>after) == before) return;
  }
}

/** After a store of `width` bytes at a host address whose page is watched. */
export function wroteWatched(env: i32, host: i32, width: i32): void {
  const flags = flagsOf(host);
  const value = <u32>atomic.load<u8>(flags);
  if ((value & FLAG_CLEAN) != 0) markDirty(flags);
  if ((value & FLAG_CODE) != 0) host_code_write(env, host, width);
}

/**
 * Reads `width` bytes at a physical address into `ENV.mmioValue`, from RAM, ROM or a device.
 * Returns 0, or 1 when nothing answers there.
 */
export function read_physical(env: i32, gpa: u64, width: i32): i32 {
  const host = host_address(gpa, width, 1);
  if (host != 0) {
    store<u64>(env, loadWidth(host, width), ENV_MMIO_VALUE);
    return 0;
  }
  return host_mmio_read(env, <f64>gpa, width);
}

/** Writes `width` bytes at a physical address. Returns 0, or 1 when nothing answers there. Writes to ROM are dropped. */
export function write_physical(env: i32, gpa: u64, width: i32, value: u64): i32 {
  const host = host_address(gpa, width, 0);
  if (host != 0) {
    journalStore(host, width);
    storeWidth(host, width, value);
    if (load<u8>(flagsOf(host)) != 0) wroteWatched(env, host, width);
    return 0;
  }
  if (host_address(gpa, width, 1) != 0) return 0;
  return host_mmio_write(env, <f64>gpa, width, <i32>value, <i32>(value >> 32));
}

// @ts-ignore: decorator
@inline
export function loadWidth(at: i32, width: i32): u64 {
  if (width == 8) return load<u64>(at);
  if (width == 4) return <u64>load<u32>(at);
  if (width == 2) return <u64>load<u16>(at);
  return <u64>load<u8>(at);
}

// @ts-ignore: decorator
@inline
export function storeWidth(at: i32, width: i32, value: u64): void {
  if (width == 8) store<u64>(at, value);
  else if (width == 4) store<u32>(at, <u32>value);
  else if (width == 2) store<u16>(at, <u16>value);
  else store<u8>(at, <u8>value);
}
