import { encodeB, encodeI, encodeJ, encodeR, encodeS, encodeU } from './encode.ts';
import { parsePattern } from './pattern.ts';

/** Base instructions with all operand fields 0. */
const BASE = {
  addi: 0x00000013,
  slli: 0x00001013,
  srli: 0x00005013,
  srai: 0x40005013,
  andi: 0x00007013,
  addiw: 0x0000001b,
  add: 0x00000033,
  sub: 0x40000033,
  xor: 0x00004033,
  or: 0x00006033,
  and: 0x00007033,
  addw: 0x0000003b,
  subw: 0x4000003b,
  lui: 0x00000037,
  lw: 0x00002003,
  ld: 0x00003003,
  fld: 0x00003007,
  sw: 0x00002023,
  sd: 0x00003023,
  fsd: 0x00003027,
  jal: 0x0000006f,
  jalr: 0x00000067,
  beq: 0x00000063,
  bne: 0x00001063,
  ebreak: 0x00100073,
} as const;

/** Register fields: full ones, and the three-bit ones that mean x8-x15. */
const rd = (c: number): number => (c >> 7) & 31;
const rs2 = (c: number): number => (c >> 2) & 31;
const high = (c: number): number => 8 + ((c >> 7) & 7);
const low = (c: number): number => 8 + ((c >> 2) & 7);

/**
 * An immediate in the specification's notation: instruction bits from `msb` to `lsb`, then for each of them,
 * from the left, the immediate's bits that it holds, such as `5:4|9:6|2|3`.
 */
function immediate(...parts: readonly (readonly [msb: number, bits: string])[]): (c: number) => number {
  const moves: [from: number, to: number][] = [];
  for (const [msb, bits] of parts) {
    let from = msb;
    for (const range of bits.split('|')) {
      const [first = 0, last = first] = range.split(':').map(Number);
      for (let to = first; to >= last; to--) moves.push([from--, to]);
    }
  }
  return (c) => moves.reduce((value, [from, to]) => value | (((c >> from) & 1) << to), 0);
}

const signed = (width: number, field: (c: number) => number): ((c: number) => number) => {
  const shift = 32 - width;
  return (c) => (field(c) << shift) >> shift;
};

const imm6 = signed(6, immediate([12, '5'], [6, '4:0']));
const shamt6 = immediate([12, '5'], [6, '4:0']);
const addi4spn = immediate([12, '5:4|9:6|2|3']);
const addi16sp = signed(10, immediate([12, '9'], [6, '4|6|8:7|5']));
const upper = signed(18, immediate([12, '17'], [6, '16:12']));
const word = immediate([12, '5:3'], [6, '2|6']);
const double = immediate([12, '5:3'], [6, '7:6']);
const wordSp = immediate([12, '5'], [6, '4:2|7:6']);
const doubleSp = immediate([12, '5'], [6, '4:3|8:6']);
const storeWordSp = immediate([12, '5:2|7:6']);
const storeDoubleSp = immediate([12, '5:3|8:6']);
const jump = signed(12, immediate([12, '11|4|9:8|10|6|7|3:1|5']));
const branch = signed(9, immediate([12, '8|4:3'], [6, '7:6|2:1|5']));

/** What a compressed instruction stands for; null where the encoding is reserved. */
type Expand = ((c: number) => number) | null;

/** One row of quadrants 0-2: name, bits from 15 to 0, 32-bit equivalent. */
export type CompressedRow = readonly [name: string, pattern: string, expand: Expand];

const arithmetic = (base: number): Expand => {
  return (c) => encodeR(base, high(c), high(c), low(c));
};

/**
 * RV64C and RV64DC (Unprivileged ISA, "RVC Instruction Set Listings"). The first row that matches counts:
 * reserved and special encodings stand before the general ones. Hints expand to instructions that write x0.
 */
export const COMPRESSED_ROWS: readonly CompressedRow[] = [
  ['reserved', '000 00000000 --- 00', null],
  ['c.addi4spn', '000 -------- --- 00', (c) => encodeI(BASE.addi, low(c), 2, addi4spn(c))],
  ['c.fld', '001 --- --- -- --- 00', (c) => encodeI(BASE.fld, low(c), high(c), double(c))],
  ['c.lw', '010 --- --- -- --- 00', (c) => encodeI(BASE.lw, low(c), high(c), word(c))],
  ['c.ld', '011 --- --- -- --- 00', (c) => encodeI(BASE.ld, low(c), high(c), double(c))],
  ['c.fsd', '101 --- --- -- --- 00', (c) => encodeS(BASE.fsd, high(c), low(c), double(c))],
  ['c.sw', '110 --- --- -- --- 00', (c) => encodeS(BASE.sw, high(c), low(c), word(c))],
  ['c.sd', '111 --- --- -- --- 00', (c) => encodeS(BASE.sd, high(c), low(c), double(c))],

  ['c.addi', '000 - ----- ----- 01', (c) => encodeI(BASE.addi, rd(c), rd(c), imm6(c))],
  ['reserved', '001 - 00000 ----- 01', null],
  ['c.addiw', '001 - ----- ----- 01', (c) => encodeI(BASE.addiw, rd(c), rd(c), imm6(c))],
  ['c.li', '010 - ----- ----- 01', (c) => encodeI(BASE.addi, rd(c), 0, imm6(c))],
  ['reserved', '011 0 ----- 00000 01', null],
  ['c.addi16sp', '011 - 00010 ----- 01', (c) => encodeI(BASE.addi, 2, 2, addi16sp(c))],
  ['c.lui', '011 - ----- ----- 01', (c) => encodeU(BASE.lui, rd(c), upper(c))],
  ['c.srli', '100 - 00 --- ----- 01', (c) => encodeI(BASE.srli, high(c), high(c), shamt6(c))],
  ['c.srai', '100 - 01 --- ----- 01', (c) => encodeI(BASE.srai, high(c), high(c), shamt6(c))],
  ['c.andi', '100 - 10 --- ----- 01', (c) => encodeI(BASE.andi, high(c), high(c), imm6(c))],
  ['c.sub', '100 0 11 --- 00 --- 01', arithmetic(BASE.sub)],
  ['c.xor', '100 0 11 --- 01 --- 01', arithmetic(BASE.xor)],
  ['c.or', '100 0 11 --- 10 --- 01', arithmetic(BASE.or)],
  ['c.and', '100 0 11 --- 11 --- 01', arithmetic(BASE.and)],
  ['c.subw', '100 1 11 --- 00 --- 01', arithmetic(BASE.subw)],
  ['c.addw', '100 1 11 --- 01 --- 01', arithmetic(BASE.addw)],
  ['c.j', '101 ----------- 01', (c) => encodeJ(BASE.jal, 0, jump(c))],
  ['c.beqz', '110 --- --- ----- 01', (c) => encodeB(BASE.beq, high(c), 0, branch(c))],
  ['c.bnez', '111 --- --- ----- 01', (c) => encodeB(BASE.bne, high(c), 0, branch(c))],

  ['c.slli', '000 - ----- ----- 10', (c) => encodeI(BASE.slli, rd(c), rd(c), shamt6(c))],
  ['c.fldsp', '001 - ----- ----- 10', (c) => encodeI(BASE.fld, rd(c), 2, doubleSp(c))],
  ['reserved', '010 - 00000 ----- 10', null],
  ['c.lwsp', '010 - ----- ----- 10', (c) => encodeI(BASE.lw, rd(c), 2, wordSp(c))],
  ['reserved', '011 - 00000 ----- 10', null],
  ['c.ldsp', '011 - ----- ----- 10', (c) => encodeI(BASE.ld, rd(c), 2, doubleSp(c))],
  ['reserved', '100 0 00000 00000 10', null],
  ['c.jr', '100 0 ----- 00000 10', (c) => encodeI(BASE.jalr, 0, rd(c), 0)],
  ['c.mv', '100 0 ----- ----- 10', (c) => encodeI(BASE.addi, rd(c), rs2(c), 0)],
  ['c.ebreak', '100 1 00000 00000 10', () => BASE.ebreak],
  ['c.jalr', '100 1 ----- 00000 10', (c) => encodeI(BASE.jalr, 1, rd(c), 0)],
  ['c.add', '100 1 ----- ----- 10', (c) => encodeR(BASE.add, rd(c), rd(c), rs2(c))],
  ['c.fsdsp', '101 ------ ----- 10', (c) => encodeS(BASE.fsd, 2, rs2(c), storeDoubleSp(c))],
  ['c.swsp', '110 ------ ----- 10', (c) => encodeS(BASE.sw, 2, rs2(c), storeWordSp(c))],
  ['c.sdsp', '111 ------ ----- 10', (c) => encodeS(BASE.sd, 2, rs2(c), storeDoubleSp(c))],
];

const ROWS = COMPRESSED_ROWS.map(([, pattern, expand]) => ({ ...parsePattern(pattern, 16), expand }));

const UNKNOWN = 0;
/** In place of an expansion: the encoding is reserved. Not a 32-bit instruction, so that it matches no row. */
export const NOT_COMPRESSED = 1;

function expand(c: number): number {
  const row = ROWS.find((r) => (c & r.mask) === r.match);
  return row === undefined || row.expand === null ? NOT_COMPRESSED : row.expand(c);
}

const expansions = new Uint32Array(0x10000);

/**
 * 32-bit equivalent of a 16-bit instruction, or {@link NOT_COMPRESSED}. Remembered, so that it costs one
 * array access from the second time on.
 */
export function expandCompressed(c: number): number {
  let word = expansions[c] as number;
  if (word === UNKNOWN) {
    word = expand(c);
    expansions[c] = word;
  }
  return word;
}

/** Definitions that compressed instructions decode to: they need a handler for length 2. */
export const COMPRESSED_NAMES: ReadonlySet<string> = new Set([
  ...['addi', 'nop', 'li', 'mv', 'addiw', 'sext.w', 'lui', 'slli', 'srli', 'srai', 'andi'],
  ...['add', 'sub', 'xor', 'or', 'and', 'addw', 'subw'],
  ...['lw', 'ld', 'fld', 'sw', 'sd', 'fsd'],
  ...['j', 'jr', 'jalr_call', 'jalr_return', 'beqz', 'bnez', 'ebreak'],
]);
