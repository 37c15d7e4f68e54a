import { ATOMIC } from './atomic.ts';
import { BASE } from './base.ts';
import { ZBA, ZBB, ZBC, ZBKB, ZBKX, ZBS } from './bitmanip.ts';
import { CSR } from './csr.ts';
import { DOUBLE, FLOAT_READS, HALF, SINGLE } from './float.ts';
import { MULTIPLY } from './multiply.ts';
import { narrow, parsePattern, type BitPattern } from './pattern.ts';
import { CACHE_BLOCK, PRIVILEGED } from './privileged.ts';
import type { DecodeTable, FpUse } from './row.ts';

/** Every 32-bit encoding that there is. Compressed ones expand to these. */
export const DECODE_TABLES: readonly DecodeTable[] = [
  BASE,
  MULTIPLY,
  ATOMIC,
  CSR,
  PRIVILEGED,
  CACHE_BLOCK,
  ZBA,
  ZBB,
  ZBC,
  ZBKB,
  ZBKX,
  ZBS,
  FLOAT_READS,
  SINGLE,
  DOUBLE,
  HALF,
];

/** One thing that the decoder can tell from a word: a row, or a shape of it. */
export interface Candidate extends BitPattern {
  readonly name: string;
  readonly format: string;
  readonly fp: FpUse;
}

/** Rows with their shapes before them: of one instruction's candidates the first that matches counts. */
export const CANDIDATES: readonly Candidate[] = DECODE_TABLES.flatMap(({ fp, rows }) =>
  rows.flatMap(([name, pattern, format, shapes = []]) => {
    const bits = parsePattern(pattern, 32);
    const narrower = shapes.map(([condition, shape, shapeFormat, shapeFp = fp]): Candidate => {
      return { name: shape, format: shapeFormat, fp: shapeFp, ...narrow(bits, condition) };
    });
    return [...narrower, { name, format, fp, ...bits }];
  }),
);
