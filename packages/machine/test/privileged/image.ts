import { Random } from '@polyvisor/isa-riscv/testing';
import { CodeWriter } from './code-writer.ts';
import { LAYOUT } from './layout.ts';
import { writeTables } from './page-entries.ts';
import { writeCase, type Literal } from './random-case.ts';
import { ENTRY, RUNTIME } from './runtime.ts';

/** One program of many cases; the two differ in constants only. */
export interface Image {
  readonly ours: Uint8Array;
  readonly theirs: Uint8Array;
  /** Address at which each case begins. */
  readonly cases: readonly number[];
}

const LINUX_MAGIC = 0x0543_5352;
/** The last cases of an image lock PMP entries. */
const LOCKING = 4;
/** Pages of the arena that hold code. */
const CODE_PAGES = 18;
/** c.jr x27, and, at a page's end, the first half of addi x10: the second half is on the next page. */
const RETURN = 0x8d82;
const STRADDLING = 0x0513;

/** Makes the program of a seed. */
export function makeImage(seed: number, count: number): Image {
  const random = new Random(seed);
  for (let i = 0; i < 8; i++) random.u32();
  const w = new CodeWriter(LAYOUT.cases);
  const literals: Literal[] = [];
  const cases: number[] = [];
  for (let i = 0; i < count; i++) {
    cases.push(w.pc);
    literals.push(...writeCase(w, random, i, i >= count - LOCKING));
  }
  w.la(5, ENTRY.exit);
  w.op('jalr', { rs1: 5 });
  if (w.pc > LAYOUT.casesEnd) throw new Error(`${count} cases are too many for an image`);

  const bytes = new Uint8Array(LAYOUT.protectedEnd - LAYOUT.ram);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0400_006f, true); // j 0x40
  view.setUint32(16, bytes.length, true);
  view.setUint32(56, LINUX_MAGIC, true);
  bytes.set(RUNTIME, LAYOUT.runtime - LAYOUT.ram);
  bytes.set(w.bytes, LAYOUT.cases - LAYOUT.ram);
  writeTables((address, value) => view.setBigUint64(address - LAYOUT.ram, value, true));
  for (let page = 0; page < CODE_PAGES; page++) {
    const start = LAYOUT.arena - LAYOUT.ram + 4096 * page;
    for (let at = 0; at < 4096; at += 2) view.setUint16(start + at, at === 4094 ? STRADDLING : RETURN, true);
  }
  const theirs = bytes.slice();
  const theirView = new DataView(theirs.buffer);
  for (const { address, ours, theirs: value } of literals) {
    view.setBigUint64(address - LAYOUT.ram, ours, true);
    theirView.setBigUint64(address - LAYOUT.ram, value, true);
  }
  return { ours: bytes, theirs, cases };
}
