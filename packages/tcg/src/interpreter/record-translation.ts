import type { FrontEnd, Operand } from '../front-end.ts';
import { Builder } from '../ir/builder.ts';
import type { Block } from '../ir/ir.ts';
import { operandFields } from '../record.ts';

/**
 * IR of one instruction with record fields as operands: what its interpreter handler does. The terminator is a
 * `goto` to `next` where `translate` fell off its end.
 */
export function translateRecord(frontEnd: FrontEnd, def: number, length: number): Block {
  const instruction = frontEnd.instructions[def];
  if (instruction === undefined) throw new Error(`no instruction ${def}`);
  const fields = operandFields(instruction);
  const operands: Record<string, Operand> = {};
  Object.keys(instruction.operands).forEach((name, i) => {
    operands[name] = fields[i]!;
  });
  const builder = new Builder({ record: true, mode: 0, addressType: frontEnd.addressType });
  builder.begin({ pc: 0n, length });
  instruction.translate(builder, operands);
  if (builder.terminator === undefined) builder.jump('next');
  return builder.finish(0n);
}
