import type { FwDynamicInfo } from './fw-dynamic.ts';
import { encodeFwDynamicInfo, FW_DYNAMIC_INFO_SIZE } from './fw-dynamic.ts';

/** Where the reset vector sends every hart. */
export interface ResetVectorOptions {
  /** First instruction of firmware, or of a kernel in M-mode. */
  readonly entry: number;
  /** Address of the device tree; becomes a1. */
  readonly fdt: number;
  /** Becomes a2, as an address in the ROM. */
  readonly info: FwDynamicInfo;
}

const DATA_ENTRY = 24;
const DATA_FDT = 32;
const DATA_INFO = 40;

// Registers of the RISC-V calling convention.
const T0 = 5;
const A0 = 10;
const A1 = 11;
const A2 = 12;
const CSR_MHARTID = 0xf14;

/**
 * The ROM at the reset address, for any place: harts arrive at `entry` with a0 = hart id, a1 = device tree,
 * a2 = fw_dynamic info, as on QEMU's `virt`.
 */
export function buildResetVector(options: ResetVectorOptions): Uint8Array {
  const rom = new Uint8Array(DATA_INFO + FW_DYNAMIC_INFO_SIZE);
  const view = new DataView(rom.buffer);
  const code = [
    auipc(T0),
    addi(A2, T0, DATA_INFO),
    csrr(A0, CSR_MHARTID),
    ld(A1, T0, DATA_FDT),
    ld(T0, T0, DATA_ENTRY),
    jr(T0),
  ];
  code.forEach((instruction, index) => view.setUint32(index * 4, instruction, true));
  view.setBigUint64(DATA_ENTRY, BigInt(options.entry), true);
  view.setBigUint64(DATA_FDT, BigInt(options.fdt), true);
  rom.set(encodeFwDynamicInfo(options.info), DATA_INFO);
  return rom;
}

// Encodings: RISC-V unprivileged ISA, 2.2 base instruction formats.
function iType(opcode: number, funct3: number, rd: number, rs1: number, immediate: number): number {
  return ((immediate << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0;
}
function auipc(rd: number): number {
  return (rd << 7) | 0x17;
}
function addi(rd: number, rs1: number, immediate: number): number {
  return iType(0x13, 0, rd, rs1, immediate);
}
function ld(rd: number, rs1: number, offset: number): number {
  return iType(0x03, 3, rd, rs1, offset);
}
function jr(rs1: number): number {
  return iType(0x67, 0, 0, rs1, 0);
}
function csrr(rd: number, csr: number): number {
  return iType(0x73, 2, rd, 0, csr);
}
