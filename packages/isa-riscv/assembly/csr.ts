// Control and status registers. Numbers and rights: Privileged Architecture, chapter 2.
import {
  CAUSE_ILLEGAL_INSTRUCTION,
  CSR_FLAG_WRITE,
  CSR_OP_CLEAR,
  CSR_OP_SET,
  CYCLE_OFFSET,
  ENV_BUDGET,
  ENV_FAULT,
  ENV_FP_FLAGS,
  ENV_ICOUNT,
  ENV_TICKS,
  FRM,
  INSTRET_OFFSET,
  MARCHID,
  MCAUSE,
  MCONFIGPTR,
  MCOUNTEREN,
  MCOUNTINHIBIT,
  MEDELEG,
  MENVCFG,
  MEPC,
  MHARTID,
  MIDELEG,
  MIE,
  MIMPID,
  MIP,
  MISA,
  MSCRATCH,
  MSTATUS,
  MTVAL,
  MTVEC,
  MVENDORID,
  PMPADDR,
  PMPCFG,
  PRIVILEGE,
  SATP,
  SCAUSE,
  SCOUNTEREN,
  SENVCFG,
  SEPC,
  SSCRATCH,
  STIMECMP,
  STVAL,
  STVEC,
  TIME_OFFSET,
} from './state.gen';
import { markFpDirty, updateMode } from './mode';
import { pmpChanged, pmpWriteAddr, pmpWriteCfg } from './pmp';
import {
  ENVCFG_STCE,
  IP_ALL,
  IP_SEIP,
  IP_SSIP,
  IP_STIP,
  IP_SUPERVISOR,
  MENVCFG_WRITE,
  MSTATUS_WRITE,
  SENVCFG_WRITE,
  SSTATUS_READ,
  SSTATUS_WRITE,
  STATUS_FS,
  STATUS_MPP,
  STATUS_MPP_SHIFT,
  STATUS_SD,
  STATUS_TVM,
} from './registers';
import { raise } from './walk';
import { pendingInterrupts } from './trap';
import { flush_all } from '@polyvisor/tcg/assembly/tlb';

// Stores the clock in ENV.ticks.
// @ts-ignore: decorator
@external("host", "clock")
declare function host_clock(env: i32): void;
// A timer comparator changed.
// @ts-ignore: decorator
@external("host", "timer_changed")
declare function host_timer_changed(env: i32): void;

/** Exceptions that may be delegated to S-mode: all but ecall from M-mode and the reserved ones. */
export const MEDELEG_WRITE: u64 = 0xb3ff;
/** satp.ASID has 16 bits here. */
export const SATP_WRITE: u64 = 0xffff_0fff_ffff_ffff | (0xf << 60) | (0xf << 44) | (<u64>0xfff << 32);

let legal: bool = true;

function illegal(): u64 {
  legal = false;
  return 0;
}

function statusValue(env: usize): u64 {
  const status = load<u64>(env, MSTATUS);
  return (status & STATUS_FS) == STATUS_FS ? status | STATUS_SD : status;
}

/** Whether a counter (0 cycle, 1 time, 2 instret, others) may be read at the privilege in force. */
function counterAllowed(env: usize, index: u32): bool {
  const privilege = load<u32>(env, PRIVILEGE);
  if (privilege == 3) return true;
  if (((load<u32>(env, MCOUNTEREN) >> index) & 1) == 0) return false;
  return privilege == 1 || ((load<u32>(env, SCOUNTEREN) >> index) & 1) != 0;
}

function instructionCount(env: usize): u64 {
  return load<u64>(env, ENV_ICOUNT) - <u64>(<i64>load<i32>(env, ENV_BUDGET));
}

function stimecmpAllowed(env: usize): bool {
  if (load<u32>(env, PRIVILEGE) == 3) return true;
  return (load<u32>(env, MCOUNTEREN) & 2) != 0 && (load<u64>(env, MENVCFG) & ENVCFG_STCE) != 0;
}

function satpAllowed(env: usize): bool {
  return load<u32>(env, PRIVILEGE) == 3 || (load<u64>(env, MSTATUS) & STATUS_TVM) == 0;
}

/** Counter value by index; mcountinhibit freezes by keeping the value itself in the offset. */
function counter(env: usize, index: u32): u64 {
  if (index == 1) {
    host_clock(<i32>env);
    return load<u64>(env, ENV_TICKS) + load<u64>(env, TIME_OFFSET);
  }
  if (index != 0 && index != 2) return 0;
  const offset = load<u64>(env + (index == 0 ? CYCLE_OFFSET : INSTRET_OFFSET));
  if (((load<u32>(env, MCOUNTINHIBIT) >> index) & 1) != 0) return offset;
  return instructionCount(env) + offset;
}

function setCounter(env: usize, index: u32, value: u64): void {
  const at: usize = index == 0 ? CYCLE_OFFSET : INSTRET_OFFSET;
  const inhibited = ((load<u32>(env, MCOUNTINHIBIT) >> index) & 1) != 0;
  // The writing instruction itself does not count.
  store<u64>(env + at, inhibited ? value : value - instructionCount(env) - 1);
}

/** mcycle and minstret can stand still. */
export const INHIBIT_WRITE: u32 = 5;

function setInhibit(env: usize, value: u32): void {
  for (let index: u32 = 0; index <= 2; index += 2) {
    const now = counter(env, index);
    const at: usize = index == 0 ? CYCLE_OFFSET : INSTRET_OFFSET;
    store<u64>(env + at, ((value >> index) & 1) != 0 ? now : now - instructionCount(env));
  }
  store<u32>(env, value & INHIBIT_WRITE, MCOUNTINHIBIT);
}

/** `number` of pmpcfg is even; each of two holds eight entries. */
function pmpcfgRead(env: usize, number: u32): u64 {
  return load<u64>(env + (number << 2), PMPCFG);
}

function read(env: usize, csr: u32): u64 {
  switch (csr) {
    case 0x001: return <u64>load<u32>(env, ENV_FP_FLAGS) & 31;
    case 0x002: return <u64>load<u32>(env, FRM);
    case 0x003: return (<u64>load<u32>(env, ENV_FP_FLAGS) & 31) | (<u64>load<u32>(env, FRM) << 5);
    case 0x100: return statusValue(env) & SSTATUS_READ;
    case 0x104: return load<u64>(env, MIE) & load<u64>(env, MIDELEG);
    case 0x105: return load<u64>(env, STVEC);
    case 0x106: return <u64>load<u32>(env, SCOUNTEREN);
    case 0x10a: return load<u64>(env, SENVCFG);
    case 0x140: return load<u64>(env, SSCRATCH);
    case 0x141: return load<u64>(env, SEPC);
    case 0x142: return load<u64>(env, SCAUSE);
    case 0x143: return load<u64>(env, STVAL);
    case 0x144: return pendingInterrupts(env) & load<u64>(env, MIDELEG);
    case 0x14d: return stimecmpAllowed(env) ? load<u64>(env, STIMECMP) : illegal();
    case 0x180: return satpAllowed(env) ? load<u64>(env, SATP) : illegal();
    case 0x300: return statusValue(env);
    case 0x301: return load<u64>(env, MISA);
    case 0x302: return load<u64>(env, MEDELEG);
    case 0x303: return load<u64>(env, MIDELEG);
    case 0x304: return load<u64>(env, MIE);
    case 0x305: return load<u64>(env, MTVEC);
    case 0x306: return <u64>load<u32>(env, MCOUNTEREN);
    case 0x30a: return load<u64>(env, MENVCFG);
    case 0x320: return <u64>load<u32>(env, MCOUNTINHIBIT);
    case 0x340: return load<u64>(env, MSCRATCH);
    case 0x341: return load<u64>(env, MEPC);
    case 0x342: return load<u64>(env, MCAUSE);
    case 0x343: return load<u64>(env, MTVAL);
    case 0x344: return pendingInterrupts(env);
    case 0xf11: return load<u64>(env, MVENDORID);
    case 0xf12: return load<u64>(env, MARCHID);
    case 0xf13: return load<u64>(env, MIMPID);
    case 0xf14: return load<u64>(env, MHARTID);
    case 0xf15: return load<u64>(env, MCONFIGPTR);
    // Trigger module: present, without triggers
    case 0x7a0: return 0;
    case 0x7a1: return 0;
    case 0x7a2: return 0;
    case 0x7a3: return 0;
  }
  if (csr >= 0xc00 && csr <= 0xc1f) return counterAllowed(env, csr - 0xc00) ? counter(env, csr - 0xc00) : illegal();
  if (csr >= 0xb00 && csr <= 0xb1f && csr != 0xb01) return counter(env, csr - 0xb00);
  if (csr >= 0x323 && csr <= 0x33f) return 0;
  if (csr == 0x3a0 || csr == 0x3a2) return pmpcfgRead(env, csr - 0x3a0);
  if (csr > 0x3a0 && csr <= 0x3ae && (csr & 1) == 0) return 0;
  if (csr >= 0x3b0 && csr <= 0x3bf) return load<u64>(env + ((csr - 0x3b0) << 3), PMPADDR);
  if (csr >= 0x3c0 && csr <= 0x3ef) return 0;
  return illegal();
}

function writeStatus(env: usize, value: u64, mask: u64): void {
  let status = (load<u64>(env, MSTATUS) & ~mask) | (value & mask);
  // MPP 2 is no privilege: the field keeps its value.
  if ((status & STATUS_MPP) >> STATUS_MPP_SHIFT == 2) {
    status = (status & ~STATUS_MPP) | (load<u64>(env, MSTATUS) & STATUS_MPP);
  }
  store<u64>(env, status, MSTATUS);
  updateMode(env);
}

/** Whether satp's mode is one of bare, Sv39, Sv48, Sv57. */
export function satpMode(value: u64): bool {
  const scheme = value >> 60;
  return scheme == 0 || (scheme >= 8 && scheme <= 10);
}

function writeSatp(env: usize, value: u64): void {
  // An unsupported mode makes the whole write have no effect.
  if (!satpMode(value)) return;
  if (load<u64>(env, SATP) == value) return;
  store<u64>(env, value & SATP_WRITE, SATP);
  flush_all(<i32>env);
}

/** Address of an exception program counter: bit 0 is always 0, bit 1 too without C. */
export const EPC_MASK: u64 = ~(<u64>1);

function write(env: usize, csr: u32, value: u64): void {
  switch (csr) {
    case 0x001:
      store<u32>(env, <u32>value & 31, ENV_FP_FLAGS);
      markFpDirty(env);
      return;
    case 0x002:
      store<u32>(env, <u32>value & 7, FRM);
      markFpDirty(env);
      return;
    case 0x003:
      store<u32>(env, <u32>value & 31, ENV_FP_FLAGS);
      store<u32>(env, (<u32>value >> 5) & 7, FRM);
      markFpDirty(env);
      return;
    case 0x100: return writeStatus(env, value, SSTATUS_WRITE);
    case 0x104: {
      const mask = load<u64>(env, MIDELEG);
      store<u64>(env, (load<u64>(env, MIE) & ~mask) | (value & mask), MIE);
      return;
    }
    case 0x105:
      if ((value & 2) == 0) store<u64>(env, value, STVEC);
      return;
    case 0x106:
      store<u32>(env, <u32>value, SCOUNTEREN);
      return;
    case 0x10a:
      store<u64>(env, value & SENVCFG_WRITE, SENVCFG);
      return;
    case 0x140:
      store<u64>(env, value, SSCRATCH);
      return;
    case 0x141:
      store<u64>(env, value & EPC_MASK, SEPC);
      return;
    case 0x142:
      store<u64>(env, value, SCAUSE);
      return;
    case 0x143:
      store<u64>(env, value, STVAL);
      return;
    case 0x144: {
      const mask = load<u64>(env, MIDELEG) & IP_SSIP;
      store<u64>(env, (load<u64>(env, MIP) & ~mask) | (value & mask), MIP);
      return;
    }
    case 0x14d:
      if (!stimecmpAllowed(env)) {
        legal = false;
        return;
      }
      store<u64>(env, value, STIMECMP);
      host_timer_changed(<i32>env);
      return;
    case 0x180:
      if (!satpAllowed(env)) legal = false;
      else writeSatp(env, value);
      return;
    case 0x300: return writeStatus(env, value, MSTATUS_WRITE);
    case 0x301: return;
    case 0x302:
      store<u64>(env, value & MEDELEG_WRITE, MEDELEG);
      return;
    case 0x303:
      store<u64>(env, value & IP_SUPERVISOR, MIDELEG);
      return;
    case 0x304:
      store<u64>(env, value & IP_ALL, MIE);
      return;
    case 0x305:
      if ((value & 2) == 0) store<u64>(env, value, MTVEC);
      return;
    case 0x306:
      store<u32>(env, <u32>value, MCOUNTEREN);
      return;
    case 0x30a:
      store<u64>(env, value & MENVCFG_WRITE, MENVCFG);
      flush_all(<i32>env);
      host_timer_changed(<i32>env);
      return;
    case 0x320: return setInhibit(env, <u32>value);
    case 0x340:
      store<u64>(env, value, MSCRATCH);
      return;
    case 0x341:
      store<u64>(env, value & EPC_MASK, MEPC);
      return;
    case 0x342:
      store<u64>(env, value, MCAUSE);
      return;
    case 0x343:
      store<u64>(env, value, MTVAL);
      return;
    case 0x344: {
      // STIP is the comparator's with Sstc.
      let mask = IP_SSIP | IP_SEIP;
      if ((load<u64>(env, MENVCFG) & ENVCFG_STCE) == 0) mask |= IP_STIP;
      store<u64>(env, (load<u64>(env, MIP) & ~mask) | (value & mask), MIP);
      return;
    }
    case 0xb00: return setCounter(env, 0, value);
    case 0xb02: return setCounter(env, 2, value);
    case 0x7a0: return;
    case 0x7a1: return;
    case 0x7a2: return;
    case 0x7a3: return;
  }
  if (csr >= 0xb03 && csr <= 0xb1f) return;
  if (csr >= 0x323 && csr <= 0x33f) return;
  if (csr == 0x3a0 || csr == 0x3a2) {
    const first = <i32>(csr - 0x3a0) << 2;
    for (let i = 0; i < 8; i++) pmpWriteCfg(env, first + i, <u32>(value >> <u64>(i << 3)) & 0xff);
    pmpChanged(env);
    flush_all(<i32>env);
    return;
  }
  if (csr > 0x3a0 && csr <= 0x3ae && (csr & 1) == 0) return;
  if (csr >= 0x3b0 && csr <= 0x3bf) {
    pmpWriteAddr(env, <i32>csr - 0x3b0, value);
    flush_all(<i32>env);
    return;
  }
  if (csr >= 0x3c0 && csr <= 0x3ef) return;
  legal = false;
}

/**
 * csrrw, csrrs, csrrc and their immediate forms. `flags` tells which halves happen: a csrrw to x0 doesn't read,
 * a csrrs with x0 doesn't write. Gives the old value.
 */
export function csr_access(env: usize, csr: i32, op: i32, value: u64, flags: i32): u64 {
  const number = <u32>csr;
  const privilege = load<u32>(env, PRIVILEGE);
  const writes = (flags & CSR_FLAG_WRITE) != 0;
  legal = privilege >= ((number >> 8) & 3) && !(writes && number >> 10 == 3);
  // fflags, frm and fcsr belong to the floating-point unit.
  if (number <= 3 && (load<u64>(env, MSTATUS) & STATUS_FS) == 0) legal = false;
  let old: u64 = 0;
  if (legal) {
    // The write of a csrrw may not depend on a read that is not wanted, but reads here have no side effects.
    old = read(env, number);
    if (legal && writes) {
      // A set or clear of mip changes only what software wrote, not what lines say.
      const base = number == 0x344 ? load<u64>(env, MIP) : old;
      write(env, number, op == CSR_OP_SET ? base | value : op == CSR_OP_CLEAR ? base & ~value : value);
    }
  }
  if (!legal) {
    if (load<i32>(env, ENV_FAULT) == 0) raise(env, CAUSE_ILLEGAL_INSTRUCTION, 0);
    return 0;
  }
  return old;
}
