/**
 * Encoders of the base formats (Unprivileged ISA, "Base Instruction Formats"), for the expansion of compressed
 * instructions and for tests. `base` is an instruction with all operand fields 0. Results are unsigned.
 */
export const encodeR = (base: number, rd: number, rs1: number, rs2: number): number =>
  (base | (rd << 7) | (rs1 << 15) | (rs2 << 20)) >>> 0;

export const encodeI = (base: number, rd: number, rs1: number, imm: number): number =>
  (base | (rd << 7) | (rs1 << 15) | (imm << 20)) >>> 0;

export const encodeS = (base: number, rs1: number, rs2: number, imm: number): number =>
  (base | ((imm & 31) << 7) | (rs1 << 15) | (rs2 << 20) | ((imm >> 5) << 25)) >>> 0;

/** `offset` in bytes, even. */
export const encodeB = (base: number, rs1: number, rs2: number, offset: number): number =>
  (base |
    ((offset & 0x1e) << 7) |
    ((offset & 0x800) >> 4) |
    (rs1 << 15) |
    (rs2 << 20) |
    ((offset & 0x7e0) << 20) |
    ((offset & 0x1000) << 19)) >>>
  0;

/** `imm` with its low 12 bits 0. */
export const encodeU = (base: number, rd: number, imm: number): number => (base | (rd << 7) | imm) >>> 0;

/** `offset` in bytes, even. */
export const encodeJ = (base: number, rd: number, offset: number): number =>
  (base |
    (rd << 7) |
    (offset & 0xff000) |
    ((offset & 0x800) << 9) |
    ((offset & 0x7fe) << 20) |
    ((offset & 0x100000) << 11)) >>>
  0;
