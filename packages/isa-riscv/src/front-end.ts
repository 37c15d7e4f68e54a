import type { FrontEnd } from '@polyvisor/tcg';
import { decode } from './decode/decoder.ts';
import { ALL_HELPERS } from './helpers.ts';
import { ILLEGAL, INSTRUCTIONS } from './instructions.ts';
import { MODE, mmuIndex } from './mode.ts';
import { F, X } from './state.ts';

/** RV64GC with Zba, Zbb, Zbc, Zbkb, Zbkx, Zbs, Zicbom, Zicboz, Zfh, Svinval and M, S, U modes. */
export const RISCV: FrontEnd = {
  name: 'riscv64',
  addressType: 'i64',
  bigEndian: false,
  alignmentLog2: 1,
  maxLength: 4,
  registerFiles: [X, F],
  helpers: ALL_HELPERS,
  instructions: INSTRUCTIONS,
  illegal: ILLEGAL,
  decode,
  mmuIndex,
  decodeMode: () => 0,
  // Translations look at the floating-point state when they run.
  modeMask: MODE.privilegeMask | (MODE.mmuMask << MODE.mmuShift),
};
