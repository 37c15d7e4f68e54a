import type { AccessGroup, Block, Inst, MemoryAccess, Value } from '../ir/ir.ts';

/** Bytes that a group may span: the wider, the likelier it crosses a page. */
const SPAN = 256;
/** Bases that are followed at a time. */
const BASES = 8;

interface OpenGroup {
  readonly kind: 'load' | 'store';
  /** Base value; -1 for addresses that are constant, -2 for those relative to the code. */
  readonly base: Value;
  /** Offset of the first access from the base. */
  readonly origin: number;
  readonly group: AccessGroup;
  readonly members: { readonly inst: Inst; readonly at: number }[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Base and distance of an address; undefined when the distance is too large to be of use. */
function split(block: Block, address: Value): { base: Value; offset: number } | undefined {
  const inst = block.insts[address] as Inst;
  if (inst.op === 'const' || inst.op === 'pc') {
    const offset = BigInt.asIntN(inst.type === 'i32' ? 32 : 64, inst.imm as bigint);
    return near(inst.op === 'const' ? -1 : -2, offset);
  }
  if (inst.op !== 'add') return { base: address, offset: 0 };
  const second = block.insts[inst.args[1] as Value] as Inst;
  if (second.op !== 'const') return { base: address, offset: 0 };
  const bits = inst.type === 'i32' ? 32 : 64;
  return (
    near(inst.args[0] as Value, BigInt.asIntN(bits, second.imm as bigint)) ?? { base: address, offset: 0 }
  );
}
const near = (base: Value, offset: bigint): { base: Value; offset: number } | undefined =>
  offset >= -0x1000_0000_0000n && offset <= 0x1000_0000_0000n ? { base, offset: Number(offset) } : undefined;

/**
 * Marks loads, and stores, that one look at the TLB can serve (see {@link AccessGroup}). A group ends where something
 * may change mappings: a helper that is not pure. Accesses inside `if`s stay alone. Values must stay as they are
 * afterwards: this is the last pass.
 */
export function groupAccesses(block: Block): void {
  const open: OpenGroup[] = [];
  let depth = 0;
  const close = (): void => {
    open.forEach(finish);
    open.length = 0;
  };
  for (const inst of block.insts) {
    if (inst.op === 'if') depth++;
    else if (inst.op === 'end') depth--;
    else if (inst.helper !== undefined && inst.helper.effect !== 'pure') close();
    else if (depth === 0 && (inst.op === 'load' || inst.op === 'store')) {
      const place = split(block, inst.args[0] as Value);
      if (place !== undefined) add(open, inst, inst.op, place.base, place.offset);
    }
  }
  close();
}

function add(open: OpenGroup[], inst: Inst, kind: 'load' | 'store', base: Value, offset: number): void {
  const mem = inst.mem as MemoryAccess;
  const minds = mem.alignment !== 'any' ? mem.width : 1;
  for (const o of open) {
    if (o.kind !== kind || o.base !== base) continue;
    const at = offset - o.origin;
    const low = Math.min(o.group.low, at);
    const high = Math.max(o.group.high, at + mem.width);
    if (high - low > SPAN || (minds > 1 && at % minds !== 0)) continue;
    o.group.low = low;
    o.group.high = high;
    o.group.align = Math.max(o.group.align, minds);
    o.group.count++;
    o.members.push({ inst, at });
    return;
  }
  const group: AccessGroup = { low: 0, high: mem.width, align: minds, count: 1 };
  const fresh: OpenGroup = { kind, base, origin: offset, group, members: [{ inst, at: 0 }] };
  // The oldest base is the least likely to come again.
  if (open.length >= BASES) finish(open.shift() as OpenGroup);
  open.push(fresh);
}

function finish(o: OpenGroup): void {
  if (o.group.count < 2) return;
  for (const { inst, at } of o.members) (inst as Mutable<Inst>).group = { shared: o.group, at };
}
