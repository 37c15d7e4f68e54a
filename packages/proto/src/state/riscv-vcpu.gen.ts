// Generated from proto/polyvisor/cpu/v1/riscv_vcpu.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/**
 * An RV64 hart: integer and floating-point registers, every CSR that holds something, and what an interrupted
 * instruction sequence may rely on. Interrupt lines and the machine timer's comparator are the controllers' state.
 * Values that a write of the CSR by the guest could not have left are refused on load.
 */
export interface RiscvVcpuState {
  /** Integer registers; x0 is 0. */
  x: BigUint64Array;
  /** Floating-point registers as bits; single precision is NaN-boxed. */
  f: BigUint64Array;
  /** Next instruction. */
  pc: bigint;
  /** Privilege in force: 0 U, 1 S, 3 M. */
  privilege: number;
  /** Accrued exceptions. */
  fflags: number;
  /** Dynamic rounding mode. */
  frm: number;
  /** Without SD, which is computed at a read. */
  mstatus: bigint;
  /** Read-only: must be what this hart has. */
  misa: bigint;
  /** Interrupts enabled. */
  mie: bigint;
  /**
   * Bits that software has written, and software interrupts that others have sent; lines belong to their
   * controllers.
   */
  mip: bigint;
  /** Trap vector of M-mode. */
  mtvec: bigint;
  /** Exception program counter of M-mode. */
  mepc: bigint;
  /** Cause of the trap to M-mode. */
  mcause: bigint;
  /** Value of the trap to M-mode. */
  mtval: bigint;
  /** Scratch register of M-mode. */
  mscratch: bigint;
  /** Exceptions delegated to S-mode. */
  medeleg: bigint;
  /** Interrupts delegated to S-mode. */
  mideleg: bigint;
  /** Environment configuration of S-mode. */
  menvcfg: bigint;
  /** Read-only. */
  mseccfg: bigint;
  /** Read-only: number of the hart. */
  mhartid: bigint;
  /** Read-only. */
  mvendorid: bigint;
  /** Read-only. */
  marchid: bigint;
  /** Read-only. */
  mimpid: bigint;
  /** Read-only. */
  mconfigptr: bigint;
  /** Trap vector of S-mode. */
  stvec: bigint;
  /** Exception program counter of S-mode. */
  sepc: bigint;
  /** Cause of the trap to S-mode. */
  scause: bigint;
  /** Value of the trap to S-mode. */
  stval: bigint;
  /** Scratch register of S-mode. */
  sscratch: bigint;
  /** Address translation: mode, address space, root table. */
  satp: bigint;
  /** Environment configuration of U-mode. */
  senvcfg: bigint;
  /** Compared with time (Sstc). */
  stimecmp: bigint;
  /** Cycles; this hart takes one for each instruction. */
  mcycle: bigint;
  /** Instructions retired. */
  minstret: bigint;
  /** Added to the machine's clock, in ticks, to give time. */
  timeOffset: bigint;
  /** Counters that S-mode may read. */
  mcounteren: number;
  /** Counters that U-mode may read. */
  scounteren: number;
  /** Counters that stand still: 0 mcycle, 2 minstret. */
  mcountinhibit: number;
  /** Configuration of each entry of physical memory protection. */
  pmpcfg: Uint8Array;
  /** Address of each entry, in units of 4 bytes. */
  pmpaddr: BigUint64Array;
  /** Guest-virtual address that load-reserved has reserved; all ones for none. */
  reservationAddress: bigint;
  /** What it read there: a store-conditional compares. */
  reservedValue: bigint;
  /** ecall from S-mode is served by the emulator (built-in firmware). */
  firmwareCalls: boolean;
  /** Inside WFI, or suspended by its firmware until an interrupt. */
  waiting: boolean;
}

export const riscvVcpuState = defineState<RiscvVcpuState>('polyvisor.cpu.v1.RiscvVcpuState', [
  { name: 'x', number: 1, type: 'uint64', width: 64, reset: 0n, since: 1, repeated: true, count: 32 },
  { name: 'f', number: 2, type: 'uint64', width: 64, reset: 0n, since: 1, repeated: true, count: 32 },
  { name: 'pc', number: 3, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'privilege', number: 4, type: 'uint32', width: 2, reset: 3, since: 1 },
  { name: 'fflags', number: 5, type: 'uint32', width: 5, reset: 0, since: 1 },
  { name: 'frm', number: 6, type: 'uint32', width: 3, reset: 0, since: 1 },
  { name: 'mstatus', number: 7, type: 'uint64', width: 64, reset: 42949672960n, since: 1 },
  { name: 'misa', number: 8, type: 'uint64', width: 64, reset: 9223372036856090925n, since: 1 },
  { name: 'mie', number: 9, type: 'uint64', width: 12, reset: 0n, since: 1 },
  { name: 'mip', number: 10, type: 'uint64', width: 12, reset: 0n, since: 1 },
  { name: 'mtvec', number: 11, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mepc', number: 12, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mcause', number: 13, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mtval', number: 14, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mscratch', number: 15, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'medeleg', number: 16, type: 'uint64', width: 16, reset: 0n, since: 1 },
  { name: 'mideleg', number: 17, type: 'uint64', width: 12, reset: 0n, since: 1 },
  { name: 'menvcfg', number: 18, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mseccfg', number: 19, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mhartid', number: 20, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mvendorid', number: 21, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'marchid', number: 22, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mimpid', number: 23, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mconfigptr', number: 24, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'stvec', number: 25, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'sepc', number: 26, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'scause', number: 27, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'stval', number: 28, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'sscratch', number: 29, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'satp', number: 30, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'senvcfg', number: 31, type: 'uint64', width: 8, reset: 0n, since: 1 },
  { name: 'stimecmp', number: 32, type: 'uint64', width: 64, reset: 18446744073709551615n, since: 1 },
  { name: 'mcycle', number: 33, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'minstret', number: 34, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'timeOffset', number: 35, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'mcounteren', number: 36, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'scounteren', number: 37, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'mcountinhibit', number: 38, type: 'uint32', width: 3, reset: 0, since: 1 },
  { name: 'pmpcfg', number: 39, type: 'uint32', width: 8, reset: 0, since: 1, repeated: true, count: 16 },
  { name: 'pmpaddr', number: 40, type: 'uint64', width: 54, reset: 0n, since: 1, repeated: true, count: 16 },
  { name: 'reservationAddress', number: 41, type: 'uint64', width: 64, reset: 18446744073709551615n, since: 1 },
  { name: 'reservedValue', number: 42, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'firmwareCalls', number: 43, type: 'bool', reset: false, since: 1 },
  { name: 'waiting', number: 44, type: 'bool', reset: false, since: 1 },
]);
