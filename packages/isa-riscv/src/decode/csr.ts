import type { DecodeRow, DecodeTable, ShapeRow } from './row.ts';

/**
 * CSRs whose writes change nothing that translations or interrupts depend on: execution just goes on.
 * stvec, scounteren, sscratch, sepc, scause, stval, and their machine-mode siblings.
 */
const PLAIN_CSRS = [
  0x105, 0x106, 0x140, 0x141, 0x142, 0x143, 0x305, 0x306, 0x340, 0x341, 0x342, 0x343,
] as const;

/**
 * CSRs that are written often and only sometimes change the mode word or let an interrupt in:
 * sstatus, sie, sip, mstatus, mie, mip. Execution goes on unless they did.
 */
const STATUS_CSRS = [0x100, 0x104, 0x144, 0x300, 0x304, 0x344] as const;

const shapes = (name: string, format: string, condition = ''): ShapeRow[] => {
  const also = condition === '' ? '' : ` ${condition}`;
  // The low five bits of a status register hold interrupt enables: clearing these lets nothing in.
  const status = name === 'csrrci' ? 'plain' : 'status';
  return [
    ...PLAIN_CSRS.map((csr): ShapeRow => [`csr=${csr}${also}`, `${name}_plain`, format]),
    ...STATUS_CSRS.map((csr): ShapeRow => [`csr=${csr}${also}`, `${name}_${status}`, format]),
  ];
};

const FP_CSRS = [
  [1, 'flags'],
  [2, 'rm'],
  [3, 'csr'],
] as const;

const fpRead: readonly ShapeRow[] = FP_CSRS.map(([csr, name]) => [
  `csr=${csr} rs1=0`,
  `fr${name}`,
  'rd',
  'reads',
]);
const fpWrite = (suffix: string, source: string): ShapeRow[] =>
  FP_CSRS.map(([csr, name]) => [`csr=${csr}`, `fs${name}${suffix}`, `rd ${source}`, 'writes']);

/** Whether a CSR is only read: csrrs and csrrc with x0 or 0 must not write. */
const read: ShapeRow = ['rs1=0', 'csrr', 'rd csr'];

const modify = (name: string, funct3: string, source: string): DecodeRow => [
  name,
  `------------ ----- ${funct3} ----- 1110011`,
  `rd ${source} csr`,
  [...fpRead, read, ...shapes(name, `rd ${source} csr`)],
];

const write = (name: string, short: string, suffix: string, funct3: string, source: string): DecodeRow => [
  name,
  `------------ ----- ${funct3} ----- 1110011`,
  `rd ${source} csr`,
  [
    ...fpWrite(suffix, source),
    ...shapes(short, `${source} csr`, 'rd=0'),
    ['rd=0', short, `${source} csr`],
    ...shapes(name, `rd ${source} csr`),
  ],
];

/** Zicsr. Shapes tell apart reads, what has to happen after a write, and the floating-point CSRs. */
export const CSR: DecodeTable = {
  extension: 'Zicsr',
  fp: 'none',
  rows: [
    write('csrrw', 'csrw', '', '001', 'rs1'),
    modify('csrrs', '010', 'rs1'),
    modify('csrrc', '011', 'rs1'),
    write('csrrwi', 'csrwi', 'i', '101', 'zimm'),
    modify('csrrsi', '110', 'zimm'),
    modify('csrrci', '111', 'zimm'),
  ],
};
