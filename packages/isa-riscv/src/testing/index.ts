export { assemble } from './assembler.ts';
export { encodeInstruction, type EncodedOperands } from './encode-instruction.ts';
export { Random } from './random.ts';
