import { expect, test } from '@jest/globals';
import { firstInstructionProgram } from './first-instruction-program.ts';

test('an ELF file for RISC-V with one segment that is all in the file', () => {
  const file = firstInstructionProgram();
  const view = new DataView(file.buffer);
  expect([...file.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]);
  expect(view.getUint16(18, true)).toBe(243);
  const header = Number(view.getBigUint64(32, true));
  const offset = Number(view.getBigUint64(header + 8, true));
  const size = Number(view.getBigUint64(header + 32, true));
  expect(view.getUint16(56, true)).toBe(1);
  expect(offset + size).toBe(file.length);
  expect(view.getUint32(offset, true)).toBe(0x100002b7);
});
