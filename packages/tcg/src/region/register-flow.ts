import type { Inst, Region, RegisterFile, RegisterRef, Terminator } from '../ir/ir.ts';
import { blockKey, changedMode, nextPcOf, type Block } from '../ir/ir.ts';

/** Guest registers of a region, numbered. */
export class RegionRegisters {
  readonly refs: { readonly file: RegisterFile; readonly index: number }[] = [];
  private readonly numbers = new Map<RegisterFile, Int32Array>();

  /** Number of a register. @throws Error when a record field names it. */
  number(ref: RegisterRef): number {
    const { file, index } = ref;
    if (typeof index !== 'number') throw new Error('a region has no record');
    let numbers = this.numbers.get(file);
    if (numbers === undefined) {
      numbers = new Int32Array(file.count).fill(-1);
      this.numbers.set(file, numbers);
    }
    let number = numbers[index]!;
    if (number < 0) {
      number = this.refs.length;
      numbers[index] = number;
      this.refs.push({ file, index });
    }
    return number;
  }
}

/** Where a terminator (or a `leave`) leads to. */
export interface Exits {
  /** Blocks of the region, by number, reached with all registers in locals. */
  readonly jumps: readonly number[];
  /** Block where a guest call goes on, or -1. */
  readonly continuation: number;
  /** Some way leaves the region. */
  readonly out: boolean;
}

/** Number of the block at a place, or -1. */
export type BlockNumber = (pc: bigint, mode: number) => number;

/** Numbers of a region's blocks in the order of its map: the entry is 0. */
export function blockNumbers(region: Region): BlockNumber {
  const numbers = new Map<bigint, number>();
  for (const key of region.blocks.keys()) numbers.set(key, numbers.size);
  return (pc, mode) => numbers.get(blockKey(region, pc, mode)) ?? -1;
}

/** What a terminator at an instruction followed by `next` does to control flow. */
export function exitsOf(terminator: Terminator, mode: number, next: bigint, number: BlockNumber): Exits {
  const after = 'mode' in terminator ? changedMode(mode, terminator.mode) : mode;
  const jumps: number[] = [];
  let out = false;
  const jump = (target: bigint | 'next' | object): void => {
    const to = number(target === 'next' ? next : (target as bigint), after);
    if (to < 0) out = true;
    else jumps.push(to);
  };
  switch (terminator.kind) {
    case 'goto':
      jump(terminator.target);
      break;
    case 'branch':
      jump(terminator.taken);
      jump(terminator.notTaken);
      break;
    case 'call':
    case 'indirect': {
      const isCall = terminator.kind === 'call' || terminator.hint === 'call';
      const continuation = isCall ? number(next, after) : -1;
      return { jumps, continuation, out: continuation < 0 };
    }
    case 'exit':
      out = true;
      break;
    case 'unreachable':
      break;
  }
  return { jumps, continuation: -1, out };
}

/** pc after the instruction of an `insn` marker. */
export const nextOf = (insn: Inst): bigint => insn.imm! + BigInt(insn.width!);

/** What happens to registers in a block, in order. The number above the kind's bits is a register or a snapshot. */
const EVENT = {
  read: 0,
  put: 1,
  /** Inside an `if`: the old value may survive. */
  putMaybe: 2,
  /** May fault, or be asked to leave. */
  exit: 3,
  /** A helper that uses registers in memory. */
  sync: 4,
  syncMaybe: 5,
  /** A `leave`: number of its {@link Exits}. */
  leave: 6,
} as const;
const KIND_BITS = 3;
const KIND_MASK = 7;

interface BlockFacts {
  readonly events: number[];
  readonly leaves: Exits[];
  readonly exits: Exits;
  /** Modified registers at each `exit`, `sync`, `leave` in order, and at the end; undefined: the common exit's set. */
  readonly snapshots: (Uint32Array | undefined)[];
}

/** Result of the analysis: bit sets of register numbers, as words. */
export interface RegisterFlow {
  readonly registers: RegionRegisters;
  /** Per block: registers whose locals are used from its start on. */
  readonly live: readonly Uint32Array[];
  /** Per block: registers whose locals may differ from memory at its start. */
  readonly modified: readonly Uint32Array[];
  /** Registers that the common exit writes back. */
  readonly common: Uint32Array;
}

function factsOf(
  block: Block,
  number: BlockNumber,
  registers: RegionRegisters,
  checked: boolean,
): BlockFacts {
  const events: number[] = [];
  const leaves: Exits[] = [];
  let depth = 0;
  let next = block.pc;
  if (checked) events.push(EVENT.exit);
  for (const inst of block.insts) {
    switch (inst.op) {
      case 'insn':
        next = nextOf(inst);
        break;
      case 'get':
        events.push(EVENT.read | (registers.number(inst.reg!) << KIND_BITS));
        break;
      case 'put':
        events.push((depth > 0 ? EVENT.putMaybe : EVENT.put) | (registers.number(inst.reg!) << KIND_BITS));
        break;
      case 'load':
      case 'store':
      case 'atomic_rmw':
      case 'atomic_cas':
        events.push(EVENT.exit);
        break;
      case 'call':
      case 'call_void':
        if (inst.helper!.effect === 'registers') events.push(depth > 0 ? EVENT.syncMaybe : EVENT.sync);
        if (inst.helper!.mayFault || inst.helper!.noReturn) events.push(EVENT.exit);
        break;
      case 'if':
        depth++;
        break;
      case 'end':
        depth--;
        break;
      case 'leave':
        events.push(EVENT.leave | (leaves.length << KIND_BITS));
        leaves.push(exitsOf(inst.leave!, block.mode, next, number));
        break;
    }
  }
  const exits = exitsOf(block.terminator, block.mode, nextPcOf(block), number);
  return { events, leaves, exits, snapshots: [] };
}

function addAll(to: Uint32Array, from: Uint32Array): boolean {
  let changed = false;
  for (let i = 0; i < to.length; i++) {
    const value = (to[i]! | from[i]!) >>> 0;
    if (value !== to[i]) {
      to[i] = value;
      changed = true;
    }
  }
  return changed;
}
const addOne = (set: Uint32Array, n: number): void => {
  set[n >>> 5]! |= 1 << (n & 31);
};

/**
 * Whether a rare exit at a point where these registers are modified writes them back itself. The common exit costs
 * no code there, but keeps alive whatever is modified anywhere.
 */
export function leavesByItself(modified: Uint32Array): boolean {
  let left = OWN_EXIT_REGISTERS;
  for (let w = 0; w < modified.length; w++) {
    for (let bits = modified[w]!; bits !== 0; bits &= bits - 1) if (--left < 0) return false;
  }
  return true;
}
const OWN_EXIT_REGISTERS = 3;

/** Calls `visit` with each member. */
export function forEachMember(set: Uint32Array, visit: (n: number) => void): void {
  for (let w = 0; w < set.length; w++) {
    for (let bits = set[w]!; bits !== 0; bits &= bits - 1) visit(w * 32 + 31 - Math.clz32(bits & -bits));
  }
}

/**
 * Finds out which registers must be loaded and written back where.
 * `checked`: blocks that may leave at their start.
 */
export function analyseRegisters(
  blocks: readonly Block[],
  number: BlockNumber,
  checked: (block: number) => boolean,
): RegisterFlow {
  const registers = new RegionRegisters();
  const facts = blocks.map((block, i) => factsOf(block, number, registers, checked(i)));
  const words = (registers.refs.length + 31) >>> 5;
  const sets = (): Uint32Array[] => blocks.map(() => new Uint32Array(words));
  const common = new Uint32Array(words);
  const modified = sets();
  propagateModified(facts, modified, common, words);
  const live = sets();
  propagateLive(facts, live, common, words);
  return { registers, live, modified, common };
}

function propagateModified(
  facts: readonly BlockFacts[],
  modified: readonly Uint32Array[],
  common: Uint32Array,
  words: number,
): void {
  const queued = new Uint8Array(facts.length).fill(1);
  const queue = facts.map((_, i) => i).reverse();
  const now = new Uint32Array(words);
  const reach = (exits: Exits): void => {
    for (const to of exits.jumps) {
      if (addAll(modified[to]!, now) && queued[to] === 0) {
        queued[to] = 1;
        queue.push(to);
      }
    }
  };
  for (let block = queue.pop(); block !== undefined; block = queue.pop()) {
    queued[block] = 0;
    const { events, leaves, exits, snapshots } = facts[block]!;
    now.set(modified[block]!);
    snapshots.length = 0;
    for (const event of events) {
      switch (event & KIND_MASK) {
        case EVENT.put:
        case EVENT.putMaybe:
          addOne(now, event >>> KIND_BITS);
          break;
        case EVENT.exit:
          if (leavesByItself(now)) snapshots.push(now.slice());
          else {
            addAll(common, now);
            snapshots.push(undefined);
          }
          break;
        case EVENT.sync:
          snapshots.push(now.slice());
          now.fill(0);
          break;
        case EVENT.syncMaybe:
          snapshots.push(now.slice());
          break;
        case EVENT.leave:
          snapshots.push(now.slice());
          reach(leaves[event >>> KIND_BITS]!);
          break;
      }
    }
    snapshots.push(now.slice());
    reach(exits);
  }
}

function propagateLive(
  facts: readonly BlockFacts[],
  live: readonly Uint32Array[],
  common: Uint32Array,
  words: number,
): void {
  const now = new Uint32Array(words);
  const leaveBy = (exits: Exits, snapshot: Uint32Array): void => {
    if (exits.out || exits.continuation >= 0) addAll(now, snapshot);
    for (const to of exits.jumps) addAll(now, live[to]!);
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let block = facts.length - 1; block >= 0; block--) {
      const { events, leaves, exits, snapshots } = facts[block]!;
      let snapshot = snapshots.length - 1;
      now.fill(0);
      leaveBy(exits, snapshots[snapshot--] as Uint32Array);
      for (let i = events.length - 1; i >= 0; i--) {
        const event = events[i]!;
        const n = event >>> KIND_BITS;
        switch (event & KIND_MASK) {
          case EVENT.read:
            addOne(now, n);
            break;
          case EVENT.put:
            now[n >>> 5]! &= ~(1 << (n & 31));
            break;
          case EVENT.exit:
            addAll(now, snapshots[snapshot--] ?? common);
            break;
          case EVENT.sync:
            now.set(snapshots[snapshot--] as Uint32Array);
            break;
          case EVENT.syncMaybe:
            addAll(now, snapshots[snapshot--] as Uint32Array);
            break;
          case EVENT.leave:
            leaveBy(leaves[n]!, snapshots[snapshot--] as Uint32Array);
            break;
        }
      }
      if (addAll(live[block]!, now)) changed = true;
    }
  }
}
