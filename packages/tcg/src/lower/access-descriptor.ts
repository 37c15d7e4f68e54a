import type { MemoryAccess, RmwOp } from '../ir/ir.ts';

/** Rmw ops in the order of their numbers in a descriptor. */
export const RMW_OPS: readonly RmwOp[] = [
  'xchg',
  'add',
  'and',
  'or',
  'xor',
  'min_s',
  'max_s',
  'min_u',
  'max_u',
];

const ALIGNMENT: Readonly<Record<MemoryAccess['alignment'], number>> = { any: 0, slow: 1, fault: 2 };

/**
 * The descriptor that translated code hands to the softmmu's slow paths: bits 0-1 log2 of the width, 2 signed,
 * 3 big-endian, 4-5 alignment (0 any, 1 slow, 2 fault), 6 result is i64, 8-11 rmw op (index in {@link RMW_OPS}).
 */
export function accessDescriptor(mem: MemoryAccess, type: 'i32' | 'i64'): number {
  return (
    (31 - Math.clz32(mem.width)) |
    (mem.signed ? 4 : 0) |
    (mem.bigEndian ? 8 : 0) |
    (ALIGNMENT[mem.alignment] << 4) |
    (type === 'i64' ? 64 : 0) |
    (mem.rmw === undefined ? 0 : RMW_OPS.indexOf(mem.rmw) << 8)
  );
}
