import { COMPRESSED_ROWS, expandCompressed, NOT_COMPRESSED } from '../src/decode/compressed.ts';
import { encodeB, encodeI, encodeJ } from '../src/decode/encode.ts';
import { parsePattern } from '../src/decode/pattern.ts';
import type { DecodeRow } from '../src/decode/row.ts';
import { DECODE_TABLES } from '../src/decode/tables.ts';
import { FLOAT_WIDTHS, type FloatWidth, type Random } from '../src/testing/random.ts';
import { CASE, CASE_POINTER, codeAddress, POINTERS } from './test-case.ts';

/** Instructions that user mode of the oracle doesn't have or has wrong, or that would leave the program. */
const EXCLUDED =
  // ctzw: QEMU 7.2 counts beyond the low word when that is 0.
  /^(ctzw|ecall|ebreak|[ms]ret|wfi|wrs\..*|s(fence|inval)\..*|cbo\..*|jal|jalr|b(eq|ne|lt|ge|ltu|geu)|csrr.*)$/;

const ALL_ROWS: readonly DecodeRow[] = DECODE_TABLES.flatMap((t) => t.rows);
/** Rows that can be filled in at random. */
export const PLAIN_ROWS: readonly DecodeRow[] = ALL_ROWS.filter(([name]) => !EXCLUDED.test(name));
const BRANCHES = ALL_ROWS.filter(([name]) => /^b(eq|ne|lt|ge|ltu|geu)$/.test(name));

const DESTINATIONS = [...Array(31).keys()].filter((r) => !(POINTERS as readonly number[]).includes(r));
const isMemory = (name: string): boolean => /^((l[bhw]u?|ld|s[bhwd]|f[ls][hwd])$|lr\.|sc\.|amo)/.test(name);

/** Something that is not to be torn apart: instructions, and perhaps a branch out of it that is still to be aimed. */
interface Item {
  readonly words: readonly { readonly bits: number; readonly length: 2 | 4 }[];
  /** Encodes a transfer to `offset` bytes from the item's last instruction. */
  readonly aim?: (offset: number) => number;
}

const long = (...words: number[]): Item => ({ words: words.map((bits) => ({ bits, length: 4 })) });

/** Puts random operands into a row, so that it neither faults nor writes a pointer (or the register `kept`). */
export function fillRow(random: Random, [name, pattern, format]: DecodeRow, kept = 0): number {
  const { mask, match } = parsePattern(pattern, 32);
  let word = random.u32();
  const set = (lsb: number, width: number, value: number): void => {
    word = (word & ~((2 ** width - 1) << lsb)) | (value << lsb);
  };
  const operands = format.split(' ');
  if (operands.includes('rd')) set(7, 5, random.pick(DESTINATIONS.filter((r) => r !== kept || r === 0)));
  if (isMemory(name)) set(15, 5, random.pick(POINTERS));
  // Little pressure on registers makes results meet as operands.
  else if (operands.includes('rs1') && random.once(2)) set(15, 5, random.below(8));
  if (operands.includes('rs2') && random.once(2)) set(20, 5, random.below(8));
  if (operands.includes('fs1') && random.once(2)) set(15, 5, random.below(4));
  if (operands.includes('fd') && random.once(2)) set(7, 5, random.below(4));
  return ((word & ~mask) | match) >>> 0;
}

/** A lone load-reserved could meet a store-conditional of another width, which QEMU gets half right. */
const SINGLE_ROWS = PLAIN_ROWS.filter(([name]) => !name.startsWith('lr.'));

const plain = (random: Random): Item => long(fillRow(random, random.pick(SINGLE_ROWS)));

/** A compressed instruction that keeps to the same rules; undefined when the dice gave none. */
function compressed(random: Random): Item | undefined {
  const [name, pattern] = random.pick(COMPRESSED_ROWS);
  if (/^(reserved|c\.(j|jr|jalr|beqz|bnez|ebreak|addi16sp))$/.test(name)) return undefined;
  const { mask, match } = parsePattern(pattern, 16);
  let bits = (random.below(0x10000) & ~mask) | match;
  // c.lw and its like know x8-x15 only: x8 is a pointer.
  if (/^c\.(f?ld|lw|f?sd|sw)$/.test(name)) bits &= ~(7 << 7);
  const word = expandCompressed(bits);
  if (word === NOT_COMPRESSED) return undefined;
  const opcode = word & 0x7f;
  // Without rs2, c.mv and c.add are jumps.
  if (opcode === 0x67 || opcode === 0x73) return undefined;
  const writesInteger = opcode !== 0x27 && opcode !== 0x23 && opcode !== 0x07;
  return writesInteger && !DESTINATIONS.includes((word >>> 7) & 31)
    ? undefined
    : { words: [{ bits, length: 2 }] };
}

const FCSRS = [1, 2, 3];
/** A CSR instruction on fflags, frm or fcsr, and then a valid rounding mode again. */
function csr(random: Random): Item {
  const row = random.pick(ALL_ROWS.filter(([name]) => name.startsWith('csrr')));
  const word = (fillRow(random, row) & 0xfffff) | (random.pick(FCSRS) << 20);
  return long(word, encodeI(0x5073, 0, random.below(5), 2));
}

function loadReservedPair(random: Random): Item {
  const pair = random.pick(['w', 'd']);
  const [load, store] = [`lr.${pair}`, `sc.${pair}`].map(
    (n) => ALL_ROWS.find(([name]) => name === n) as DecodeRow,
  );
  const pointer = random.pick(POINTERS) << 15;
  const filled = [load, store].map((row) => (fillRow(random, row as DecodeRow) & ~(31 << 15)) | pointer);
  return long(...filled);
}

function branch(random: Random): Item {
  const [, pattern] = random.pick(BRANCHES);
  const base = parsePattern(pattern, 32).match >>> 0;
  const [rs1, rs2] = [random.below(8), random.below(8)];
  return { ...long(0), aim: (offset) => encodeB(base, rs1, rs2, offset) };
}

function jump(random: Random): Item {
  const rd = random.pick(DESTINATIONS);
  if (random.once(2)) return { ...long(0), aim: (offset) => encodeJ(0x6f, rd, offset) };
  const through = random.pick(DESTINATIONS.slice(1));
  // The base is the address of the auipc, 4 bytes before the jump; an odd offset must be rounded down.
  const odd = random.below(2);
  const auipc = 0x17 | (through << 7);
  return { ...long(auipc, 0), aim: (offset) => encodeI(0x67, rd, through, offset + 4 + odd) };
}

const straight = (random: Random, kept: number): number[] =>
  Array.from({ length: 1 + random.below(5) }, () => fillRow(random, random.pick(SINGLE_ROWS), kept));

/** A loop that counts a register down. */
function loop(random: Random): Item {
  const counter = random.pick(DESTINATIONS.slice(1));
  const body = straight(random, counter);
  const back = -4 * (body.length + 1);
  return long(
    encodeI(0x13, counter, 0, 1 + random.below(5)),
    ...body,
    encodeI(0x13, counter, counter, -1),
    encodeB(0x1063, counter, 0, back),
  );
}

/** A call of a function that follows, and a jump over it. */
function call(random: Random): Item {
  const link = random.pick([1, 5]);
  const body = straight(random, link);
  return long(
    encodeJ(0x6f, link, 8),
    encodeJ(0x6f, 0, 4 * (body.length + 2)),
    ...body,
    encodeI(0x67, 0, link, 0),
  );
}

function randomItem(random: Random): Item {
  const kind = random.below(22);
  if (kind < 12) return plain(random);
  if (kind < 16) return compressed(random) ?? plain(random);
  if (kind === 16) return branch(random);
  if (kind === 17) return jump(random);
  if (kind === 18) return csr(random);
  if (kind === 19) return loadReservedPair(random);
  return kind === 20 ? loop(random) : call(random);
}

/** Lays items out one after the other, aims branches forward to item starts, and ends with a jump to the exit. */
function assemble(random: Random, items: readonly Item[]): Uint8Array {
  const starts: number[] = [];
  let at = 0;
  for (const item of items) {
    starts.push(at);
    at += item.words.reduce((sum, w) => sum + w.length, 0);
  }
  const end = at;
  const code = new DataView(new ArrayBuffer(end + 4));
  items.forEach((item, i) => {
    let place = starts[i] as number;
    item.words.forEach(({ bits, length }, j) => {
      let word = bits;
      if (item.aim !== undefined && j === item.words.length - 1) {
        const target = starts[i + 1 + random.below(4)] ?? end;
        word = item.aim(target - place);
      }
      if (length === 2) code.setUint16(place, word, true);
      else code.setUint32(place, word, true);
      place += length;
    });
  });
  code.setUint32(end, encodeJ(0x6f, 0, CASE.exit - (codeAddress + end)), true);
  return new Uint8Array(code.buffer);
}

const WIDTHS: Readonly<Record<string, FloatWidth>> = { h: 16, s: 32, d: 64 };
/** Width of the floating-point numbers that an instruction works on, where its name tells. */
export const floatWidth = (name: string): FloatWidth | undefined =>
  WIDTHS[/\.([hsd])(\.dyn)?$/.exec(name)?.[1] ?? ''];

/** A whole case: random registers and memory, floats `usual`ly as wide, and `words` random instructions or those given. */
export function randomCase(
  random: Random,
  words: readonly number[] | number,
  usual: FloatWidth = random.pick(FLOAT_WIDTHS),
): Uint8Array {
  const bytes = new Uint8Array(CASE.size);
  const view = new DataView(bytes.buffer);
  for (let i = 1; i < 31; i++) view.setBigUint64(CASE.x + 8 * i, random.integer(), true);
  for (const p of POINTERS) {
    const middle = CASE.base + CASE.scratch + 0x800 + 16 * random.below(32);
    view.setBigUint64(CASE.x + 8 * p, BigInt(middle), true);
  }
  view.setBigUint64(CASE.x + 8 * CASE_POINTER, BigInt(CASE.base), true);
  for (let i = 0; i < 32; i++) view.setBigUint64(CASE.f + 8 * i, random.fRegister(usual), true);
  view.setUint32(
    CASE.fcsr,
    (random.once(2) ? random.below(5) << 5 : 0) | (random.once(2) ? random.below(32) : 0),
    true,
  );
  for (let i = 0; i < CASE.scratchSize; i += 4) view.setUint32(CASE.scratch + i, random.u32(), true);
  // Loads find numbers that matter near the pointers.
  for (let i = 0x780; i < 0xa80; i += 16) {
    view.setBigUint64(CASE.scratch + i, random.once(2) ? random.fRegister(usual) : random.integer(), true);
  }
  const items =
    typeof words === 'number' ? Array.from({ length: words }, () => randomItem(random)) : [long(...words)];
  bytes.set(assemble(random, items), CASE.code);
  return bytes;
}
