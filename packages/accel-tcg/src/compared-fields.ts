import { F, STATE_FIELDS, X } from '@polyvisor/isa-riscv';
import { ENV } from '@polyvisor/tcg';
import type { ComparedField } from './lockstep.ts';

/** Everything that a guest can see of a hart: what both tiers must agree on in lockstep. */
export function comparedFields(): ComparedField[] {
  const files = [X, F].flatMap((file) =>
    Array.from({ length: file.count }, (_, i) => ({
      name: `${file.name}${i}`,
      offset: file.offset + i * file.stride,
      width: 8 as const,
    })),
  );
  const state = STATE_FIELDS.flatMap((field) =>
    Array.from({ length: field.count }, (_, i) => ({
      name: field.count === 1 ? field.name : `${field.name}[${i}]`,
      offset: field.offset + i * field.width,
      width: field.width,
    })),
  );
  return [
    { name: 'pc', offset: ENV.pc, width: 8 },
    { name: 'mode', offset: ENV.mode, width: 4 },
    { name: 'fflags', offset: ENV.fpFlags, width: 4 },
    ...files,
    ...state.filter((field) => field.name !== 'interruptPending'),
  ];
}
