import type { Random } from '@polyvisor/isa-riscv/testing';
import { LAYOUT, USER_ALIAS } from './layout.ts';

/** Bits of a page table entry (Privileged Architecture, "Sv39 page table entry"). */
export const PTE = {
  V: 1n,
  R: 2n,
  W: 4n,
  X: 8n,
  U: 16n,
  G: 32n,
  A: 64n,
  D: 128n,
  N: 1n << 63n,
} as const;
const LEAF = PTE.V | PTE.A | PTE.D;

const page = (i: number): number => LAYOUT.tables + 4096 * i;
const TABLE = {
  sv39: page(0),
  sv48: page(1),
  sv57: page(2),
  middle: page(3),
  small: page(4),
  other: page(5),
};

const ppn = (address: number | bigint): bigint => (BigInt(address) >> 12n) << 10n;
const pointer = (table: number): bigint => ppn(table) | PTE.V;

/** satp of a scheme, without ASID. */
export const SATP = {
  bare: 0n,
  sv39: (8n << 60n) | (BigInt(TABLE.sv39) >> 12n),
  sv48: (9n << 60n) | (BigInt(TABLE.sv48) >> 12n),
  sv57: (10n << 60n) | (BigInt(TABLE.sv57) >> 12n),
} as const;
export type Scheme = keyof typeof SATP;
/** Levels of each scheme's page tables. */
const LEVELS: Readonly<Record<Scheme, number>> = { bare: 0, sv39: 3, sv48: 4, sv57: 5 };

/** An entry that cases change, and addresses that it translates. */
export interface Slot {
  readonly name: string;
  /** Where the entry lies; several of a contiguous (Svnapot) range. */
  readonly entries: readonly number[];
  /** 0 for 4 KiB pages. */
  readonly level: number;
  readonly va: bigint;
  /** Added to `va`, it leads to the arena when the entry points where it should. */
  readonly toArena: number;
  /** Levels that a scheme must have for it to be reached. */
  readonly needs: number;
}

const MIDDLE = 4n << 30n;
const MEBI = 1n << 20n;
const ARENA_OFFSET = LAYOUT.arena - LAYOUT.ram;

const small = (name: string, table: number, index: number, va: bigint, count = 1): Slot => ({
  name,
  entries: [...Array(count).keys()].map((i) => table + 8 * (index + i)),
  level: 0,
  va,
  toArena: 0,
  needs: 3,
});
const upper = (name: string, entry: number, level: number, va: bigint, toArena: number): Slot => ({
  name,
  entries: [entry],
  level,
  va,
  toArena,
  needs: level + 1 < 3 ? 3 : level + 1,
});

export const SLOTS: readonly Slot[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => small(`small${i}`, TABLE.small, i, MIDDLE + BigInt(4096 * i))),
  small('range', TABLE.small, 16, MIDDLE + 0x10000n, 16),
  upper('large', TABLE.middle + 8, 1, MIDDLE + 2n * MEBI, 0),
  upper('pointer', TABLE.middle + 16, 1, MIDDLE + 4n * MEBI, 0),
  ...[0, 1, 2].map((i) =>
    small(`protected${i}`, LAYOUT.protectedTable, i, MIDDLE + 6n * MEBI + BigInt(4096 * i)),
  ),
  upper('giga', TABLE.sv39 + 8 * 5, 2, 5n << 30n, ARENA_OFFSET),
  upper('tera', TABLE.sv48 + 8, 3, 1n << 39n, LAYOUT.arena),
  upper('peta', TABLE.sv57 + 8, 4, 1n << 48n, LAYOUT.arena),
];

/** Slots that a scheme reaches. */
export const slotsOf = (scheme: Scheme): readonly Slot[] =>
  SLOTS.filter(({ needs }) => needs <= LEVELS[scheme]);

/** Entries that stay: code and handlers for S mode at their physical address, for U mode beside it. */
export function writeTables(put: (address: number, value: bigint) => void): void {
  put(TABLE.sv57, pointer(TABLE.sv48));
  put(TABLE.sv48, pointer(TABLE.sv39));
  put(TABLE.sv39 + 8 * 2, ppn(LAYOUT.ram) | LEAF | PTE.R | PTE.W | PTE.X);
  put(
    TABLE.sv39 + 8 * Number((BigInt(LAYOUT.ram) + BigInt(USER_ALIAS)) >> 30n),
    ppn(LAYOUT.ram) | LEAF | PTE.R | PTE.X | PTE.U,
  );
  put(TABLE.sv39 + 8 * 4, pointer(TABLE.middle));
  put(TABLE.middle, pointer(TABLE.small));
  put(TABLE.middle + 8 * 3, pointer(LAYOUT.protectedTable));
  put(TABLE.other, ppn(LAYOUT.arena) | LEAF | PTE.R | PTE.W);
  put(TABLE.other + 8, ppn(LAYOUT.arena + 4096) | LEAF | PTE.R | PTE.X | PTE.U);
}

/** Physical addresses that no RAM or device answers. */
const NOWHERE = [0x0800_1000n, 0x2_0000_0000n, 0x00f0_0000_0000_0000n];

/** Where a slot's leaf should point to. */
function target(random: Random, { level, name }: Slot): bigint {
  if (level === 0) {
    if (name === 'range') return BigInt(LAYOUT.arena + 0x10000 * random.below(4));
    return BigInt(LAYOUT.arena + 4096 * random.below(16));
  }
  if (level === 1) return BigInt(LAYOUT.arena);
  return level === 2 ? BigInt(LAYOUT.ram) : 0n;
}

/** A leaf or pointer of the kind that breaks things; many are good. `nowhere`: to where no RAM is, too. */
export function randomEntry(random: Random, slot: Slot, nowhere: boolean): bigint {
  const kind = random.below(24);
  const { level } = slot;
  if (kind === 0) return random.u64() & ~PTE.V;
  if (kind === 1) {
    // A pointer; with bits that are reserved in one, too; at the last level it is none.
    const odd = random.once(2) ? 0n : random.pick([PTE.A, PTE.D, PTE.U, PTE.G, PTE.N, 1n << 61n, 1n << 60n]);
    return pointer(level === 1 ? TABLE.other : TABLE.small) | odd;
  }
  // A page table that is nowhere is an access fault; for QEMU 7.2 it is a page fault.
  if (kind === 2 && nowhere) return ppn(random.pick(NOWHERE)) | LEAF | PTE.R | PTE.W;
  let entry = ppn(target(random, slot)) | PTE.V;
  // PMP may deny the update of an entry, which QEMU 7.2 doesn't ask.
  if (slot.name.startsWith('protected')) entry |= LEAF;
  entry |= random.pick([PTE.R, PTE.R | PTE.W, PTE.R | PTE.W | PTE.X, PTE.X, PTE.R | PTE.X]);
  if (random.once(2)) entry |= PTE.U;
  if (random.once(4)) entry |= PTE.G;
  entry |= random.pick([0n, PTE.A, PTE.A | PTE.D, PTE.A | PTE.D, PTE.D]);
  if (random.once(8)) entry |= BigInt(random.below(4)) << 8n;
  if (slot.name === 'range' ? !random.once(8) : random.once(12)) {
    entry |= PTE.N;
    // Low bits of a contiguous range's number tell its size; only 64 KiB is defined.
    entry = (entry & ~(15n << 10n)) | ((random.once(4) ? BigInt(random.below(16)) : 8n) << 10n);
  }
  if (kind === 3) entry |= 1n << BigInt(54 + random.below(7));
  if (kind === 4 || kind === 5) entry |= BigInt(1 + random.below(kind === 4 ? 2 : 3)) << 61n;
  if (kind === 6) entry ^= PTE.W;
  // Not where a superpage may begin.
  if (kind === 7 && level > 0) entry ^= 1n << BigInt(10 + random.below(9 * level));
  return entry;
}

/** Extensions that menvcfg turns on: ADUE, PBMTE. */
export interface EntryKinds {
  readonly updates: boolean;
  readonly memoryTypes: boolean;
}

const RESERVED = 0x1fc0_0000_0000_0000n;
const PBMT = 3n << 61n;

/**
 * The entry that does on QEMU 7.2 what `entry` has to do. Without Svadu (`updates` false) an entry that is not
 * accessed or not dirty faults: QEMU sets the bits whatever menvcfg.ADUE says. With Svnapot or Svpbmt on it doesn't
 * mind reserved bits, nor PBMT while menvcfg.PBMTE is 0 or PBMT is 3; and it sets bits of a leaf before it sees that
 * Svnapot doesn't know the size.
 */
export function equivalent(entry: bigint, level: number, { updates, memoryTypes }: EntryKinds): bigint {
  const leaf = (entry & (PTE.R | PTE.X)) !== 0n;
  if ((entry & PTE.V) === 0n) return entry;
  if ((entry & RESERVED) !== 0n || (entry & PBMT) === PBMT) return entry & ~PTE.V;
  if ((entry & PBMT) !== 0n && !memoryTypes) return entry & ~PTE.V;
  if ((entry & PTE.N) !== 0n && (level > 0 || ((entry >> 10n) & 15n) !== 8n)) return entry & ~PTE.V;
  if (updates || !leaf) return entry;
  if ((entry & PTE.A) === 0n) return entry & ~PTE.V;
  return (entry & PTE.D) === 0n && (entry & PTE.R) !== 0n ? entry & ~PTE.W : entry;
}
