/**
 * What an instruction has to do with floating-point state. Any use is illegal while mstatus.FS is Off;
 * `writes` also makes FS Dirty.
 */
export type FpUse = 'none' | 'reads' | 'writes';

/**
 * A narrower case of an instruction that has a definition of its own, because knowing an operand makes it
 * cheaper or gives it another meaning for control flow. The first shape whose condition holds is taken.
 */
export type ShapeRow = readonly [condition: string, name: string, format: string, fp?: FpUse];

/** One instruction: name, bits from 31 to 0, operands, shapes. */
export type DecodeRow = readonly [
  name: string,
  pattern: string,
  format: string,
  shapes?: readonly ShapeRow[],
];

/** The instructions of one extension. */
export interface DecodeTable {
  readonly extension: string;
  readonly fp: FpUse;
  readonly rows: readonly DecodeRow[];
}
