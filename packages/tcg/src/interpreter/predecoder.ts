import { PAGE_SIZE } from '../env.ts';
import type { Decoded, FrontEnd } from '../front-end.ts';
import { PageReader } from '../former/code-source.ts';
import { FAR, HANDLER, handlerRows, operandFields, RECORD, recordShift, TAIL_RECORDS } from '../record.ts';
import type { RecordField } from '../ir/ir.ts';
import { translateRecord } from './record-translation.ts';

/** How one operand of a definition is put into a record. */
interface OperandWriter {
  /** Byte offset within the record. */
  readonly at: number;
  /** `half`: 16 bits. `word`: 32 bits. `wide`: 64 bits. `target`: distances in records and bytes. */
  readonly form: 'half' | 'word' | 'wide' | 'target';
  /** Registers: bytes between them; 1 otherwise. */
  readonly scale: number;
  /** Value that is replaced (a write to the zero register), and by which; NaN for none. */
  readonly from: number;
  readonly to: number;
}

interface DefWriter {
  /** Handler number by instruction length; 0 where the length is impossible. */
  readonly handlers: readonly number[];
  readonly operands: readonly OperandWriter[];
  /** Control may go on elsewhere than at the next instruction. */
  readonly ends: boolean;
}

/** Instructions that one call decodes at most. */
const RUN_LIMIT = 64;

/**
 * Fills record arrays. One per vCPU: it keeps buffers, allocates nothing per instruction (beyond what the front
 * end's `decode` does) and takes some 0.3 us for each.
 */
export interface Predecoder {
  /**
   * Decodes from the record at address `record`, forward until control is transferred, the page ends or a decoded
   * record is met. `records`: address of the page's record array. `code`: address of the guest page in the same
   * memory. `pc`: guest address of the first instruction.
   */
  decodePage(records: number, code: number, record: number, pc: bigint, mode: number): void;
  /**
   * Writes one instruction to the record at `at`, and page exits to all records after it that it can lead to. Its
   * targets are far. `bytes`: guest code from pc on.
   * @returns false, with nothing written, when more bytes are needed.
   */
  decodeCrossing(at: number, bytes: Uint8Array, pc: bigint, mode: number): boolean;
  /**
   * Writes one decoded instruction to the record at address `at`. `pageOffset`: where in its page the instruction
   * begins; -1 makes all targets far.
   * @throws Error when the front end decoded to a length that its definition does not name.
   */
  encode(at: number, decoded: Decoded, pageOffset: number): void;
  /** Puts page exits after a page's records; done once for each new array. */
  initialize(records: number): void;
}

const FIELD_FORM: Readonly<Record<RecordField, OperandWriter['form']>> = {
  a: 'half',
  b: 'half',
  c: 'half',
  imm: 'wide',
  low: 'word',
  high: 'word',
};

function defWriters(frontEnd: FrontEnd): DefWriter[] {
  const handlers = frontEnd.instructions.map((): number[] => []);
  handlerRows(frontEnd.instructions).forEach((row, i) => {
    const list = handlers[row.def]!;
    while (list.length <= row.length) list.push(HANDLER.undecoded);
    list[row.length] = HANDLER.first + i;
  });
  return frontEnd.instructions.map((def, index) => {
    const fields = operandFields(def);
    const operands = Object.values(def.operands).map((kind, i): OperandWriter => {
      const field = fields[i]!;
      const at = RECORD[field];
      const plain = { at, scale: 1, from: NaN, to: NaN };
      if (kind.kind === 'target') return { ...plain, form: 'target' };
      const form = FIELD_FORM[field];
      if (kind.kind !== 'reg') return { ...plain, form };
      const { file } = kind;
      if ((Math.max(file.count, file.sink ?? 0) + 1) * file.stride > 0x10000)
        throw new Error(`register file ${file.name} is too large for a record`);
      const drops = kind.written === true && file.zero !== undefined;
      return {
        at,
        form,
        scale: file.stride,
        from: drops ? file.zero : NaN,
        to: drops ? (file.sink ?? file.count) : NaN,
      };
    });
    const { terminator } = translateRecord(frontEnd, index, def.lengths[0]!);
    const ends = terminator.kind !== 'goto' || terminator.target !== 'next' || terminator.mode !== undefined;
    return { handlers: handlers[index]!, operands, ends };
  });
}

/** A {@link Predecoder} for records and guest code in `memory`. */
export function createPredecoder(frontEnd: FrontEnd, memory: WebAssembly.Memory): Predecoder {
  const writers = defWriters(frontEnd);
  const bytes = new Uint8Array(memory.buffer);
  const halves = new Uint16Array(memory.buffer);
  const words = new Int32Array(memory.buffer);
  const shift = recordShift(frontEnd.alignmentLog2);
  const reader = new PageReader(frontEnd.bigEndian);
  const scratch = new Uint8Array(PAGE_SIZE);
  const decoded: Decoded = { def: 0, length: 0, operands: [] };

  const encode = (at: number, from: Decoded, pageOffset: number): void => {
    const writer = writers[from.def]!;
    const handler = writer.handlers[from.length] ?? 0;
    if (handler === 0)
      throw new Error(`${frontEnd.instructions[from.def]!.name} decoded with length ${from.length}`);
    const { operands } = writer;
    for (let i = 0; i < operands.length; i++) {
      const operand = operands[i]!;
      const value = from.operands[i]!;
      const place = at + operand.at;
      if (operand.form === 'half') {
        const number = Number(value);
        halves[place >>> 1] = (number === operand.from ? operand.to : number) * operand.scale;
      } else if (operand.form === 'word') {
        const number = Number(value);
        words[place >>> 2] = (number === operand.from ? operand.to : number) * operand.scale;
      } else if (operand.form === 'wide') {
        if (typeof value === 'number') {
          words[place >>> 2] = value;
          words[(place >>> 2) + 1] = Math.floor(value / 0x100000000);
        } else {
          words[place >>> 2] = Number(BigInt.asIntN(32, value));
          words[(place >>> 2) + 1] = Number(BigInt.asIntN(32, value >> 32n));
        }
      } else {
        const distance = Number(value);
        const target = pageOffset + distance;
        const near = pageOffset >= 0 && target >= 0 && target < PAGE_SIZE;
        words[place >>> 2] = near ? distance << shift : FAR;
        words[(place >>> 2) + 1] = distance;
      }
    }
    halves[at >>> 1] = handler;
  };

  const decodePage = (records: number, code: number, record: number, pc: bigint, mode: number): void => {
    let at = record;
    let offset = (record - records) >>> shift;
    let place = pc;
    const page = bytes.subarray(code, code + PAGE_SIZE);
    for (let n = 0; n < RUN_LIMIT && offset < PAGE_SIZE; n++) {
      if (halves[at >>> 1] !== HANDLER.undecoded) return;
      reader.move(page, undefined, offset, frontEnd.maxLength);
      if (!frontEnd.decode(reader, place, mode, decoded)) {
        halves[at >>> 1] = HANDLER.crossing;
        return;
      }
      encode(at, decoded, offset);
      if (writers[decoded.def]!.ends) return;
      at += decoded.length << shift;
      offset += decoded.length;
      place += BigInt(decoded.length);
    }
  };

  return {
    encode,
    decodePage,
    decodeCrossing(at, code, pc, mode) {
      scratch.set(code.subarray(0, PAGE_SIZE));
      reader.move(scratch, undefined, 0, Math.min(code.length, frontEnd.maxLength));
      if (!frontEnd.decode(reader, pc, mode, decoded)) return false;
      encode(at, decoded, -1);
      const step = (1 << frontEnd.alignmentLog2) << shift;
      for (let next = at + step; next <= at + (frontEnd.maxLength << shift); next += step)
        halves[next >>> 1] = HANDLER.pageExit;
      return true;
    },
    initialize(records) {
      const end = records + (PAGE_SIZE << shift);
      for (let i = 0; i < TAIL_RECORDS; i++) halves[(end + i * RECORD.size) >>> 1] = HANDLER.pageExit;
    },
  };
}
