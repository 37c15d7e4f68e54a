export { RISCV } from './front-end.ts';
export { MODE } from './mode.ts';
export { F, STATE_FIELDS, stateOffset, X, type StateField } from './state.ts';
