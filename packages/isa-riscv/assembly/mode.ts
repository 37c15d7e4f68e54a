// The mode word and the data MMU index: derived from privilege and mstatus, recomputed after each change of them.
import { ENV_MMU_INDEX, ENV_MODE, ENV_PC, MODE_FP, MODE_FP_DIRTY, MODE_MMU_SHIFT, MSTATUS, PRIVILEGE } from './state.gen';
import { STATUS_FS, STATUS_FS_SHIFT, STATUS_MPP_SHIFT, STATUS_MPRV, STATUS_MXR, STATUS_SUM } from './registers';

/** Data MMU indices: 0 U, 1 S, 2 S with SUM, 3 M, 4 U with MXR, 5 S with MXR, 6 S with SUM and MXR. */
export function updateMode(env: usize): void {
  const status = load<u64>(env, MSTATUS);
  const privilege = load<u32>(env, PRIVILEGE);
  const effective = privilege == 3 && (status & STATUS_MPRV) != 0 ? <u32>(status >> STATUS_MPP_SHIFT) & 3 : privilege;
  let index: u32 = 3;
  if (effective != 3) {
    index = effective == 1 ? ((status & STATUS_SUM) != 0 ? 2 : 1) : 0;
    if ((status & STATUS_MXR) != 0) index += 4;
  }
  let mode = privilege | (index << MODE_MMU_SHIFT);
  const fs = status & STATUS_FS;
  if (fs != 0) mode |= MODE_FP;
  if (fs >> STATUS_FS_SHIFT == 3) mode |= MODE_FP_DIRTY;
  store<u32>(env, index, ENV_MMU_INDEX);
  store<u32>(env, mode, ENV_MODE);
}

/** fcsr was written: mstatus.FS becomes Dirty. */
export function markFpDirty(env: usize): void {
  store<u64>(env, load<u64>(env, MSTATUS) | STATUS_FS, MSTATUS);
  updateMode(env);
}

/** The instruction at `pc` is about to write a floating-point register: mstatus.FS becomes Dirty, and it starts again. */
export function fp_dirty(env: usize, pc: u64): void {
  markFpDirty(env);
  store<u64>(env, pc, ENV_PC);
}
