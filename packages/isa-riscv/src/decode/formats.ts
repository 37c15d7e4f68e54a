import type { OperandKind } from '@polyvisor/tcg';
import { F, X } from '../state.ts';

/** One operand of an instruction: its kind and how to take it out of the 32-bit word. */
export interface OperandField {
  /** As `translate*` functions know it. */
  readonly name: string;
  readonly kind: OperandKind;
  readonly extract: (word: number) => number;
}

const read = (file: typeof X): OperandKind => ({ kind: 'reg', file });
const written = (file: typeof X): OperandKind => ({ kind: 'reg', file, written: true });

const bits11to7 = (w: number): number => (w >>> 7) & 31;
const bits19to15 = (w: number): number => (w >>> 15) & 31;
const bits24to20 = (w: number): number => (w >>> 20) & 31;

/**
 * Words that a format string is made of. The part before a dot is the operand's name, the rest tells apart
 * encodings of one operand (immediates of I, S and U type, offsets of B and J type).
 */
const FIELDS: Readonly<Record<string, readonly [OperandKind, (word: number) => number]>> = {
  rd: [written(X), bits11to7],
  rs1: [read(X), bits19to15],
  rs2: [read(X), bits24to20],
  fd: [written(F), bits11to7],
  fs1: [read(F), bits19to15],
  fs2: [read(F), bits24to20],
  fs3: [read(F), (w) => w >>> 27],
  imm: [{ kind: 'imm32' }, (w) => w >> 20],
  'imm.s': [{ kind: 'imm32' }, (w) => ((w >> 25) << 5) | ((w >>> 7) & 31)],
  'imm.u': [{ kind: 'imm32' }, (w) => w & ~0xfff],
  'target.b': [
    { kind: 'target' },
    (w) => ((w >> 31) << 12) | ((w << 4) & 0x800) | ((w >>> 20) & 0x7e0) | ((w >>> 7) & 0x1e),
  ],
  'target.j': [
    { kind: 'target' },
    (w) => ((w >> 31) << 20) | (w & 0xff000) | ((w >>> 9) & 0x800) | ((w >>> 20) & 0x7fe),
  ],
  shamt: [{ kind: 'small' }, (w) => (w >>> 20) & 63],
  zimm: [{ kind: 'small' }, bits19to15],
  csr: [{ kind: 'small' }, (w) => w >>> 20],
  rm: [{ kind: 'small' }, (w) => (w >>> 12) & 7],
  bits: [{ kind: 'imm' }, (w) => w >>> 0],
};

/**
 * Operands that a format string such as `rd rs1 imm.s` names, in its order.
 * @throws Error for a word that no encoding has.
 */
export function parseFormat(format: string): OperandField[] {
  if (format === '') return [];
  return format.split(' ').map((word) => {
    const field = FIELDS[word];
    if (field === undefined) throw new Error(`unknown operand ${word} in format ${format}`);
    return { name: word.replace(/\..*/, ''), kind: field[0], extract: field[1] };
  });
}
