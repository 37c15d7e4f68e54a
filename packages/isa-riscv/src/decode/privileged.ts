import type { DecodeTable } from './row.ts';

/** Privileged instructions and Svinval (Privileged Architecture, "RISC-V Privileged Instruction Set Listings"), Zawrs. */
export const PRIVILEGED: DecodeTable = {
  extension: 'privileged',
  fp: 'none',
  rows: [
    ['mret', '0011000 00010 00000 000 00000 1110011', ''],
    ['sret', '0001000 00010 00000 000 00000 1110011', ''],
    ['wfi', '0001000 00101 00000 000 00000 1110011', ''],
    ['wrs.nto', '0000000 01101 00000 000 00000 1110011', ''],
    ['wrs.sto', '0000000 11101 00000 000 00000 1110011', ''],
    [
      'sfence.vma',
      '0001001 ----- ----- 000 00000 1110011',
      'rs1 rs2',
      [
        ['rs1=0 rs2=0', 'sfence.vma_all', ''],
        ['rs1=0', 'sfence.vma_asid', 'rs2'],
        ['rs2=0', 'sfence.vma_va', 'rs1'],
      ],
    ],
    [
      'sinval.vma',
      '0001011 ----- ----- 000 00000 1110011',
      'rs1 rs2',
      [
        ['rs1=0 rs2=0', 'sinval.vma_all', ''],
        ['rs1=0', 'sinval.vma_asid', 'rs2'],
        ['rs2=0', 'sinval.vma_va', 'rs1'],
      ],
    ],
    ['sfence.w.inval', '0001100 00000 00000 000 00000 1110011', ''],
    ['sfence.inval.ir', '0001100 00001 00000 000 00000 1110011', ''],
  ],
};

/** Zicbom and Zicboz. Zicbop's prefetches are hints: see `ori`. */
export const CACHE_BLOCK: DecodeTable = {
  extension: 'Zicbom Zicboz',
  fp: 'none',
  rows: [
    ['cbo.inval', '000000000000 ----- 010 00000 0001111', 'rs1'],
    ['cbo.clean', '000000000001 ----- 010 00000 0001111', 'rs1'],
    ['cbo.flush', '000000000010 ----- 010 00000 0001111', 'rs1'],
    ['cbo.zero', '000000000100 ----- 010 00000 0001111', 'rs1'],
  ],
};
