import { encodeB, encodeI, encodeJ, encodeR, encodeS, encodeU } from '../decode/encode.ts';
import { parsePattern } from '../decode/pattern.ts';
import type { DecodeRow } from '../decode/row.ts';
import { DECODE_TABLES } from '../decode/tables.ts';

/** Operands by the names of the decode tables' formats; registers as numbers, offsets in bytes. Missing ones are 0. */
export type EncodedOperands = Readonly<Partial<Record<string, number>>>;

interface Row {
  readonly match: number;
  /** Operand words of the format, in the order of assembly text. */
  readonly fields: readonly string[];
}

/** Some rows stand for all rounding modes: `fadd.d.dyn` is the one with rm = 7. */
const rowOf = ([name, pattern, format]: DecodeRow): [string, Row] => [
  name,
  { match: parsePattern(pattern, 32).match, fields: format === '' ? [] : format.split(' ') },
];

const ROWS: ReadonlyMap<string, Row> = new Map(DECODE_TABLES.flatMap(({ rows }) => rows.map(rowOf)));

/** Puts one operand, named as in a format, into a word. */
const FIELDS: Readonly<Record<string, (word: number, value: number) => number>> = {
  rd: (word, value) => encodeR(word, value, 0, 0),
  fd: (word, value) => encodeR(word, value, 0, 0),
  rs1: (word, value) => encodeR(word, 0, value, 0),
  fs1: (word, value) => encodeR(word, 0, value, 0),
  zimm: (word, value) => encodeR(word, 0, value, 0),
  rs2: (word, value) => encodeR(word, 0, 0, value),
  fs2: (word, value) => encodeR(word, 0, 0, value),
  fs3: (word, value) => (word | (value << 27)) >>> 0,
  rm: (word, value) => (word | (value << 12)) >>> 0,
  shamt: (word, value) => encodeI(word, 0, 0, value),
  csr: (word, value) => encodeI(word, 0, 0, value),
  imm: (word, value) => encodeI(word, 0, 0, value),
  'imm.s': (word, value) => encodeS(word, 0, 0, value),
  'imm.u': (word, value) => encodeU(word, 0, value),
  'target.b': (word, value) => encodeB(word, 0, 0, value),
  'target.j': (word, value) => encodeJ(word, 0, value),
};

/** The operands that an instruction takes, as its format names them; undefined when there is no such instruction. */
export const operandsOf = (name: string): readonly string[] | undefined => ROWS.get(name)?.fields;

/**
 * Encodes an instruction by the decode tables: `encodeInstruction('addi', { rd: 1, imm: -1 })`. Names of operands
 * have no suffix: `imm` is whichever immediate the instruction has. Values are not checked for their ranges.
 * @throws Error when there is no such instruction.
 */
export function encodeInstruction(name: string, operands: EncodedOperands = {}): number {
  const row = ROWS.get(name);
  if (row === undefined) throw new Error(`no instruction ${name}`);
  let word = row.match >>> 0;
  for (const field of row.fields) {
    const value = operands[field.replace(/\..*/, '')];
    if (value !== undefined) word = (FIELDS[field] as (typeof FIELDS)[string])(word, value);
  }
  return word;
}
