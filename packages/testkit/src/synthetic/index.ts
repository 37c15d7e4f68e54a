export { SyntheticAssembler, type AssemblyOperands } from './assembler.ts';
export { CAUSE, CONDITIONS, ENCODINGS, MODE_DELAY, SYSTEM, type Mnemonic } from './encoding.ts';
export { CC, FLAGS, H, R, syntheticFrontEnd, SYNTHETIC_HELPERS, SYSTEM_OFFSET } from './front-end.ts';
export {
  readState,
  syntheticModules,
  writeState,
  type SyntheticModules,
  type SyntheticState,
} from './host.ts';
export { SyntheticOracle } from './oracle.ts';
export { Ports } from './ports.ts';
export { dice, randomProgram, type RandomProgramOptions, type SyntheticProgram } from './random-program.ts';
export {
  initialState,
  SYNTHETIC_BASE,
  SYNTHETIC_RAM_BYTES,
  syntheticOracle,
  oracleState,
} from './reference.ts';
