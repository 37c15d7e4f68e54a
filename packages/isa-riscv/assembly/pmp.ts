// Physical memory protection (Privileged Architecture, section 3.7). Sixteen entries, granularity 4 bytes.
import { PMPADDR, PMPCFG, PMP_ACTIVE, PMP_ENTRIES } from './state.gen';

export const PMP_R: u32 = 1;
export const PMP_W: u32 = 2;
export const PMP_X: u32 = 4;
const PMP_A: u32 = 0x18;
const PMP_TOR: u32 = 0x08;
const PMP_NA4: u32 = 0x10;
const PMP_L: u32 = 0x80;

/** After a check: the rights hold for the whole 4 KiB page around the address. */
export let pmpWholePage: bool = true;

/** Rights (PMP_R | PMP_W | PMP_X) of a privilege on `width` bytes at a physical address. */
export function pmpRights(env: usize, pa: u64, width: u64, privilege: u32): u32 {
  const active = load<u32>(env, PMP_ACTIVE);
  pmpWholePage = true;
  if (active == 0) return privilege == 3 ? 7 : 0;
  const page = pa & ~(<u64>0xfff);
  let previous: u64 = 0;
  for (let i: u32 = 0; i < active; i++) {
    const cfg = <u32>load<u8>(env + i, PMPCFG);
    const address = load<u64>(env + (i << 3), PMPADDR);
    const kind = cfg & PMP_A;
    let first: u64;
    let last: u64;
    if (kind == 0) {
      previous = address;
      continue;
    }
    if (kind == PMP_TOR) {
      first = previous << 2;
      last = (address << 2) - 1;
      previous = address;
      if (address << 2 <= first) continue;
    } else if (kind == PMP_NA4) {
      previous = address;
      first = address << 2;
      last = first + 3;
    } else {
      previous = address;
      // Trailing ones of pmpaddr give the size.
      const size = address ^ (address + 1);
      first = (address & ~size) << 2;
      last = first + ((size << 2) | 3);
      if (size == ~(<u64>0)) {
        first = 0;
        last = ~(<u64>0);
      }
    }
    if (last < page || first > page + 0xfff) continue;
    if (first > page || last < page + 0xfff) pmpWholePage = false;
    if (last < pa || first > pa + width - 1) continue;
    // An access that an entry covers only in part fails.
    if (first > pa || last < pa + width - 1) return 0;
    if (privilege == 3 && (cfg & PMP_L) == 0) return 7;
    return cfg & 7;
  }
  return privilege == 3 ? 7 : 0;
}

/** Recomputes what the checks use after a write to pmpcfg. */
export function pmpChanged(env: usize): void {
  let active: u32 = 0;
  for (let i: i32 = 0; i < PMP_ENTRIES; i++) {
    if ((<u32>load<u8>(env + i, PMPCFG) & PMP_A) != 0) active = i + 1;
  }
  store<u32>(env, active, PMP_ACTIVE);
}

/** A write of `bytes` to the pmpcfg byte of entry `i`; locked entries keep theirs, W without R is not taken. */
export function pmpWriteCfg(env: usize, i: i32, value: u32): void {
  const old = <u32>load<u8>(env + i, PMPCFG);
  if ((old & PMP_L) != 0) return;
  store<u8>(env + i, <u8>legalCfg(value), PMPCFG);
}

/** What a pmpcfg byte holds after a write: W without R is neither. */
export function legalCfg(value: u32): u32 {
  const cfg = value & 0x9f;
  return (cfg & 3) == PMP_W ? cfg & ~(PMP_W | PMP_R) : cfg;
}

/** pmpaddr has bits 55-2 of an address. */
export const PMPADDR_WRITE: u64 = 0x003f_ffff_ffff_ffff;

/** A write to pmpaddr of entry `i`: ignored when it, or the range that it bounds, is locked. */
export function pmpWriteAddr(env: usize, i: i32, value: u64): void {
  if ((<u32>load<u8>(env + i, PMPCFG) & PMP_L) != 0) return;
  if (i + 1 < PMP_ENTRIES) {
    const next = <u32>load<u8>(env + i + 1, PMPCFG);
    if ((next & PMP_L) != 0 && (next & PMP_A) == PMP_TOR) return;
  }
  store<u64>(env + (i << 3), value & PMPADDR_WRITE, PMPADDR);
}
