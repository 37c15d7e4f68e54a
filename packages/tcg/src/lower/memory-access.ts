import type { Inst, MemoryAccess, Value } from '../ir/ir.ts';
import { PAGE_BITS, PAGE_SIZE, TLB, TLB_ENTRIES } from '../env.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import { W } from '../wasm/opcodes.ts';
import { accessDescriptor } from './access-descriptor.ts';
import { emitBswap } from './expansions.ts';
import { SLOW_PATHS } from './import-helpers.ts';
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

/** Pushes an operand of an access, any number of times. */
type Push = () => void;

/**
 * Writes a load: inlined look at the data TLB; on a hit the access itself, else the softmmu's slow path and a look
 * at its fault.
 */
export function emitLoad(f: FunctionWriter, values: Lowerer, place: Place, inst: Inst, insn: Inst): void {
  if (inst.group !== undefined && place.outlined !== undefined)
    return emitMember(f, values, place, inst, insn);
  const mem = inst.mem!;
  const type = inst.type as 'i32' | 'i64';
  const address = inst.args[0]!;
  values.hold(address);
  const push = (): void => values.held(address);
  const entry = f.temporary('i32');
  const offset = emitProbe(f, place, mem.addressType, push, entry, TLB.read, 0, lastOf(mem), alignOf(mem));
  f.if(type, true);
  emitHostAddress(f, mem, push, entry, offset);
  f.release('i32', entry);
  emitHostLoad(f, mem, type, 0);
  f.else();
  emitSlow(f, values, place, insn, mem, type, 'load', inst.args);
  f.end();
  values.used(address);
}

/** Writes a store; see {@link emitLoad}. */
export function emitStore(f: FunctionWriter, values: Lowerer, place: Place, inst: Inst, insn: Inst): void {
  if (inst.group !== undefined && place.outlined !== undefined)
    return emitMember(f, values, place, inst, insn);
  const mem = inst.mem!;
  const type = inst.type as 'i32' | 'i64';
  const [address, value] = [inst.args[0]!, inst.args[1]!];
  values.hold(address);
  values.hold(value);
  const push = (): void => values.held(address);
  const entry = f.temporary('i32');
  const offset = emitProbe(f, place, mem.addressType, push, entry, TLB.write, 0, lastOf(mem), alignOf(mem));
  f.if(undefined, true);
  emitHostAddress(f, mem, push, entry, offset);
  f.release('i32', entry);
  values.held(value);
  emitHostStore(f, mem, type, 0);
  f.else();
  emitSlow(f, values, place, insn, mem, type, 'store', inst.args);
  f.end();
  values.used(address);
  values.used(value);
}

/** Distance to the last byte, where alignment does not promise that it is in the first one's page. */
const lastOf = (mem: MemoryAccess): number => (mem.alignment === 'any' ? mem.width - 1 : 0);
const alignOf = (mem: MemoryAccess): number => (mem.alignment === 'any' ? 1 : mem.width);

/** A group whose first access has been written. */
export interface OpenGroup {
  /** Local with the host address of the group's first byte minus a constant; 0 when the TLB did not have it. */
  readonly local: number;
  /** An access's distance from that local, beside its place in the group. */
  readonly bias: number;
  /** Accesses to come. */
  left: number;
}

/**
 * Writes an access of a group. The first one looks at the TLB for all and leaves a host address, or 0, in a local;
 * the others only ask whether that is 0. Where it is, a function makes each access.
 */
function emitMember(f: FunctionWriter, values: Lowerer, place: Place, inst: Inst, insn: Inst): void {
  const mem = inst.mem!;
  const type = inst.type as 'i32' | 'i64';
  const { shared, at } = inst.group!;
  const op = inst.op as 'load' | 'store';
  const [address, value] = [inst.args[0]!, inst.args[1]];
  // A sum of a base and a constant is needed in the cold path only.
  const displacement = values.displacement(address);
  const known = values.groups.get(shared);
  const lazy = displacement !== undefined && (known !== undefined || displacement.by + shared.low >= 0);
  if (!lazy) values.hold(address);
  if (value !== undefined) values.hold(value);
  const group = known ?? openGroup(f, values, place, inst, lazy ? displacement : { base: address, by: 0 });
  if (known !== undefined) {
    f.get(group.local);
    f.if(op === 'load' ? type : undefined, true);
  }
  f.get(group.local);
  if (op === 'load') emitHostLoad(f, mem, type, group.bias + at);
  else {
    values.held(value!);
    emitHostStore(f, mem, type, group.bias + at);
  }
  f.else();
  if (known === undefined) {
    f.i32(0);
    f.set(group.local);
  }
  place.beforeSlow(f, insn);
  place.env(f);
  if (lazy) values.value(address);
  else values.held(address);
  if (value !== undefined) values.held(value);
  f.call(place.outlined!(op, mem, type));
  values.checkFault(insn);
  place.resume(f, insn);
  f.end();
  if (!lazy) values.used(address);
  if (value !== undefined) values.used(value);
  if (--group.left === 0) {
    f.release('i32', group.local);
    values.groups.delete(shared);
  }
}

/** Looks at the TLB for a group and opens an `if` for a hit, in which the group's local is set. */
function openGroup(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  inst: Inst,
  first: { readonly base: Value; readonly by: number },
): OpenGroup {
  const mem = inst.mem!;
  const { low, high, align, count } = inst.group!.shared;
  const isLoad = inst.op === 'load';
  const push = (): void => values.held(first.base);
  const entry = f.temporary('i32');
  const local = f.temporary('i32');
  // What is added is a multiple of the alignment, so that the tag's comparison checks that too.
  const last = first.by + Math.floor((high - 1) / align) * align;
  const tag = isLoad ? TLB.read : TLB.write;
  const offset = emitProbe(f, place, mem.addressType, push, entry, tag, first.by + low, last, align);
  f.if(isLoad ? (inst.type as 'i32' | 'i64') : undefined, true);
  emitHostAddress(f, mem, push, entry, offset);
  f.release('i32', entry);
  // Offsets of wasm accesses can't be negative.
  const below = Math.min(0, first.by + low);
  if (below !== 0) {
    f.i32(below);
    f.op(W.i32Add);
  }
  f.set(local);
  const group = { local, bias: first.by - below, left: count };
  values.groups.set(inst.group!.shared, group);
  return group;
}

/** Writes the body of a function `(env, address, value?) -> value?` that makes one access; see {@link Place.outlined}. */
export function writeOutlined(
  f: FunctionWriter,
  place: Place,
  op: 'load' | 'store',
  mem: MemoryAccess,
  type: 'i32' | 'i64',
): void {
  const isLoad = op === 'load';
  f.begin(isLoad ? ['i32', mem.addressType] : ['i32', mem.addressType, type]);
  const push = (): void => f.get(1);
  const entry = f.local('i32');
  const tag = isLoad ? TLB.read : TLB.write;
  const offset = emitProbe(f, place, mem.addressType, push, entry, tag, 0, lastOf(mem), alignOf(mem));
  f.if(isLoad ? type : undefined, true);
  emitHostAddress(f, mem, push, entry, offset);
  if (isLoad) emitHostLoad(f, mem, type, 0);
  else {
    f.get(2);
    emitHostStore(f, mem, type, 0);
  }
  f.else();
  emitSlowCall(f, place, mem, type, op, isLoad ? [push] : [push, (): void => f.get(2)]);
  f.end();
}

/** Writes an atomic read-modify-write: always the softmmu's function. */
export function emitAtomicRmw(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  inst: Inst,
  insn: Inst,
): void {
  emitAtomic(f, values, place, inst, insn, 'atomic_rmw');
}

/** Writes an atomic compare-and-swap: always the softmmu's function. */
export function emitAtomicCas(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  inst: Inst,
  insn: Inst,
): void {
  emitAtomic(f, values, place, inst, insn, 'atomic_cas');
}

function emitAtomic(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  inst: Inst,
  insn: Inst,
  name: 'atomic_rmw' | 'atomic_cas',
): void {
  for (const arg of inst.args) values.hold(arg);
  emitSlow(f, values, place, insn, inst.mem!, inst.type as 'i32' | 'i64', name, inst.args);
  for (const arg of inst.args) values.used(arg);
}

/**
 * Pushes 1 when the TLB has the page of all bytes from address + `low` to address + `last`, and address + `last` is
 * a multiple of `align`. `entry` is left with the TLB entry's address minus the returned offset.
 */
function emitProbe(
  f: FunctionWriter,
  place: Place,
  addressType: 'i32' | 'i64',
  address: Push,
  entry: number,
  tag: number,
  low: number,
  last: number,
  align: number,
): number {
  const wide = addressType === 'i64';
  address();
  if (wide) f.op(W.i32WrapI64);
  if (low !== 0) {
    f.i32(low);
    f.op(W.i32Add);
  }
  f.i32(ENTRY_SHIFT);
  f.op(W.i32ShrU);
  f.i32(ENTRY_MASK);
  f.op(W.i32And);
  const offset = place.addTlb(f);
  f.tee(entry);
  f.memory(W.i64Load, offset + tag);
  address();
  // The entry is that of the first byte's page, the tag must be that of the last one's: a hit tells that they are
  // the same.
  if (last !== 0) {
    if (wide) f.i64small(last);
    else f.i32(last);
    f.op(wide ? W.i64Add : W.i32Add);
  }
  const mask = -PAGE_SIZE | (align - 1);
  if (wide) f.i64small(mask);
  else f.i32(mask);
  f.op(wide ? W.i64And : W.i32And);
  if (!wide) f.op(W.i64ExtendI32U);
  f.op(W.i64Sub);
  f.op(W.i64Eqz);
  return offset;
}

function emitHostAddress(
  f: FunctionWriter,
  mem: MemoryAccess,
  address: Push,
  entry: number,
  offset: number,
): void {
  f.get(entry);
  f.memory(W.i32Load, offset + TLB.addend);
  address();
  if (mem.addressType === 'i64') f.op(W.i32WrapI64);
  f.op(W.i32Add);
}

function emitHostLoad(f: FunctionWriter, mem: MemoryAccess, type: 'i32' | 'i64', offset: number): void {
  const { width } = mem;
  if (type === 'i64' && width === 4 && mem.signed && !mem.bigEndian) {
    // V8 loads twice where it folds a sign extension into a load.
    f.memory(W.i64Load32U, offset);
    f.op(W.i64Extend32S);
    return;
  }
  if (!mem.bigEndian || width === 1) {
    f.memory(LOADS[`${type}_${width}_${mem.signed ? 's' : 'u'}`]!, offset);
    return;
  }
  if (width === 8) {
    f.memory(W.i64Load, offset);
    emitBswap(f, 8);
    return;
  }
  f.memory(width === 2 ? W.i32Load16U : W.i32Load, offset);
  emitBswap(f, width);
  if (width === 2 && mem.signed) f.op(W.i32Extend16S);
  if (type === 'i64') f.op(mem.signed ? W.i64ExtendI32S : W.i64ExtendI32U);
}

function emitHostStore(f: FunctionWriter, mem: MemoryAccess, type: 'i32' | 'i64', offset: number): void {
  const { width } = mem;
  if (!mem.bigEndian || width === 1) {
    f.memory(STORES[`${type}_${width}`]!, offset);
    return;
  }
  if (width === 8) {
    emitBswap(f, 8);
    f.memory(W.i64Store, offset);
    return;
  }
  if (type === 'i64') f.op(W.i32WrapI64);
  if (width === 2) {
    f.i32(0xffff);
    f.op(W.i32And);
  }
  emitBswap(f, width);
  f.memory(width === 2 ? W.i32Store16 : W.i32Store, offset);
}

/** Calls a slow path, checks for a fault, and leaves the result, if there is one, on the stack. */
function emitSlow(
  f: FunctionWriter,
  values: Lowerer,
  place: Place,
  insn: Inst,
  mem: MemoryAccess,
  type: 'i32' | 'i64',
  name: keyof typeof SLOW_PATHS,
  args: readonly Value[],
): void {
  place.beforeSlow(f, insn);
  const pushes = args.map(
    (arg): Push =>
      () =>
        values.held(arg),
  );
  emitSlowCall(f, place, mem, type, name, pushes, () => {
    values.checkFault(insn);
    place.resume(f, insn);
  });
}

function emitSlowCall(
  f: FunctionWriter,
  place: Place,
  mem: MemoryAccess,
  type: 'i32' | 'i64',
  op: keyof typeof SLOW_PATHS,
  args: readonly Push[],
  after?: () => void,
): void {
  const { name, params, results } = SLOW_PATHS[op];
  place.env(f);
  args.forEach((push, i) => {
    push();
    if ((i === 0 ? mem.addressType : type) === 'i32') f.op(W.i64ExtendI32U);
  });
  f.i32(accessDescriptor(mem, type));
  f.call(place.imported('softmmu', name, params, results));
  after?.();
  if (results.length > 0 && type === 'i32') f.op(W.i32WrapI64);
}
