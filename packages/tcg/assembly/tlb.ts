// The TLBs of a vCPU block: filling and flushing. Layout: src/env.ts.
import {
  ENV_FETCH,
  ENV_FETCH_GENERATION,
  ENV_LARGE_BASE,
  ENV_LARGE_MASK,
  ENV_MMU_INDEX,
  ENV_TLB,
  ENV_TLB_USED,
  ENV_WALK_PA,
  ENV_WALK_RIGHTS,
  ENV_WALK_SIZE_LOG2,
  FETCH_ENTRIES,
  FETCH_PAGE,
  FETCH_RECORDS,
  FETCH_SIZE,
  FETCH_TAG,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_MODES,
  TLB_PA,
  TLB_READ,
  TLB_SIZE,
  TLB_WRITE,
} from './env.gen';

const PAGE_MASK: u64 = ~(<u64>0xfff);
const TABLE_BYTES: i32 = TLB_ENTRIES * TLB_SIZE;
const FETCH_USED: u32 = 0x80000000;
const NONE: u64 = ~(<u64>0);

/** Entry of the data TLB in force for an address. */
// @ts-ignore: decorator
@inline
export function entryOf(env: i32, va: u64): i32 {
  const index = <i32>(va >> 12) & (TLB_ENTRIES - 1);
  return env + ENV_TLB + load<i32>(env, ENV_MMU_INDEX) * TABLE_BYTES + index * TLB_SIZE;
}

// @ts-ignore: decorator
@inline
export function fetchEntryOf(env: i32, pc: u64): i32 {
  return env + ENV_FETCH + (<i32>(pc >> 12) & (FETCH_ENTRIES - 1)) * FETCH_SIZE;
}

/** Remembers that a page larger than 4 KiB has pieces in the TLBs: a flush inside it must take them all. */
function noteLarge(env: i32, va: u64): void {
  const log2 = load<u32>(env, ENV_WALK_SIZE_LOG2);
  if (log2 <= 12) return;
  // Bare translation covers everything, and no fence asks for its pieces.
  if (log2 >= 64) return;
  let mask = load<u64>(env, ENV_LARGE_MASK);
  const size = NONE << <u64>log2;
  if (mask == 0) {
    store<u64>(env, va & size, ENV_LARGE_BASE);
    store<u64>(env, size, ENV_LARGE_MASK);
    return;
  }
  mask &= size;
  const base = load<u64>(env, ENV_LARGE_BASE);
  while (((base ^ va) & mask) != 0) mask <<= 1;
  store<u64>(env, base & mask, ENV_LARGE_BASE);
  store<u64>(env, mask, ENV_LARGE_MASK);
}

/** Caches the translation in ENV.walk*; `writable` tells whether stores may go straight to the page. */
export function fill(env: i32, va: u64, host: i32, writable: bool): void {
  const entry = entryOf(env, va);
  const page = va & PAGE_MASK;
  const rights = load<u32>(env, ENV_WALK_RIGHTS);
  store<u64>(entry, (rights & 1) != 0 ? page : NONE, TLB_READ);
  store<u64>(entry, (rights & 2) != 0 && writable ? page : NONE, TLB_WRITE);
  store<i32>(entry, (host & ~0xfff) - <i32>page, TLB_ADDEND);
  store<u64>(entry, load<u64>(env, ENV_WALK_PA) & PAGE_MASK, TLB_PA);
  store<u32>(env, load<u32>(env, ENV_TLB_USED) | (1 << load<u32>(env, ENV_MMU_INDEX)), ENV_TLB_USED);
  noteLarge(env, va);
}

export function fillFetch(env: i32, pc: u64, mode: u32, records: i32, page: u32): void {
  const entry = fetchEntryOf(env, pc);
  store<u64>(entry, (pc & PAGE_MASK) | <u64>mode, FETCH_TAG);
  store<i32>(entry, records, FETCH_RECORDS);
  store<u32>(entry, page, FETCH_PAGE);
  store<u32>(env, load<u32>(env, ENV_TLB_USED) | FETCH_USED, ENV_TLB_USED);
  noteLarge(env, pc);
}

/** Drops all translations, data and instructions. */
export function flush_all(env: i32): void {
  const used = load<u32>(env, ENV_TLB_USED);
  for (let i = 0; i < TLB_MODES; i++) {
    if ((used & (1 << i)) != 0) memory.fill(env + ENV_TLB + i * TABLE_BYTES, 0xff, TABLE_BYTES);
  }
  if ((used & FETCH_USED) != 0) memory.fill(env + ENV_FETCH, 0xff, FETCH_ENTRIES * FETCH_SIZE);
  store<u32>(env, 0, ENV_TLB_USED);
  store<u64>(env, 0, ENV_LARGE_BASE);
  store<u64>(env, 0, ENV_LARGE_MASK);
  store<u32>(env, load<u32>(env, ENV_FETCH_GENERATION) + 1, ENV_FETCH_GENERATION);
}

/** Drops the translations of one address, of whatever page size. */
export function flush_page(env: i32, va: u64): void {
  const large = load<u64>(env, ENV_LARGE_MASK);
  if (large != 0 && ((va ^ load<u64>(env, ENV_LARGE_BASE)) & large) == 0) {
    flush_all(env);
    return;
  }
  const page = va & PAGE_MASK;
  const index = <i32>(va >> 12) & (TLB_ENTRIES - 1);
  for (let i = 0; i < TLB_MODES; i++) {
    const entry = env + ENV_TLB + i * TABLE_BYTES + index * TLB_SIZE;
    store<u64>(entry, NONE, TLB_READ);
    store<u64>(entry, NONE, TLB_WRITE);
  }
  const entry = fetchEntryOf(env, va);
  if ((load<u64>(entry, FETCH_TAG) & PAGE_MASK) == page) store<u64>(entry, NONE, FETCH_TAG);
  store<u32>(env, load<u32>(env, ENV_FETCH_GENERATION) + 1, ENV_FETCH_GENERATION);
}

/** Drops all instruction translations. */
export function flush_fetch(env: i32): void {
  memory.fill(env + ENV_FETCH, 0xff, FETCH_ENTRIES * FETCH_SIZE);
  store<u32>(env, load<u32>(env, ENV_TLB_USED) & ~FETCH_USED, ENV_TLB_USED);
  store<u32>(env, load<u32>(env, ENV_FETCH_GENERATION) + 1, ENV_FETCH_GENERATION);
}

/**
 * From now on stores to the physical page take the slow path: it holds translated code or is being watched.
 * Not 0 when stores may have gone straight to the page until now.
 */
export function drop_write_entries(env: i32, pa: u64): i32 {
  const used = load<u32>(env, ENV_TLB_USED);
  let dropped = 0;
  for (let i = 0; i < TLB_MODES; i++) {
    if ((used & (1 << i)) == 0) continue;
    const table = env + ENV_TLB + i * TABLE_BYTES;
    for (let entry = table; entry < table + TABLE_BYTES; entry += TLB_SIZE) {
      if (load<u64>(entry, TLB_PA) != pa || load<u64>(entry, TLB_WRITE) == NONE) continue;
      store<u64>(entry, NONE, TLB_WRITE);
      dropped = 1;
    }
  }
  return dropped;
}
