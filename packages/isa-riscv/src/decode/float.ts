import type { DecodeRow, DecodeTable } from './row.ts';

/** Instructions of F, D and Zfh that leave fflags alone and write no f register. */
export const FLOAT_READS: DecodeTable = {
  extension: 'F D Zfh',
  fp: 'reads',
  rows: [
    ['fsh', '------- ----- ----- 001 ----- 0100111', 'rs1 fs2 imm.s'],
    ['fsw', '------- ----- ----- 010 ----- 0100111', 'rs1 fs2 imm.s'],
    ['fsd', '------- ----- ----- 011 ----- 0100111', 'rs1 fs2 imm.s'],
    ['fmv.x.w', '1110000 00000 ----- 000 ----- 1010011', 'rd fs1'],
    ['fmv.x.d', '1110001 00000 ----- 000 ----- 1010011', 'rd fs1'],
    ['fmv.x.h', '1110010 00000 ----- 000 ----- 1010011', 'rd fs1'],
    ['fclass.s', '1110000 00000 ----- 001 ----- 1010011', 'rd fs1'],
    ['fclass.d', '1110001 00000 ----- 001 ----- 1010011', 'rd fs1'],
    ['fclass.h', '1110010 00000 ----- 001 ----- 1010011', 'rd fs1'],
  ],
};

/**
 * An instruction with a rounding mode: the dynamic one (7) makes a definition of its own,
 * 0-4 are an operand, the reserved 5 and 6 have no row.
 */
const rounded = (name: string, pattern: string, format: string): DecodeRow[] => [
  [name, pattern.replace('RRR', '0--'), `${format} rm`],
  [name, pattern.replace('RRR', '100'), `${format} rm`],
  [`${name}.dyn`, pattern.replace('RRR', '111'), format],
];

const arithmetic = (suffix: 's' | 'd' | 'h', fmt: string): DecodeRow[] => [
  ...rounded(`fadd.${suffix}`, `00000${fmt} ----- ----- RRR ----- 1010011`, 'fd fs1 fs2'),
  ...rounded(`fsub.${suffix}`, `00001${fmt} ----- ----- RRR ----- 1010011`, 'fd fs1 fs2'),
  ...rounded(`fmul.${suffix}`, `00010${fmt} ----- ----- RRR ----- 1010011`, 'fd fs1 fs2'),
  ...rounded(`fdiv.${suffix}`, `00011${fmt} ----- ----- RRR ----- 1010011`, 'fd fs1 fs2'),
  ...rounded(`fsqrt.${suffix}`, `01011${fmt} 00000 ----- RRR ----- 1010011`, 'fd fs1'),
  ...rounded(`fmadd.${suffix}`, `-----${fmt} ----- ----- RRR ----- 1000011`, 'fd fs1 fs2 fs3'),
  ...rounded(`fmsub.${suffix}`, `-----${fmt} ----- ----- RRR ----- 1000111`, 'fd fs1 fs2 fs3'),
  ...rounded(`fnmsub.${suffix}`, `-----${fmt} ----- ----- RRR ----- 1001011`, 'fd fs1 fs2 fs3'),
  ...rounded(`fnmadd.${suffix}`, `-----${fmt} ----- ----- RRR ----- 1001111`, 'fd fs1 fs2 fs3'),
  [`fsgnj.${suffix}`, `00100${fmt} ----- ----- 000 ----- 1010011`, 'fd fs1 fs2'],
  [`fsgnjn.${suffix}`, `00100${fmt} ----- ----- 001 ----- 1010011`, 'fd fs1 fs2'],
  [`fsgnjx.${suffix}`, `00100${fmt} ----- ----- 010 ----- 1010011`, 'fd fs1 fs2'],
  [`fmin.${suffix}`, `00101${fmt} ----- ----- 000 ----- 1010011`, 'fd fs1 fs2'],
  [`fmax.${suffix}`, `00101${fmt} ----- ----- 001 ----- 1010011`, 'fd fs1 fs2'],
  [`fle.${suffix}`, `10100${fmt} ----- ----- 000 ----- 1010011`, 'rd fs1 fs2'],
  [`flt.${suffix}`, `10100${fmt} ----- ----- 001 ----- 1010011`, 'rd fs1 fs2'],
  [`feq.${suffix}`, `10100${fmt} ----- ----- 010 ----- 1010011`, 'rd fs1 fs2'],
  ...rounded(`fcvt.w.${suffix}`, `11000${fmt} 00000 ----- RRR ----- 1010011`, 'rd fs1'),
  ...rounded(`fcvt.wu.${suffix}`, `11000${fmt} 00001 ----- RRR ----- 1010011`, 'rd fs1'),
  ...rounded(`fcvt.l.${suffix}`, `11000${fmt} 00010 ----- RRR ----- 1010011`, 'rd fs1'),
  ...rounded(`fcvt.lu.${suffix}`, `11000${fmt} 00011 ----- RRR ----- 1010011`, 'rd fs1'),
  ...rounded(`fcvt.${suffix}.w`, `11010${fmt} 00000 ----- RRR ----- 1010011`, 'fd rs1'),
  ...rounded(`fcvt.${suffix}.wu`, `11010${fmt} 00001 ----- RRR ----- 1010011`, 'fd rs1'),
  ...rounded(`fcvt.${suffix}.l`, `11010${fmt} 00010 ----- RRR ----- 1010011`, 'fd rs1'),
  ...rounded(`fcvt.${suffix}.lu`, `11010${fmt} 00011 ----- RRR ----- 1010011`, 'fd rs1'),
];

/** RV64F, what makes FS dirty. */
export const SINGLE: DecodeTable = {
  extension: 'F',
  fp: 'writes',
  rows: [
    ['flw', '------------ ----- 010 ----- 0000111', 'fd rs1 imm'],
    ...arithmetic('s', '00'),
    ['fmv.w.x', '1111000 00000 ----- 000 ----- 1010011', 'fd rs1'],
  ],
};

/** RV64D, what makes FS dirty. Conversions that are always exact ignore their rounding mode, but not a reserved one. */
export const DOUBLE: DecodeTable = {
  extension: 'D',
  fp: 'writes',
  rows: [
    ['fld', '------------ ----- 011 ----- 0000111', 'fd rs1 imm'],
    ...arithmetic('d', '01'),
    ...rounded('fcvt.s.d', '0100000 00001 ----- RRR ----- 1010011', 'fd fs1'),
    ...rounded('fcvt.d.s', '0100001 00000 ----- RRR ----- 1010011', 'fd fs1'),
    ['fmv.d.x', '1111001 00000 ----- 000 ----- 1010011', 'fd rs1'],
  ],
};

/** Zfh, which has all of Zfhmin, what makes FS dirty. */
export const HALF: DecodeTable = {
  extension: 'Zfh',
  fp: 'writes',
  rows: [
    ['flh', '------------ ----- 001 ----- 0000111', 'fd rs1 imm'],
    ...arithmetic('h', '10'),
    ...rounded('fcvt.s.h', '0100000 00010 ----- RRR ----- 1010011', 'fd fs1'),
    ...rounded('fcvt.d.h', '0100001 00010 ----- RRR ----- 1010011', 'fd fs1'),
    ...rounded('fcvt.h.s', '0100010 00000 ----- RRR ----- 1010011', 'fd fs1'),
    ...rounded('fcvt.h.d', '0100010 00001 ----- RRR ----- 1010011', 'fd fs1'),
    ['fmv.h.x', '1111010 00000 ----- 000 ----- 1010011', 'fd rs1'],
  ],
};
