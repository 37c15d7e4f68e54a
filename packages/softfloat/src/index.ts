export {
  FLAG,
  GUEST_OPTIONS,
  INVALID_INTEGER_MASK,
  NAN_RULE_MASK,
  OPTION,
  ROUNDING,
  STATUS_FLAGS_OFFSET,
  STATUS_OPTIONS_OFFSET,
  STATUS_SIZE,
} from './flags.ts';
export { callWithBits, instantiateSoftfloat, missingOperations } from './instantiate.ts';
export type { SoftfloatExports } from './instantiate.ts';
export { OPERATIONS, OPERATION_NAMES, wasmType } from './operations.ts';
export type { OperandType, Operation, OperationName } from './operations.ts';
export { probeHostFmaFused } from './probe.ts';
export { REFERENCE } from './reference/index.ts';
export type { ReferenceOperation, ReferenceResult } from './reference/index.ts';
