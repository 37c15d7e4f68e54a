// Traps: exceptions, interrupts, and the way back (Privileged Architecture, sections 3.1.6, 3.3.2, 12.1).
import {
  CAUSE_BREAKPOINT,
  CAUSE_ECALL_MACHINE,
  CAUSE_ECALL_SUPERVISOR,
  CAUSE_ECALL_USER,
  CAUSE_ILLEGAL_INSTRUCTION,
  ENV_FAULT,
  ENV_FAULT_CODE,
  ENV_FAULT_VALUE,
  ENV_HOST_EXIT,
  ENV_LINES,
  ENV_PC,
  ENV_RESERVATION,
  ENV_TICKS,
  ENV_WALK_PA,
  EXIT_HOST,
  EXIT_WAIT,
  FEATURES,
  MCAUSE,
  MEDELEG,
  MENVCFG,
  MEPC,
  MIDELEG,
  MIE,
  MIP,
  MSTATUS,
  MTIMECMP,
  MTVAL,
  MTVEC,
  PRIVILEGE,
  SCAUSE,
  SEPC,
  STIMECMP,
  STVAL,
  STVEC,
  TIME_OFFSET,
} from './state.gen';
import { updateMode } from './mode';
import {
  ENVCFG_STCE,
  EXECUTE,
  FEATURE_SBI,
  IP_MEIP,
  IP_MSIP,
  IP_MTIP,
  IP_SEIP,
  IP_SSIP,
  IP_STIP,
  STATUS_MIE,
  STATUS_MPIE,
  STATUS_MPP,
  STATUS_MPP_SHIFT,
  STATUS_MPRV,
  STATUS_SIE,
  STATUS_SPIE,
  STATUS_SPP,
  STATUS_TSR,
  STATUS_TW,
} from './registers';
import { raise, walk } from './walk';
import { host_address } from '@polyvisor/tcg/assembly/physical';

const INTERRUPT: u64 = 1 << 63;
/** Left in ENV.faultCode with EXIT.host. */
export const HOST_ECALL: u32 = 1;

/** Enters the handler for `cause` at the privilege that delegation gives. */
function trap(env: usize, cause: u64, tval: u64, delegated: bool): void {
  const pc = load<u64>(env, ENV_PC);
  const privilege = <u64>load<u32>(env, PRIVILEGE);
  let status = load<u64>(env, MSTATUS);
  let vector: u64;
  if (delegated && privilege <= 1) {
    store<u64>(env, pc, SEPC);
    store<u64>(env, cause, SCAUSE);
    store<u64>(env, tval, STVAL);
    status = (status & ~(STATUS_SPIE | STATUS_SPP)) | ((status & STATUS_SIE) << 4) | (privilege << 8);
    status &= ~STATUS_SIE;
    store<u32>(env, 1, PRIVILEGE);
    vector = load<u64>(env, STVEC);
  } else {
    store<u64>(env, pc, MEPC);
    store<u64>(env, cause, MCAUSE);
    store<u64>(env, tval, MTVAL);
    status = (status & ~(STATUS_MPIE | STATUS_MPP)) | ((status & STATUS_MIE) << 4) | (privilege << STATUS_MPP_SHIFT);
    status &= ~STATUS_MIE;
    store<u32>(env, 3, PRIVILEGE);
    vector = load<u64>(env, MTVEC);
  }
  store<u64>(env, status, MSTATUS);
  let target = vector & ~(<u64>3);
  if ((vector & 3) == 1 && (cause & INTERRUPT) != 0) target += (cause & 0x3f) << 2;
  store<u64>(env, target, ENV_PC);
  updateMode(env);
}

/** Bits of the instruction at ENV.pc, which has just been executed and so is mapped; 0 if it can't be read. */
function instructionBits(env: usize): u64 {
  const pc = load<u64>(env, ENV_PC);
  if (walk(env, pc, EXECUTE) == 0) return 0;
  const first = host_address(load<u64>(env, ENV_WALK_PA), 2, 1);
  if (first == 0) return 0;
  const low = <u64>load<u16>(first);
  if ((low & 3) != 3) return low;
  if (walk(env, pc + 2, EXECUTE) == 0) return 0;
  const second = host_address(load<u64>(env, ENV_WALK_PA), 2, 1);
  return second == 0 ? 0 : low | (<u64>load<u16>(second) << 16);
}

/** Turns the raised fault into the guest's trap; ENV.pc is the faulting instruction's. */
export function deliver(env: usize): void {
  const cause = load<i32>(env, ENV_FAULT) - 1;
  let tval = load<u64>(env, ENV_FAULT_VALUE);
  if (cause == CAUSE_ILLEGAL_INSTRUCTION && tval == 0) tval = instructionBits(env);
  store<i32>(env, 0, ENV_FAULT);
  if (cause == CAUSE_ECALL_SUPERVISOR && (load<u32>(env, FEATURES) & FEATURE_SBI) != 0) {
    // Built-in firmware: the host answers, with pc still at the ecall.
    store<u32>(env, HOST_ECALL, ENV_FAULT_CODE);
    store<i32>(env, EXIT_HOST, ENV_HOST_EXIT);
    return;
  }
  const delegated = ((load<u64>(env, MEDELEG) >> <u64>cause) & 1) != 0;
  trap(env, <u64>cause, tval, delegated);
}

/** mip as software reads it: what it wrote, what lines say, and the timers. */
export function pendingInterrupts(env: usize): u64 {
  let pending = load<u64>(env, MIP) | <u64>atomic.load<u32>(env + ENV_LINES);
  const ticks = load<u64>(env, ENV_TICKS);
  if (ticks >= load<u64>(env, MTIMECMP)) pending |= IP_MTIP;
  if ((load<u64>(env, MENVCFG) & ENVCFG_STCE) != 0) {
    if (ticks + load<u64>(env, TIME_OFFSET) >= load<u64>(env, STIMECMP)) pending |= IP_STIP;
    else pending &= ~IP_STIP;
  }
  return pending;
}

/** Interrupts that would be taken now; `dueToSupervisor` tells where to. */
function dueInterrupts(env: usize): u64 {
  dueToSupervisor = false;
  const enabled = pendingInterrupts(env) & load<u64>(env, MIE);
  if (enabled == 0) return 0;
  const privilege = load<u32>(env, PRIVILEGE);
  const status = load<u64>(env, MSTATUS);
  const mideleg = load<u64>(env, MIDELEG);
  if (privilege < 3 || (status & STATUS_MIE) != 0) {
    const due = enabled & ~mideleg;
    if (due != 0) return due;
  }
  if (privilege > 1 || (privilege == 1 && (status & STATUS_SIE) == 0)) return 0;
  dueToSupervisor = true;
  return enabled & mideleg;
}

let dueToSupervisor: bool = false;

/** Not 0 when an interrupt would be taken now. */
export function interrupt_due(env: usize): i32 {
  return dueInterrupts(env) != 0 ? 1 : 0;
}

/** Takes the highest-priority interrupt that is pending and enabled. */
export function poll(env: usize): void {
  const due = dueInterrupts(env);
  if (due == 0) return;
  let bit: u64;
  if ((due & IP_MEIP) != 0) bit = 11;
  else if ((due & IP_MSIP) != 0) bit = 3;
  else if ((due & IP_MTIP) != 0) bit = 7;
  else if ((due & IP_SEIP) != 0) bit = 9;
  else if ((due & IP_SSIP) != 0) bit = 1;
  else if ((due & IP_STIP) != 0) bit = 5;
  else bit = ctz<u64>(due);
  trap(env, INTERRUPT | bit, 0, dueToSupervisor);
}

/** Whether a waiting hart has to wake up: something pending is enabled in mie, globally or not. */
export function wakeup(env: usize): i32 {
  return (pendingInterrupts(env) & load<u64>(env, MIE)) != 0 ? 1 : 0;
}

export function ecall(env: usize): void {
  const privilege = load<u32>(env, PRIVILEGE);
  raise(env, privilege == 0 ? CAUSE_ECALL_USER : privilege == 1 ? CAUSE_ECALL_SUPERVISOR : CAUSE_ECALL_MACHINE, 0);
}

export function ebreak(env: usize, pc: u64): void {
  raise(env, CAUSE_BREAKPOINT, pc);
}

export function mret(env: usize): void {
  if (load<u32>(env, PRIVILEGE) != 3) return raise(env, CAUSE_ILLEGAL_INSTRUCTION, 0);
  let status = load<u64>(env, MSTATUS);
  const previous = (status & STATUS_MPP) >> STATUS_MPP_SHIFT;
  status = (status & ~STATUS_MIE) | ((status & STATUS_MPIE) >> 4) | STATUS_MPIE;
  status &= ~STATUS_MPP;
  if (previous != 3) status &= ~STATUS_MPRV;
  store<u64>(env, status, MSTATUS);
  store<u32>(env, <u32>previous, PRIVILEGE);
  store<u64>(env, load<u64>(env, MEPC), ENV_PC);
  updateMode(env);
}

export function sret(env: usize): void {
  let status = load<u64>(env, MSTATUS);
  const privilege = load<u32>(env, PRIVILEGE);
  if (privilege == 0 || (privilege == 1 && (status & STATUS_TSR) != 0)) return raise(env, CAUSE_ILLEGAL_INSTRUCTION, 0);
  const previous = (status & STATUS_SPP) >> 8;
  status = (status & ~STATUS_SIE) | ((status & STATUS_SPIE) >> 4) | STATUS_SPIE;
  status &= ~(STATUS_SPP | STATUS_MPRV);
  store<u64>(env, status, MSTATUS);
  store<u32>(env, <u32>previous, PRIVILEGE);
  store<u64>(env, load<u64>(env, SEPC), ENV_PC);
  updateMode(env);
}

export function wfi(env: usize): void {
  const privilege = load<u32>(env, PRIVILEGE);
  if (privilege == 0 || (privilege == 1 && (load<u64>(env, MSTATUS) & STATUS_TW) != 0)) {
    return raise(env, CAUSE_ILLEGAL_INSTRUCTION, 0);
  }
  if (wakeup(env) == 0) store<i32>(env, EXIT_WAIT, ENV_HOST_EXIT);
}

/** Forgets the load reservation: after a trap another context may run. */
export function clearReservation(env: usize): void {
  store<u64>(env, ~(<u64>0), ENV_RESERVATION);
}
