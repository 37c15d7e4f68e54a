import type { DecodeTable } from './row.ts';

/** Zba: address generation. */
export const ZBA: DecodeTable = {
  extension: 'Zba',
  fp: 'none',
  rows: [
    ['sh1add', '0010000 ----- ----- 010 ----- 0110011', 'rd rs1 rs2'],
    ['sh2add', '0010000 ----- ----- 100 ----- 0110011', 'rd rs1 rs2'],
    ['sh3add', '0010000 ----- ----- 110 ----- 0110011', 'rd rs1 rs2'],
    ['add.uw', '0000100 ----- ----- 000 ----- 0111011', 'rd rs1 rs2'],
    ['sh1add.uw', '0010000 ----- ----- 010 ----- 0111011', 'rd rs1 rs2'],
    ['sh2add.uw', '0010000 ----- ----- 100 ----- 0111011', 'rd rs1 rs2'],
    ['sh3add.uw', '0010000 ----- ----- 110 ----- 0111011', 'rd rs1 rs2'],
    ['slli.uw', '000010------ ----- 001 ----- 0011011', 'rd rs1 shamt'],
  ],
};

/** Zbb: basic bit manipulation. zext.h is a shape of Zbkb's packw; Zbkb also has andn, orn, xnor, rotations and rev8. */
export const ZBB: DecodeTable = {
  extension: 'Zbb',
  fp: 'none',
  rows: [
    ['andn', '0100000 ----- ----- 111 ----- 0110011', 'rd rs1 rs2'],
    ['orn', '0100000 ----- ----- 110 ----- 0110011', 'rd rs1 rs2'],
    ['xnor', '0100000 ----- ----- 100 ----- 0110011', 'rd rs1 rs2'],
    ['clz', '0110000 00000 ----- 001 ----- 0010011', 'rd rs1'],
    ['ctz', '0110000 00001 ----- 001 ----- 0010011', 'rd rs1'],
    ['cpop', '0110000 00010 ----- 001 ----- 0010011', 'rd rs1'],
    ['clzw', '0110000 00000 ----- 001 ----- 0011011', 'rd rs1'],
    ['ctzw', '0110000 00001 ----- 001 ----- 0011011', 'rd rs1'],
    ['cpopw', '0110000 00010 ----- 001 ----- 0011011', 'rd rs1'],
    ['max', '0000101 ----- ----- 110 ----- 0110011', 'rd rs1 rs2'],
    ['maxu', '0000101 ----- ----- 111 ----- 0110011', 'rd rs1 rs2'],
    ['min', '0000101 ----- ----- 100 ----- 0110011', 'rd rs1 rs2'],
    ['minu', '0000101 ----- ----- 101 ----- 0110011', 'rd rs1 rs2'],
    ['sext.b', '0110000 00100 ----- 001 ----- 0010011', 'rd rs1'],
    ['sext.h', '0110000 00101 ----- 001 ----- 0010011', 'rd rs1'],
    ['rol', '0110000 ----- ----- 001 ----- 0110011', 'rd rs1 rs2'],
    ['ror', '0110000 ----- ----- 101 ----- 0110011', 'rd rs1 rs2'],
    ['rori', '011000------ ----- 101 ----- 0010011', 'rd rs1 shamt'],
    ['rolw', '0110000 ----- ----- 001 ----- 0111011', 'rd rs1 rs2'],
    ['rorw', '0110000 ----- ----- 101 ----- 0111011', 'rd rs1 rs2'],
    ['roriw', '0110000 ----- ----- 101 ----- 0011011', 'rd rs1 shamt'],
    ['orc.b', '0010100 00111 ----- 101 ----- 0010011', 'rd rs1'],
    ['rev8', '0110101 11000 ----- 101 ----- 0010011', 'rd rs1'],
  ],
};

/** Zbs: single bits. */
export const ZBS: DecodeTable = {
  extension: 'Zbs',
  fp: 'none',
  rows: [
    ['bclr', '0100100 ----- ----- 001 ----- 0110011', 'rd rs1 rs2'],
    ['bext', '0100100 ----- ----- 101 ----- 0110011', 'rd rs1 rs2'],
    ['binv', '0110100 ----- ----- 001 ----- 0110011', 'rd rs1 rs2'],
    ['bset', '0010100 ----- ----- 001 ----- 0110011', 'rd rs1 rs2'],
    ['bclri', '010010------ ----- 001 ----- 0010011', 'rd rs1 shamt'],
    ['bexti', '010010------ ----- 101 ----- 0010011', 'rd rs1 shamt'],
    ['binvi', '011010------ ----- 001 ----- 0010011', 'rd rs1 shamt'],
    ['bseti', '001010------ ----- 001 ----- 0010011', 'rd rs1 shamt'],
  ],
};

/** Zbc: carry-less multiplication. Zbkc is its clmul and clmulh. */
export const ZBC: DecodeTable = {
  extension: 'Zbc',
  fp: 'none',
  rows: [
    ['clmul', '0000101 ----- ----- 001 ----- 0110011', 'rd rs1 rs2'],
    ['clmulr', '0000101 ----- ----- 010 ----- 0110011', 'rd rs1 rs2'],
    ['clmulh', '0000101 ----- ----- 011 ----- 0110011', 'rd rs1 rs2'],
  ],
};

/** Zbkb: what Zbb lacks of it. zip and unzip are RV32's alone. */
export const ZBKB: DecodeTable = {
  extension: 'Zbkb',
  fp: 'none',
  rows: [
    ['pack', '0000100 ----- ----- 100 ----- 0110011', 'rd rs1 rs2'],
    ['packh', '0000100 ----- ----- 111 ----- 0110011', 'rd rs1 rs2'],
    ['packw', '0000100 ----- ----- 100 ----- 0111011', 'rd rs1 rs2', [['rs2=0', 'zext.h', 'rd rs1']]],
    ['brev8', '0110100 00111 ----- 101 ----- 0010011', 'rd rs1'],
  ],
};

/** Zbkx: crossbar permutations. */
export const ZBKX: DecodeTable = {
  extension: 'Zbkx',
  fp: 'none',
  rows: [
    ['xperm4', '0010100 ----- ----- 010 ----- 0110011', 'rd rs1 rs2'],
    ['xperm8', '0010100 ----- ----- 100 ----- 0110011', 'rd rs1 rs2'],
  ],
};
