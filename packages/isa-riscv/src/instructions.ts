import type { InstructionDef, OperandKind } from '@polyvisor/tcg';
import { COMPRESSED_NAMES } from './decode/compressed.ts';
import { parseFormat } from './decode/formats.ts';
import { CANDIDATES } from './decode/tables.ts';
import { ATOMIC_TRANSLATIONS } from './translate/atomic.ts';
import { BASE_TRANSLATIONS, SPECIAL_TRANSLATIONS } from './translate/base.ts';
import { BITMANIP_TRANSLATIONS } from './translate/bitmanip.ts';
import { CSR_TRANSLATIONS } from './translate/csr.ts';
import { FLOAT_TRANSLATIONS } from './translate/float.ts';
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
];

const isCold = ({ cold }: Translations, name: string): boolean => cold === 'all' || cold.includes(name);

function define(name: string, format: string, lengths: readonly number[]): InstructionDef {
  const table = TRANSLATIONS.find((t) => Object.hasOwn(t.translate, name));
  const translate = table?.translate[name];
  if (table === undefined || translate === undefined) throw new Error(`no translation of ${name}`);
  const operands: Record<string, OperandKind> = {};
  for (const field of parseFormat(format)) operands[field.name] = field.kind;
  return {
    name,
    operands,
    // An instruction's format holds the operands that its function asks for; tests translate each.
    translate: (b, o) => translate(b, o as unknown as Operands),
    cold: isCold(table, name),
    lengths,
  };
}

/** Formats by name, in the order of the decode tables. @throws Error when two rows disagree. */
function namedFormats(): Map<string, string> {
  const formats = new Map<string, string>();
  for (const { name, format } of CANDIDATES) {
    if ((formats.get(name) ?? format) !== format) throw new Error(`${name} has two formats`);
    formats.set(name, format);
  }
  return formats;
}

/** Index of the instruction that stands for illegal encodings. */
export const ILLEGAL = 0;
/** Index of the step that makes FS dirty before a floating-point write executes. */
export const FP_DIRTY = 1;

/** All definitions: two special ones, then those of the decode tables. */
export const INSTRUCTIONS: readonly InstructionDef[] = [
  define('illegal', 'bits', [2, 4]),
  define('fp_dirty', '', [2, 4]),
  ...[...namedFormats()].map(([name, format]) =>
    define(name, format, COMPRESSED_NAMES.has(name) ? [2, 4] : [4]),
  ),
];

/** Index by name. */
export const INSTRUCTION_INDEX: ReadonlyMap<string, number> = new Map(
  INSTRUCTIONS.map((d, i) => [d.name, i]),
);
