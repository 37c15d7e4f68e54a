// Fences, cache-block operations, reset.
import {
  CAUSE_ILLEGAL_INSTRUCTION,
  CBO_INVAL,
  CBO_ZERO,
  ENV_FAULT,
  ENV_FP_OPTIONS,
  ENV_HOST_EXIT,
  ENV_RESERVATION,
  FEATURES,
  MENVCFG,
  MSTATUS,
  PRIVILEGE,
  SENVCFG,
  SFENCE_FENCE_ONLY,
  SFENCE_HAS_VA,
} from './state.gen';
import { updateMode } from './mode';
import { pmpChanged } from './pmp';
import {
  ENVCFG_CBCFE,
  ENVCFG_CBIE,
  ENVCFG_CBZE,
  FEATURE_SMP,
  READ,
  STATUS_TVM,
  WRITE,
} from './registers';
import { raise, walk } from './walk';
import { flush_all, flush_page } from '@polyvisor/tcg/assembly/tlb';

// @ts-ignore: decorator
@external("host", "fence_i")
declare function host_fence_i(env: i32): void;

export function sfence(env: usize, va: u64, asid: u64, flags: i32): void {
  const privilege = load<u32>(env, PRIVILEGE);
  const fenceOnly = (flags & SFENCE_FENCE_ONLY) != 0;
  if (privilege == 0 || (privilege == 1 && !fenceOnly && (load<u64>(env, MSTATUS) & STATUS_TVM) != 0)) {
    return raise(env, CAUSE_ILLEGAL_INSTRUCTION, 0);
  }
  if (fenceOnly) return;
  if ((flags & SFENCE_HAS_VA) != 0) flush_page(<i32>env, va);
  else flush_all(<i32>env);
}

/** Own stores to code have been noticed already; other vCPUs' are asked for. */
export function fence_i(env: usize): void {
  if ((load<u32>(env, FEATURES) & FEATURE_SMP) != 0) host_fence_i(<i32>env);
}

/** Zicbom and Zicboz. `kind` is the instruction's: see CBO in src/mode.ts. */
export function cbo(env: usize, kind: i32, va: u64): void {
  const privilege = load<u32>(env, PRIVILEGE);
  const bit = kind == CBO_ZERO ? ENVCFG_CBZE : kind == CBO_INVAL ? ENVCFG_CBIE : ENVCFG_CBCFE;
  if (
    (privilege < 3 && (load<u64>(env, MENVCFG) & bit) == 0) ||
    (privilege == 0 && (load<u64>(env, SENVCFG) & bit) == 0)
  ) {
    return raise(env, CAUSE_ILLEGAL_INSTRUCTION, 0);
  }
  // The block is written by plain stores that follow.
  if (kind == CBO_ZERO) return;
  // Coherent memory: nothing to do, once the block may be read or written at all.
  if (walk(env, va, READ) == 0) {
    store<i32>(env, 0, ENV_FAULT);
    walk(env, va, WRITE);
  }
}

/** Derived state after registers were loaded from outside: mode word, MMU index, PMP, TLBs. */
export function refresh(env: usize): void {
  store<i32>(env, 0, ENV_FAULT);
  store<i32>(env, 0, ENV_HOST_EXIT);
  store<u64>(env, ~(<u64>0), ENV_RESERVATION);
  // RISC-V: canonical NaNs, tininess after rounding.
  store<u32>(env, load<u32>(env, ENV_FP_OPTIONS) | 1, ENV_FP_OPTIONS);
  pmpChanged(env);
  updateMode(env);
  flush_all(<i32>env);
}
