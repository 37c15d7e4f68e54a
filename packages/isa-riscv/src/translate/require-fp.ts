import { ENV, type Builder } from '@polyvisor/tcg';
import type { FpUse } from '../decode/row.ts';
import { HELPERS } from '../helpers.ts';
import { CAUSE, MODE } from '../mode.ts';

const NEEDED = { reads: MODE.fp, writes: MODE.fp | MODE.fpDirty } as const;

// The trap finds the bits itself: floating-point definitions don't carry them.
const illegal = (b: Builder): void =>
  b.callVoid(HELPERS.raise, b.env(), b.i32(CAUSE.illegalInstruction), b.i64(0));

/** Makes FS dirty and meets the instruction again, in the mode that follows. */
function dirtyFirst(b: Builder): void {
  b.callVoid(HELPERS.fpDirty, b.env(), b.pc());
  b.exit('env');
}

/**
 * Emits what an instruction needs of floating-point state before it: FS on, and dirty if it writes.
 * Constants are translated for a mode that tells; handlers look at the mode in force.
 * @returns false when the block has ended with that, and the instruction itself must not be translated.
 */
export function requireFp(b: Builder, use: FpUse): boolean {
  if (use === 'none') return true;
  const needed = NEEDED[use];
  if (!b.record) {
    const mode = b.modeBits(needed);
    if (mode === needed) return true;
    if ((mode & MODE.fp) === 0) illegal(b);
    else dirtyFirst(b);
    return false;
  }
  const mode = b.loadEnv('i32', ENV.mode);
  const has = b.op('eq', 'i32', b.op('and', 'i32', mode, b.i32(needed)), b.i32(needed));
  b.if(b.op('eqz', 'i32', has), () => {
    if (use === 'reads') return illegal(b);
    b.if(b.op('eqz', 'i32', b.op('and', 'i32', mode, b.i32(MODE.fp))), () => illegal(b));
    dirtyFirst(b);
  });
  return true;
}
