import type { Inst, MemoryAccess, Value } from '../ir/ir.ts';
import { PAGE_BITS, PAGE_SIZE, TLB, TLB_ENTRIES } from '../env.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import { W, type WasmType } from '../wasm/opcodes.ts';
import { accessDescriptor } from './access-descriptor.ts';
import { emitBswap } from './expansions.ts';
import type { Lowerer } from './lowerer.ts';
import type { Place } from './place.ts';

/** Byte offset of a TLB entry: (address >> this) & that. */
const ENTRY_SHIFT = PAGE_BITS - 5;
const ENTRY_MASK = (TLB_ENTRIES - 1) * TLB.size;

const LOADS: Readonly<Record<string, number>> = {
  i32_1_u: W.i32Load8U,
  i32_1_s: W.i32Load8S,
  i32_2_u: W.i32Load16U,
  i32_2_s: W.i32Load16S,
  i32_4_u: W.i32Load,
  i32_4_s: W.i32Load,
  i64_1_u: W.i64Load8U,
  i64_1_s: W.i64Load8S,
  i64_2_u: W.i64Load16U,
  i64_2_s: W.i64Load16S,
  i64_4_u: W.i64Load32U,
  i64_4_s: W.i64Load32S,
  i64_8_u: W.i64Load,
  i64_8_s: W.i64Load,
};
const STORES: Readonly<Record<string, number>> = {
  i32_1: W.i32Store8,
  i32_2: W.i32Store16,
  i32_4: W.i32Store,
  i64_1: W.i64Store8,
  i64_2: W.i64Store16,
  i64_4: W.i64Store32,
  i64_8: W.i64Store,
};

/**
 * Writes a load: inlined look at the data TLB; on a hit the access itself, else the softmmu's slow path and a look
 * at its fault.
 */
export function emitLoad(f: FunctionWriter, values: Lowerer, place: Place, inst: Inst, insn: Inst): void {
  const mem = inst.mem!;
  const type = inst.type as 'i32' | 'i64';
  const address = inst.args[0]!;
  values.hold(address);
  const entry = f.temporary('i32');
  const offset = emitProbe(f, values, place, mem, address, entry, TLB.read);
  f.if(type, true);
  emitHostAddress(f, values, mem, address, entry, offset);
  f.release('i32', entry);
  emitHostLoad(f, mem, type);
  f.else();
  emitSlow(f, values, place, insn, mem, type, 'load', [address]);
  f.end();
  values.used(address);
}

/** Writes a store; see {@link emitLoad}. */
export function emitStore(f: FunctionWriter, values: Lowerer, place: Place, inst: Inst, insn: Inst): void {
  const mem = inst.mem!;
  const type = inst.type as 'i32' | 'i64';
  const [address, value] = [inst.args[0]!, inst.args[1]!];
  values.hold(address);
  values.hold(value);
  const entry = f.temporary('i32');
  const offset = emitProbe(f, values, place, mem, address, entry, TLB.write);
  f.if(undefined, true);
  emitHostAddress(f, values, mem, address, entry, offset);
  f.release('i32', entry);
  values.held(value);
  emitHostStore(f, mem, type);
  f.else();
  emitSlow(f, values, place, insn, mem, type, 'store', [address, value]);
  f.end();
  values.used(address);
  values.used(value);
}

/** Writes an atomic read-modify-write: always the softmmu's function. */
export function emitAtomicRmw(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  inst: Inst,
  insn: Inst,
): void {
  emitAtomic(f, values, place, inst, insn, 'rmw');
}

/** Writes an atomic compare-and-swap: always the softmmu's function. */
export function emitAtomicCas(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  inst: Inst,
  insn: Inst,
): void {
  emitAtomic(f, values, place, inst, insn, 'cas');
}

function emitAtomic(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  inst: Inst,
  insn: Inst,
  name: 'rmw' | 'cas',
): void {
  for (const arg of inst.args) values.hold(arg);
  emitSlow(f, values, place, insn, inst.mem!, inst.type as 'i32' | 'i64', name, inst.args);
  for (const arg of inst.args) values.used(arg);
}

/** Pushes 1 when the TLB has the page; `entry` is left with the entry's address minus the returned offset. */
function emitProbe(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  mem: MemoryAccess,
  address: Value,
  entry: number,
  tag: number,
): number {
  const wide = mem.addressType === 'i64';
  values.held(address);
  if (wide) f.op(W.i32WrapI64);
  f.i32(ENTRY_SHIFT);
  f.op(W.i32ShrU);
  f.i32(ENTRY_MASK);
  f.op(W.i32And);
  const offset = place.addTlb(f);
  f.tee(entry);
  f.memory(W.i64Load, offset + tag);
  values.held(address);
  // `any`: the page of the last byte, so that what stays within a page is a hit at every alignment.
  if (mem.alignment === 'any' && mem.width > 1) {
    if (wide) f.i64small(mem.width - 1);
    else f.i32(mem.width - 1);
    f.op(wide ? W.i64Add : W.i32Add);
  }
  const mask = -PAGE_SIZE | (mem.alignment === 'any' ? 0 : mem.width - 1);
  if (wide) f.i64small(mask);
  else f.i32(mask);
  f.op(wide ? W.i64And : W.i32And);
  if (!wide) f.op(W.i64ExtendI32U);
  // V8 loads the tag twice when it is an operand of a comparison, not when it is one of a subtraction.
  f.op(W.i64Sub);
  f.op(W.i64Eqz);
  return offset;
}

function emitHostAddress(
  f: FunctionWriter,
  values: Lowerer,
  mem: MemoryAccess,
  address: Value,
  entry: number,
  offset: number,
): void {
  f.get(entry);
  f.memory(W.i32Load, offset + TLB.addend);
  values.held(address);
  if (mem.addressType === 'i64') f.op(W.i32WrapI64);
  f.op(W.i32Add);
}

function emitHostLoad(f: FunctionWriter, mem: MemoryAccess, type: 'i32' | 'i64'): void {
  const { width } = mem;
  if (!mem.bigEndian || width === 1) {
    f.memory(LOADS[`${type}_${width}_${mem.signed ? 's' : 'u'}`]!, 0);
    return;
  }
  if (width === 8) {
    f.memory(W.i64Load, 0);
    emitBswap(f, 8);
    return;
  }
  f.memory(width === 2 ? W.i32Load16U : W.i32Load, 0);
  emitBswap(f, width);
  if (width === 2 && mem.signed) f.op(W.i32Extend16S);
  if (type === 'i64') f.op(mem.signed ? W.i64ExtendI32S : W.i64ExtendI32U);
}

function emitHostStore(f: FunctionWriter, mem: MemoryAccess, type: 'i32' | 'i64'): void {
  const { width } = mem;
  if (!mem.bigEndian || width === 1) {
    f.memory(STORES[`${type}_${width}`]!, 0);
    return;
  }
  if (width === 8) {
    emitBswap(f, 8);
    f.memory(W.i64Store, 0);
    return;
  }
  if (type === 'i64') f.op(W.i32WrapI64);
  if (width === 2) {
    f.i32(0xffff);
    f.op(W.i32And);
  }
  emitBswap(f, width);
  f.memory(width === 2 ? W.i32Store16 : W.i32Store, 0);
}

/** Calls a slow path, checks for a fault, and leaves the result, if there is one, on the stack. */
function emitSlow(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  insn: Inst,
  mem: MemoryAccess,
  type: 'i32' | 'i64',
  name: 'load' | 'store' | 'rmw' | 'cas',
  args: readonly Value[],
): void {
  place.beforeSlow(f, insn);
  const params: WasmType[] = ['i32', ...args.map((): WasmType => 'i64'), 'i32'];
  place.env(f);
  args.forEach((arg, i) => {
    values.held(arg);
    if ((i === 0 ? mem.addressType : type) === 'i32') f.op(W.i64ExtendI32U);
  });
  f.i32(accessDescriptor(mem, type));
  f.call(place.imported('softmmu', name, params, name === 'store' ? [] : ['i64']));
  values.checkFault(insn);
  place.resume(f, insn);
  if (name !== 'store' && type === 'i32') f.op(W.i32WrapI64);
}
