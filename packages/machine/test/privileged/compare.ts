import { CONTROL_REGISTERS } from './control-registers.ts';
import type { Image } from './image.ts';
import { CONTEXT, KIND, LAYOUT, RECORD } from './layout.ts';
import type { Outcome } from './machines.ts';
import { WHAT } from './random-case.ts';

const ALL = (1n << 64n) - 1n;
const BREAKPOINT = 3n;
const ILLEGAL = 2n;
/** sinval.vma without its registers. */
const SINVAL = 0x1600_0073n;
const REGISTERS = new Map(CONTROL_REGISTERS.map((r) => [WHAT.register + BigInt(r.csr), r]));

const hex = (value: bigint): string => value.toString(16);

interface Log {
  readonly ended: string;
  readonly records: readonly (readonly bigint[])[];
}

function logOf({ ram, ended }: Outcome): Log {
  const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  const next = Number(view.getBigUint64(LAYOUT.context + CONTEXT.logNext - LAYOUT.ram, true));
  const count = Math.max(0, Math.min(next, LAYOUT.logEnd) - LAYOUT.log) / RECORD.size;
  const records = Array.from({ length: count }, (_, i) =>
    Array.from({ length: RECORD.size / 8 }, (_, j) =>
      view.getBigUint64(LAYOUT.log - LAYOUT.ram + RECORD.size * i + 8 * j, true),
    ),
  );
  return { ended, records };
}

/** What of each word of a record is compared. */
function masks(record: readonly bigint[], ours: readonly bigint[]): readonly bigint[] {
  const all = Array<bigint>(8).fill(ALL);
  if (record[RECORD.kind / 8] === BigInt(KIND.value)) {
    all[RECORD.value / 8] = REGISTERS.get(record[RECORD.what / 8] as bigint)?.compared ?? ALL;
    all.fill(0n, 2, 6);
  } else if (record[RECORD.cause / 8] === BREAKPOINT) {
    // Of ebreak, tval may be the pc or 0; QEMU 7.2 says 0.
    all[RECORD.tval / 8] = 0n;
  } else if (record[RECORD.cause / 8] === ILLEGAL && record[RECORD.tval / 8] === 0n) {
    // An illegal instruction's tval may be 0; QEMU 7.2 forgets it for sinval.vma only.
    const word = ours[RECORD.tval / 8] ?? 0n;
    if ((word & 0xfe00_7fffn) === SINVAL) all[RECORD.tval / 8] = 0n;
  }
  return all;
}

const NAMES = ['cause', 'epc', 'tval', 'status', 'hash', 'pending', 'kind', 'case'];

/** One record in words. */
function describeRecord(record: readonly bigint[]): string {
  if (record[6] === BigInt(KIND.value)) {
    const [what = 0n, value = 0n] = record;
    return `case ${record[7]}: ${REGISTERS.get(what)?.name ?? hex(what)} = ${hex(value)}`;
  }
  const fields = NAMES.slice(0, 6).map((name, i) => `${name} ${hex(record[i] as bigint)}`);
  return `case ${record[7]}: ${record[6] === 1n ? 'M' : 'S'} trap ${fields.join(' ')}`;
}

/** How many records agree, and the first that does not. */
export interface Comparison {
  readonly records: number;
  readonly traps: number;
  /** Empty when all is well. */
  readonly difference: string;
}

/** Compares what a program left on two machines: the log, then the memory that cases worked on. */
export function compare(image: Image, our: Outcome, their: Outcome): Comparison {
  const [ours, theirs] = [logOf(our), logOf(their)];
  const traps = theirs.records.filter((r) => r[6] !== BigInt(KIND.value)).length;
  const result = (difference: string): Comparison => ({ records: theirs.records.length, traps, difference });
  const count = Math.max(ours.records.length, theirs.records.length);
  for (let i = 0; i < count; i++) {
    const [a, b] = [ours.records[i], theirs.records[i]];
    if (a !== undefined && b !== undefined) {
      const compared = masks(b, a);
      if (a.every((value, j) => ((value ^ (b[j] as bigint)) & (compared[j] as bigint)) === 0n)) continue;
    }
    const number = Number((b ?? a)?.[7] ?? 0);
    const before = theirs.records.slice(Math.max(0, i - 3), i).map((r) => `  before ${describeRecord(r)}`);
    return result(
      [
        `record ${i}, case at ${(image.cases[number] ?? 0).toString(16)}`,
        ...before,
        `  ours   ${a === undefined ? 'ended' : describeRecord(a)}`,
        `  theirs ${b === undefined ? 'ended' : describeRecord(b)}`,
      ].join('\n'),
    );
  }
  if (ours.ended !== theirs.ended) return result(`ours ended by ${ours.ended}, theirs by ${theirs.ended}`);
  for (const [who, { ended }] of [
    ['ours', ours],
    ['theirs', theirs],
  ] as const) {
    if (ended !== 'power-off')
      return result(`${who} ended by ${ended} after case ${theirs.records.at(-1)?.[7]}`);
  }
  for (let at = LAYOUT.arena - LAYOUT.ram; at < LAYOUT.protectedTable - LAYOUT.ram; at++) {
    if (our.ram[at] !== their.ram[at]) return result(`memory at ${(LAYOUT.ram + at).toString(16)}`);
  }
  return result('');
}
