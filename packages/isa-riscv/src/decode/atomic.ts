import type { DecodeTable } from './row.ts';

/**
 * RV64A. Bits 26 and 25 are aq and rl: read-modify-writes are sequentially consistent anyway, so that only
 * a load-reserved has to know about aq.
 */
export const ATOMIC: DecodeTable = {
  extension: 'A',
  fp: 'none',
  rows: [
    ['lr.w', '00010-- 00000 ----- 010 ----- 0101111', 'rd rs1', [['aq=1', 'lr.w.aq', 'rd rs1']]],
    ['sc.w', '00011-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amoswap.w', '00001-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amoadd.w', '00000-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amoxor.w', '00100-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amoand.w', '01100-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amoor.w', '01000-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amomin.w', '10000-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amomax.w', '10100-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amominu.w', '11000-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['amomaxu.w', '11100-- ----- ----- 010 ----- 0101111', 'rd rs1 rs2'],
    ['lr.d', '00010-- 00000 ----- 011 ----- 0101111', 'rd rs1', [['aq=1', 'lr.d.aq', 'rd rs1']]],
    ['sc.d', '00011-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amoswap.d', '00001-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amoadd.d', '00000-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amoxor.d', '00100-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amoand.d', '01100-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amoor.d', '01000-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amomin.d', '10000-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amomax.d', '10100-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amominu.d', '11000-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
    ['amomaxu.d', '11100-- ----- ----- 011 ----- 0101111', 'rd rs1 rs2'],
  ],
};
