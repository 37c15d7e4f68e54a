// Whether a hart could be in the state that was loaded into its block: the masks are those of CSR writes.
import {
  ENV_FP_FLAGS,
  ENV_PC,
  FRM,
  MCOUNTINHIBIT,
  MEDELEG,
  MENVCFG,
  MEPC,
  MIDELEG,
  MIE,
  MIP,
  MSTATUS,
  MTVEC,
  PMPADDR,
  PMPCFG,
  PMP_ENTRIES,
  PRIVILEGE,
  RESET_MSTATUS,
  SATP,
  SENVCFG,
  SEPC,
  STVEC,
  X0,
} from './state.gen';
import { EPC_MASK, INHIBIT_WRITE, MEDELEG_WRITE, SATP_WRITE, satpMode } from './csr';
import { legalCfg, PMPADDR_WRITE } from './pmp';
import {
  IP_ALL,
  IP_SEIP,
  IP_SSIP,
  IP_STIP,
  IP_SUPERVISOR,
  MENVCFG_WRITE,
  MSTATUS_WRITE,
  SENVCFG_WRITE,
  STATUS_MPP,
  STATUS_MPP_SHIFT,
} from './registers';

const NONE: usize = -1;
/** Bits of mtvec and stvec that no write sets: mode 2 and 3. */
const TVEC_RESERVED: u64 = 2;

/** Whether a field of the block has bits that no write leaves there. */
function strays(env: usize, offset: usize, writable: u64): bool {
  return (load<u64>(env + offset) & ~writable) != 0;
}

/** Offset in the block of the first register that holds what this hart can't, all ones when there is none. */
export function illegal_state(env: usize): usize {
  const privilege = load<u32>(env, PRIVILEGE);
  if (privilege == 2 || privilege > 3) return PRIVILEGE;
  if (load<u64>(env, X0) != 0) return X0;
  if (strays(env, ENV_PC, EPC_MASK)) return ENV_PC;
  if (load<u32>(env, ENV_FP_FLAGS) > 31) return ENV_FP_FLAGS;
  if (load<u32>(env, FRM) > 7) return FRM;
  const status = load<u64>(env, MSTATUS);
  if ((status & ~MSTATUS_WRITE) != RESET_MSTATUS || (status & STATUS_MPP) >> STATUS_MPP_SHIFT == 2) return MSTATUS;
  if (strays(env, MIE, IP_ALL)) return MIE;
  if (strays(env, MIP, IP_SSIP | IP_STIP | IP_SEIP)) return MIP;
  if (strays(env, MTVEC, ~TVEC_RESERVED)) return MTVEC;
  if (strays(env, STVEC, ~TVEC_RESERVED)) return STVEC;
  if (strays(env, MEPC, EPC_MASK)) return MEPC;
  if (strays(env, SEPC, EPC_MASK)) return SEPC;
  if (strays(env, MEDELEG, MEDELEG_WRITE)) return MEDELEG;
  if (strays(env, MIDELEG, IP_SUPERVISOR)) return MIDELEG;
  if (strays(env, MENVCFG, MENVCFG_WRITE)) return MENVCFG;
  if (strays(env, SENVCFG, SENVCFG_WRITE)) return SENVCFG;
  if (strays(env, SATP, SATP_WRITE) || !satpMode(load<u64>(env, SATP))) return SATP;
  if ((load<u32>(env, MCOUNTINHIBIT) & ~INHIBIT_WRITE) != 0) return MCOUNTINHIBIT;
  for (let i: i32 = 0; i < PMP_ENTRIES; i++) {
    const cfg = <u32>load<u8>(env + i, PMPCFG);
    if (legalCfg(cfg) != cfg) return PMPCFG;
    if (strays(env, PMPADDR + (i << 3), PMPADDR_WRITE)) return PMPADDR;
  }
  return NONE;
}
