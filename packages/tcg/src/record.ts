import type { InstructionDef, OperandKind } from './front-end.ts';
import type { RecordField } from './ir/ir.ts';

/**
 * A predecoded instruction, 16 bytes: u16 handler, u16 a, u16 b, u16 c, and 8 bytes that are either one
 * i64 (`imm`) or two i32 (`low`, `high`).
 * Register operands hold byte offsets within their register file (index * stride). A `target` operand takes
 * `imm`: `low` is the distance to the target's record in bytes (or {@link FAR} when that lies in another page),
 * `high` the distance in guest bytes.
 *
 * Each guest page that is executed has an array of records, one for each place where an instruction can begin,
 * followed by {@link TAIL_RECORDS} page-exit records and by one u16 entry count for each place.
 */
export const RECORD = { handler: 0, a: 2, b: 4, c: 6, imm: 8, low: 8, high: 12, size: 16 } as const;

/** `low` of a target outside the page. */
export const FAR = 0x7fffffff;

/** Handlers with a fixed meaning; instructions' handlers follow. */
export const HANDLER = {
  /** Not decoded yet. */
  undecoded: 0,
  /** First record after the page: continue at that pc. */
  pageExit: 1,
  /** Entry of a compiled region: `low` is its table index. */
  region: 2,
  /** Instruction that continues in the next page. */
  crossing: 3,
  first: 4,
} as const;

/** Records after a page's own ones: where the longest last instruction can lead to. */
export const TAIL_RECORDS = 16;

/** Guest bytes to record bytes: shift by this. */
export const recordShift = (alignmentLog2: number): number => 4 - alignmentLog2;

/** Bytes of a page's records, without the tail. */
export const recordBytes = (alignmentLog2: number): number => 4096 << recordShift(alignmentLog2);

/** Bytes of a page's whole array: records, tail, entry counts. */
export const pageArrayBytes = (alignmentLog2: number): number =>
  recordBytes(alignmentLog2) + TAIL_RECORDS * RECORD.size + (4096 >> alignmentLog2) * 2;

/**
 * Chooses the record field of each operand, in the order of `def.operands`.
 * @throws Error when the operands don't fit a record: the definition must be split.
 */
export function operandFields(def: InstructionDef): RecordField[] {
  const kinds = Object.values(def.operands);
  const wide = kinds.some((k) => k.kind === 'imm' || k.kind === 'target');
  const short: RecordField[] = ['a', 'b', 'c'];
  const words: RecordField[] = wide ? [] : ['low', 'high'];
  let wideTaken = false;
  const take = (kind: OperandKind['kind']): RecordField | undefined => {
    switch (kind) {
      case 'imm':
      case 'target':
        if (wideTaken) return undefined;
        wideTaken = true;
        return 'imm';
      case 'imm32':
        return words.shift();
      default:
        return short.shift() ?? words.shift();
    }
  };
  return kinds.map((k) => {
    const field = take(k.kind);
    if (field === undefined) throw new Error(`${def.name}: operands don't fit a record`);
    return field;
  });
}

/** One handler of the interpreter: an instruction of one length. */
export interface HandlerRow {
  readonly def: number;
  readonly length: number;
}

/** All handlers in the order of their numbers, from {@link HANDLER.first} on. */
export function handlerRows(instructions: readonly InstructionDef[]): HandlerRow[] {
  return instructions.flatMap((d, def) => d.lengths.map((length) => ({ def, length })));
}
