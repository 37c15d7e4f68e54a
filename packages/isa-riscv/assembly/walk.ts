// Address translation: Sv39, Sv48, Sv57 with Svnapot, Svpbmt, Svadu, and PMP (Privileged Architecture, chapter 12).
import {
  CAUSE_INSTRUCTION_ACCESS,
  CAUSE_INSTRUCTION_PAGE_FAULT,
  CAUSE_LOAD_ACCESS,
  CAUSE_LOAD_MISALIGNED,
  CAUSE_LOAD_PAGE_FAULT,
  CAUSE_STORE_ACCESS,
  CAUSE_STORE_MISALIGNED,
  CAUSE_STORE_PAGE_FAULT,
  ENV_FAULT,
  ENV_FAULT_VALUE,
  ENV_MMU_INDEX,
  ENV_WALK_PA,
  ENV_WALK_RIGHTS,
  ENV_WALK_SIZE_LOG2,
  MENVCFG,
  PRIVILEGE,
  SATP,
} from './state.gen';
import { pmpRights, pmpWholePage } from './pmp';
import {
  ENVCFG_ADUE,
  ENVCFG_PBMTE,
  EXECUTE,
  PTE_A,
  PTE_D,
  PTE_N,
  PTE_PBMT,
  PTE_PPN,
  PTE_R,
  PTE_RESERVED,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  READ,
  WRITE,
} from './registers';
import { FLAG_CLEAN, FLAG_CODE, flagsOf, host_address, wroteWatched } from '@polyvisor/tcg/assembly/physical';

/** Raises: the vCPU leaves at the instruction that is being executed. */
export function raise(env: usize, cause: i32, tval: u64): void {
  store<i32>(env, cause + 1, ENV_FAULT);
  store<u64>(env, tval, ENV_FAULT_VALUE);
}

export function misaligned(env: usize, va: u64, access: i32): void {
  raise(env, access == READ ? CAUSE_LOAD_MISALIGNED : CAUSE_STORE_MISALIGNED, va);
}

export function access_fault(env: usize, va: u64, access: i32): void {
  raise(env, access == EXECUTE ? CAUSE_INSTRUCTION_ACCESS : access == READ ? CAUSE_LOAD_ACCESS : CAUSE_STORE_ACCESS, va);
}

function pageFault(env: usize, va: u64, access: i32): i32 {
  raise(
    env,
    access == EXECUTE ? CAUSE_INSTRUCTION_PAGE_FAULT : access == READ ? CAUSE_LOAD_PAGE_FAULT : CAUSE_STORE_PAGE_FAULT,
    va,
  );
  return 0;
}

function accessFault(env: usize, va: u64, access: i32): i32 {
  access_fault(env, va, access);
  return 0;
}

/** Leaves the translation in ENV.walk* if PMP lets the access through. `rights` in softmmu terms: 1 R, 2 W, 4 X. */
function finish(env: usize, va: u64, pa: u64, access: i32, privilege: u32, rights: u32, log2: u32): i32 {
  const allowed = pmpRights(env, pa, 1, privilege);
  const needed: u32 = access == READ ? 1 : access == WRITE ? 2 : 4;
  if ((allowed & needed) == 0) return accessFault(env, va, access);
  store<u64>(env, pa, ENV_WALK_PA);
  store<u32>(env, rights & allowed, ENV_WALK_RIGHTS);
  if (!pmpWholePage) {
    // The entry that decides must cover all of an access: the widest one, or what an entry may be no smaller than.
    log2 = (pmpRights(env, pa & ~(<u64>7), 8, privilege) & needed) != 0 ? 3 : 2;
  }
  store<u32>(env, log2, ENV_WALK_SIZE_LOG2);
  return 1;
}

/**
 * Translates a guest-virtual address for an access in the mode in force (data: ENV.mmuIndex; instructions:
 * the privilege). 1: ENV.walkPa, walkRights, walkSizeLog2 are set. 0: the fault is raised.
 */
export function walk(env: usize, va: u64, access: i32): i32 {
  let privilege: u32;
  let sum = false;
  let mxr = false;
  if (access == EXECUTE) {
    privilege = load<u32>(env, PRIVILEGE);
  } else {
    const index = load<u32>(env, ENV_MMU_INDEX);
    if (index == 3) {
      privilege = 3;
    } else {
      const low = index & 3;
      privilege = low == 0 ? 0 : 1;
      sum = low == 2;
      mxr = index >= 4;
    }
  }
  const satp = load<u64>(env, SATP);
  const scheme = satp >> 60;
  if (privilege == 3 || scheme == 0) {
    if (va >> 56 != 0) return accessFault(env, va, access);
    return finish(env, va, va, access, privilege, 7, 64);
  }
  const levels: i32 = <i32>scheme - 8 + 3;
  const unused: u64 = <u64>(64 - 12 - 9 * levels);
  if (<i64>(va << unused) >> <i64>unused != <i64>va) return pageFault(env, va, access);

  const menvcfg = load<u64>(env, MENVCFG);
  let table = (satp & 0x0000_0fff_ffff_ffff) << 12;
  for (let level = levels - 1; level >= 0; level--) {
    const at = table + (((va >> <u64>(12 + 9 * level)) & 511) << 3);
    if ((pmpRights(env, at, 8, 1) & 1) == 0) return accessFault(env, va, access);
    const host = host_address(at, 8, 1);
    if (host == 0) return accessFault(env, va, access);
    const pte = load<u64>(host);
    if ((pte & PTE_V) == 0 || (pte & (PTE_R | PTE_W)) == PTE_W || (pte & PTE_RESERVED) != 0) return pageFault(env, va, access);
    if ((pte & PTE_PBMT) != 0 && ((menvcfg & ENVCFG_PBMTE) == 0 || (pte & PTE_PBMT) == PTE_PBMT)) return pageFault(env, va, access);
    if ((pte & (PTE_R | PTE_X)) == 0) {
      // A pointer has no use for A, D, U, PBMT and N: they are reserved there.
      if ((pte & (PTE_A | PTE_D | PTE_U | PTE_PBMT | PTE_N)) != 0) return pageFault(env, va, access);
      table = (pte & PTE_PPN) << 2;
      continue;
    }
    // Leaf
    const readable = (pte & PTE_R) != 0 || (mxr && (pte & PTE_X) != 0);
    if ((pte & PTE_U) != 0) {
      if (privilege == 1 && (access == EXECUTE || !sum)) return pageFault(env, va, access);
    } else if (privilege == 0) {
      return pageFault(env, va, access);
    }
    if (access == READ ? !readable : access == WRITE ? (pte & PTE_W) == 0 : (pte & PTE_X) == 0) return pageFault(env, va, access);

    let ppn = (pte & PTE_PPN) << 2;
    let log2: u32 = 12 + 9 * level;
    if (level > 0) {
      if ((ppn & (((<u64>1) << log2) - 1)) != 0) return pageFault(env, va, access);
      if ((pte & PTE_N) != 0) return pageFault(env, va, access);
    } else if ((pte & PTE_N) != 0) {
      // Svnapot: 64 KiB is the one size defined.
      if ((ppn & 0xf000) != 0x8000) return pageFault(env, va, access);
      ppn &= ~(<u64>0xffff);
      log2 = 16;
    }
    let updated = pte | PTE_A;
    if (access == WRITE) updated |= PTE_D;
    if (updated != pte) {
      if ((menvcfg & ENVCFG_ADUE) == 0) return pageFault(env, va, access);
      if ((pmpRights(env, at, 8, 1) & 2) == 0) return accessFault(env, va, access);
      const writable = host_address(at, 8, 0);
      if (writable == 0) return accessFault(env, va, access);
      // Somebody else changed the entry meanwhile: look again.
      if (atomic.cmpxchg<u64>(writable, pte, updated) != pte) {
        level = level + 1;
        continue;
      }
      if ((<u32>load<u8>(flagsOf(writable)) & (FLAG_CODE | FLAG_CLEAN)) != 0) wroteWatched(<i32>env, writable, 8);
    }
    const mask = ((<u64>1) << log2) - 1;
    let rights: u32 = 0;
    if (readable) rights |= 1;
    // A page whose D is clear must come back here at its first store.
    if ((pte & PTE_W) != 0 && (updated & PTE_D) != 0) rights |= 2;
    if ((pte & PTE_X) != 0) rights |= 4;
    return finish(env, va, ppn | (va & mask), access, privilege, rights, log2);
  }
  return pageFault(env, va, access);
}
