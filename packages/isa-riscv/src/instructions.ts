import type { InstructionDef, OperandKind } from '@polyvisor/tcg';
import { COMPRESSED_NAMES } from './decode/compressed.ts';
import { parseFormat } from './decode/formats.ts';
import type { FpUse } from './decode/row.ts';
import { CANDIDATES, type Candidate } from './decode/tables.ts';
import { ATOMIC_TRANSLATIONS } from './translate/atomic.ts';
import { BASE_TRANSLATIONS, SPECIAL_TRANSLATIONS } from './translate/base.ts';
import { BITMANIP_TRANSLATIONS } from './translate/bitmanip.ts';
import { CSR_TRANSLATIONS } from './translate/csr.ts';
import { FLOAT_TRANSLATIONS } from './translate/float.ts';
import { HALF_TRANSLATIONS } from './translate/half.ts';
import { requireFp } from './translate/require-fp.ts';
import { MULTIPLY_TRANSLATIONS } from './translate/multiply.ts';
import { CACHE_BLOCK_TRANSLATIONS, PRIVILEGED_TRANSLATIONS } from './translate/privileged.ts';
import type { Operands, Translations } from './translate/translation.ts';

/** All meanings, by table. */
export const TRANSLATIONS: readonly Translations[] = [
  SPECIAL_TRANSLATIONS,
  BASE_TRANSLATIONS,
  MULTIPLY_TRANSLATIONS,
  ATOMIC_TRANSLATIONS,
  CSR_TRANSLATIONS,
  PRIVILEGED_TRANSLATIONS,
  CACHE_BLOCK_TRANSLATIONS,
  BITMANIP_TRANSLATIONS,
  FLOAT_TRANSLATIONS,
  HALF_TRANSLATIONS,
];

const isCold = ({ cold }: Translations, name: string): boolean => cold === 'all' || cold.includes(name);

function define(name: string, format: string, fp: FpUse, lengths: readonly number[]): InstructionDef {
  const table = TRANSLATIONS.find((t) => Object.hasOwn(t.translate, name));
  const translate = table?.translate[name];
  if (table === undefined || translate === undefined) throw new Error(`no translation of ${name}`);
  const operands: Record<string, OperandKind> = {};
  for (const field of parseFormat(format)) operands[field.name] = field.kind;
  return {
    name,
    operands,
    // An instruction's format holds the operands that its function asks for; tests translate each.
    translate: (b, o) => {
      if (requireFp(b, fp)) translate(b, o as unknown as Operands);
    },
    cold: isCold(table, name),
    lengths,
  };
}

/** The first candidate of each name, in the order of the decode tables. @throws Error when two disagree. */
function named(): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const candidate of CANDIDATES) {
    const { name, format, fp } = candidate;
    const first = found.get(name) ?? candidate;
    if (first.format !== format || first.fp !== fp) throw new Error(`${name} stands for two things`);
    found.set(name, first);
  }
  return [...found.values()];
}

/** Index of the instruction that stands for illegal encodings. */
export const ILLEGAL = 0;

/** All definitions: the illegal one, then those of the decode tables. */
export const INSTRUCTIONS: readonly InstructionDef[] = [
  define('illegal', 'bits', 'none', [2, 4]),
  ...named().map(({ name, format, fp }) =>
    define(name, format, fp, COMPRESSED_NAMES.has(name) ? [2, 4] : [4]),
  ),
];

/** Index by name. */
export const INSTRUCTION_INDEX: ReadonlyMap<string, number> = new Map(
  INSTRUCTIONS.map((d, i) => [d.name, i]),
);
