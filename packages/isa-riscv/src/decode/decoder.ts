import type { CodeReader, Decoded } from '@polyvisor/tcg';
import { ILLEGAL, INSTRUCTION_INDEX } from '../instructions.ts';
import { expandCompressed } from './compressed.ts';
import { parseFormat } from './formats.ts';
import { CANDIDATES, type Candidate } from './tables.ts';

/** Buckets: major opcode (bits 2-6) and funct3 (bits 12-14); then funct7 (bits 25-31) where a bucket is long. */
const MAJOR_SLOTS = 256;
const MAJOR_MASK = 0x707c;
const FUNCT7_MASK = 0xfe000000 | 0;
const LONG_BUCKET = 4;

const majorBits = (slot: number): number => ((slot >> 5) << 12) | ((slot & 31) << 2);
const agrees = (c: Candidate, mask: number, bits: number): boolean =>
  ((c.match ^ bits) & c.mask & mask) === 0;

type Extract = (word: number) => number;

const SIZE = CANDIDATES.length;
const masks = Int32Array.from(CANDIDATES, (c) => c.mask);
const matches = Int32Array.from(CANDIDATES, (c) => c.match);
const definitions = Int32Array.from(CANDIDATES, (c) => INSTRUCTION_INDEX.get(c.name) ?? ILLEGAL);
const extractors: readonly Extract[][] = CANDIDATES.map((c) => parseFormat(c.format).map((f) => f.extract));

/** Lists of candidates, each ended by SIZE. `slots` leads to a list, or negative to 128 starts by funct7. */
const lists: number[] = [];
const starts: number[] = [];
const slots = new Int32Array(MAJOR_SLOTS);

const addList = (candidates: readonly number[]): number => {
  const start = lists.length;
  lists.push(...candidates, SIZE);
  return start;
};

for (let slot = 0; slot < MAJOR_SLOTS; slot++) {
  const all = [...CANDIDATES.keys()];
  const inSlot = all.filter((i) => agrees(CANDIDATES[i] as Candidate, MAJOR_MASK, majorBits(slot)));
  if (inSlot.length <= LONG_BUCKET) {
    slots[slot] = addList(inSlot);
    continue;
  }
  slots[slot] = ~starts.length;
  for (let funct7 = 0; funct7 < 128; funct7++) {
    const narrowed = inSlot.filter((i) => agrees(CANDIDATES[i] as Candidate, FUNCT7_MASK, funct7 << 25));
    starts.push(addList(narrowed));
  }
}

const listItems = Int32Array.from(lists);
const listStarts = Int32Array.from(starts);

function illegal(bits: number, out: Decoded): void {
  out.def = ILLEGAL;
  out.operands.length = 1;
  out.operands[0] = bits;
}

/** Number of the candidate that a 32-bit word is, or `SIZE`. */
function find(word: number): number {
  let at = slots[((word >>> 7) & 0xe0) | ((word >>> 2) & 31)] as number;
  if (at < 0) at = listStarts[~at + (word >>> 25)] as number;
  for (;;) {
    const candidate = listItems[at++] as number;
    if (candidate === SIZE || (word & (masks[candidate] as number)) === matches[candidate]) return candidate;
  }
}

/**
 * Decodes one instruction. What it means in a mode, its translation sees to: decoding depends on the code alone.
 * @returns false when `code` ends within the instruction. Cost: some 50 ns, no allocation.
 */
export function decode(code: CodeReader, _pc: bigint, _mode: number, out: Decoded): boolean {
  if (code.length < 2) return false;
  let word = code.u16(0);
  let bits = word;
  if ((word & 3) === 3) {
    if (code.length < 4) return false;
    out.length = 4;
    word = code.u32(0) | 0;
    bits = word >>> 0;
  } else {
    out.length = 2;
    word = expandCompressed(word) | 0;
  }
  const candidate = (word & 3) === 3 ? find(word) : SIZE;
  if (candidate === SIZE) {
    illegal(bits, out);
    return true;
  }
  out.def = definitions[candidate] as number;
  const extract = extractors[candidate] as Extract[];
  const operands = out.operands;
  if (operands.length !== extract.length) operands.length = extract.length;
  for (let i = 0; i < extract.length; i++) operands[i] = (extract[i] as Extract)(word);
  return true;
}
