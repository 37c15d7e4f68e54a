import { ENV } from '@polyvisor/tcg';
import type { RegisterFile } from '@polyvisor/tcg';

/** Integer registers. Slot 32 takes the interpreter's writes to x0, whose own slot stays 0. */
export const X: RegisterFile = {
  name: 'x',
  type: 'i64',
  offset: ENV.guest,
  count: 32,
  stride: 8,
  zero: 0,
  sink: 32,
};

/** Floating-point registers as bits; single precision is NaN-boxed (upper half all ones). */
export const F: RegisterFile = { name: 'f', type: 'i64', offset: ENV.guest + 0x110, count: 32, stride: 8 };

/** Entries of physical memory protection that a hart has. */
export const PMP_ENTRIES = 16;

/** One field of a hart's control state in the vCPU block. */
export interface StateField {
  /** Specification's name where it is a CSR. */
  readonly name: string;
  /** Bytes from the start of the vCPU block. */
  readonly offset: number;
  /** Bytes of one element. */
  readonly width: 1 | 4 | 8;
  /** Elements; 1 for a plain field. */
  readonly count: number;
  /** Value after reset, of each element. */
  readonly reset: bigint;
  readonly comment: string;
}

type FieldRow = readonly [name: string, width: 1 | 4 | 8, reset: bigint, comment: string, count?: number];

/** misa: RV64 (MXL 2) with A, C, D, F, I, M, S, U. */
const MISA =
  (2n << 62n) |
  [...'ACDFIMSU'].reduce((bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 65)), 0n);
/** mstatus: SXL = UXL = 2 (64 bits), all else 0. */
const MSTATUS = (2n << 34n) | (2n << 32n);
const NEVER = (1n << 64n) - 1n;

// Order is layout: append only, so that offsets stay what they are.
const ROWS: readonly FieldRow[] = [
  ['privilege', 4, 3n, 'u32: privilege in force: 0 U, 1 S, 3 M'],
  ['frm', 4, 0n, 'u32: dynamic rounding mode, 0-7 (fflags are in env.fpFlags)'],
  ['mstatus', 8, MSTATUS, 'without SD, which is computed at a read'],
  ['misa', 8, MISA, ''],
  ['mie', 8, 0n, ''],
  ['mip', 8, 0n, 'bits that software has written; lines from outside are in env.lines'],
  ['mtvec', 8, 0n, ''],
  ['mepc', 8, 0n, ''],
  ['mcause', 8, 0n, ''],
  ['mtval', 8, 0n, ''],
  ['mscratch', 8, 0n, ''],
  ['medeleg', 8, 0n, ''],
  ['mideleg', 8, 0n, ''],
  ['menvcfg', 8, 0n, ''],
  ['mseccfg', 8, 0n, ''],
  ['mhartid', 8, 0n, 'set when the vCPU is made'],
  ['mvendorid', 8, 0n, ''],
  ['marchid', 8, 0n, ''],
  ['mimpid', 8, 0n, ''],
  ['mconfigptr', 8, 0n, ''],
  ['stvec', 8, 0n, ''],
  ['sepc', 8, 0n, ''],
  ['scause', 8, 0n, ''],
  ['stval', 8, 0n, ''],
  ['sscratch', 8, 0n, ''],
  ['satp', 8, 0n, ''],
  ['senvcfg', 8, 0n, ''],
  ['stimecmp', 8, NEVER, 'Sstc'],
  ['timeOffset', 8, 0n, 'added to env.ticks to give the time CSR'],
  ['cycleOffset', 8, 0n, 'added to the instruction count to give mcycle; moves while inhibited'],
  ['instretOffset', 8, 0n, 'likewise for minstret'],
  ['mcounteren', 4, 0n, 'u32'],
  ['scounteren', 4, 0n, 'u32'],
  ['mcountinhibit', 4, 0n, 'u32'],
  ['features', 4, 0n, 'u32: optional extensions of this hart, bits as the assembly defines them'],
  ['pmpActive', 4, 0n, 'u32: how many leading PMP entries have to be looked at; derived from pmpcfg'],
  ['interruptPending', 4, 0n, 'u32: scratch of the interrupt logic'],
  ['pmpcfg', 1, 0n, 'entry i at + i', PMP_ENTRIES],
  ['pmpaddr', 8, 0n, 'entry i at + i * 8', PMP_ENTRIES],
  ['mtimecmp', 8, NEVER, 'ACLINT comparator of this hart, in ticks of env.ticks'],
];

/** First byte of the control state: past the register files. */
const FIELDS_START = ENV.guest + 0x240;
/** End of the guest part of the vCPU block. */
const FIELDS_END = ENV.tlb;

function layOut(rows: readonly FieldRow[]): StateField[] {
  let at = FIELDS_START;
  return rows.map(([name, width, reset, comment, count = 1]) => {
    at = (at + width - 1) & -width;
    const field = { name, offset: at, width, count, reset, comment };
    at += width * count;
    if (at > FIELDS_END) throw new Error(`hart state overflows the vCPU block at ${name}`);
    return field;
  });
}

/** A hart's control state: every CSR of M, S and U mode that holds something, and what the helpers derive from them. */
export const STATE_FIELDS: readonly StateField[] = layOut(ROWS);

/** Offset of a field in the vCPU block. @throws Error when there is none of that name. */
export function stateOffset(name: string): number {
  const field = STATE_FIELDS.find((f) => f.name === name);
  if (field === undefined) throw new Error(`no hart state field ${name}`);
  return field.offset;
}
