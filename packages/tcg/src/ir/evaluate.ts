import { ENV } from '../env.ts';
import {
  blockKey,
  changedMode,
  type Block,
  type HelperDef,
  type Inst,
  type MemoryAccess,
  type RecordField,
  type Region,
  type RegisterRef,
  type RmwOp,
  type Target,
  type Terminator,
} from './ir.ts';
import { bitsOf, SEMANTICS } from './semantics.ts';

/**
 * What evaluated code works on. Guest registers live in the vCPU block, as in both tiers, so a state after
 * evaluation can be compared byte by byte.
 */
export interface EvaluatorState {
  /** The vCPU block, little-endian; at least as far as registers and fields in use reach. */
  readonly env: DataView;
  /** Reads guest memory, zero-extended. To fault, set `ENV.fault` in {@link env} and return anything. */
  load(address: bigint, mem: MemoryAccess): bigint;
  store(address: bigint, value: bigint, mem: MemoryAccess): void;
  /** Calls a helper; bit patterns in and out (anything when it has no result). It may set `ENV.fault`. */
  call(helper: HelperDef, args: readonly bigint[], state: EvaluatorState): bigint;
  /** Not interpreter handlers: how far the code is from where it was translated for, a multiple of the page size; default 0. */
  readonly delta?: bigint;
  /** With {@link delta}: width of guest addresses, which wrap; default 64. */
  readonly addressBits?: 32 | 64;
  /** Interpreter handlers: the record's fields, and the instruction's place. */
  readonly record?: {
    readonly fields: Readonly<Partial<Record<RecordField, bigint>>>;
    readonly pc: bigint;
    readonly length: number;
  };
}

/** How evaluation of a block ended. `mode` is the mode word then in force. */
export interface Outcome {
  /**
   * `next`: control goes on at `pc`; `exit`: it goes on at `pc`, through the dispatcher's safe point;
   * `fault`: `ENV.fault` was set by the instruction at `pc`.
   */
  readonly kind: 'next' | 'exit' | 'fault';
  readonly pc: bigint;
  readonly mode: number;
  /** How control left, for tests that look at it. */
  readonly by: Terminator['kind'] | 'fault';
}

const RMW: Record<RmwOp, (old: bigint, value: bigint, bits: number) => bigint> = {
  xchg: (_, v) => v,
  add: (o, v) => o + v,
  and: (o, v) => o & v,
  or: (o, v) => o | v,
  xor: (o, v) => o ^ v,
  min_s: (o, v, n) => (BigInt.asIntN(n, o) < BigInt.asIntN(n, v) ? o : v),
  max_s: (o, v, n) => (BigInt.asIntN(n, o) > BigInt.asIntN(n, v) ? o : v),
  min_u: (o, v, n) => (BigInt.asUintN(n, o) < BigInt.asUintN(n, v) ? o : v),
  max_u: (o, v, n) => (BigInt.asUintN(n, o) > BigInt.asUintN(n, v) ? o : v),
};

/** Offset of a register in the vCPU block. */
export function registerOffset(ref: RegisterRef, state?: EvaluatorState): number {
  const { file, index } = ref;
  if (typeof index === 'number') return file.offset + index * file.stride;
  return file.offset + Number(state?.record?.fields[index] ?? 0n);
}

function loadBytes(env: DataView, offset: number, width: number): bigint {
  switch (width) {
    case 1:
      return BigInt(env.getUint8(offset));
    case 2:
      return BigInt(env.getUint16(offset, true));
    case 4:
      return BigInt(env.getUint32(offset, true));
    default:
      return env.getBigUint64(offset, true);
  }
}

function storeBytes(env: DataView, offset: number, width: number, value: bigint): void {
  for (let i = 0; i < width; i++) env.setUint8(offset + i, Number((value >> BigInt(8 * i)) & 0xffn));
}

/** Index of the `else` or `end` that closes the part that begins after `from`. */
function closing(insts: readonly Inst[], from: number, acceptElse: boolean): number {
  let depth = 0;
  for (let i = from + 1; i < insts.length; i++) {
    const op = insts[i]?.op;
    if (op === 'if') depth++;
    else if (op === 'end' && depth-- === 0) return i;
    else if (op === 'else' && depth === 0 && acceptElse) return i;
  }
  throw new Error('if without end');
}

/**
 * The reference evaluator: what a block means, with exact integers, slowly. Passes and back ends are tested against it.
 * @throws RangeError when the IR divides by zero or overflows a signed division: the front end must guard these.
 */
export function evaluateBlock(block: Block, state: EvaluatorState): Outcome {
  const { insts } = block;
  const { env, record } = state;
  const values: bigint[] = [];
  const delta = state.delta ?? 0n;
  const moved = (at: bigint): bigint =>
    delta === 0n ? at : BigInt.asUintN(state.addressBits ?? 64, at + delta);
  let pc = record?.pc ?? moved(block.pc);
  let following = record === undefined ? pc : record.pc + BigInt(record.length);
  const modeNow = (): number => env.getUint32(ENV.mode, true);
  const faulted = (): boolean => env.getInt32(ENV.fault, true) !== 0;
  const fault = (): Outcome => ({ kind: 'fault', pc, mode: modeNow(), by: 'fault' });

  const place = (target: Target): bigint => {
    if (target === 'next') return following;
    if (typeof target === 'bigint') return moved(target);
    // A target's record field holds the distance in guest bytes in its high half.
    return pc + BigInt.asIntN(32, (record?.fields[target.relative] ?? 0n) >> 32n);
  };
  const leave = (t: Terminator): Outcome => {
    const by = t.kind;
    if ('mode' in t) env.setUint32(ENV.mode, changedMode(modeNow(), t.mode), true);
    const mode = modeNow();
    switch (t.kind) {
      case 'goto':
      case 'call':
        return { kind: 'next', pc: place(t.target), mode, by };
      case 'branch':
        return { kind: 'next', pc: place(values[t.condition] !== 0n ? t.taken : t.notTaken), mode, by };
      case 'indirect':
        return { kind: 'next', pc: values[t.pc] as bigint, mode, by };
      case 'exit':
        return { kind: 'exit', pc: t.pc === 'next' ? following : env.getBigUint64(ENV.pc, true), mode, by };
      case 'unreachable':
        throw new Error('unreachable code reached');
    }
  };

  for (let i = 0; i < insts.length; i++) {
    const inst = insts[i] as Inst;
    const bits = bitsOf(inst.type);
    const a = values[inst.args[0] ?? -1] ?? 0n;
    const b = values[inst.args[1] ?? -1] ?? 0n;
    const c = values[inst.args[2] ?? -1] ?? 0n;
    let result = 0n;
    switch (inst.op) {
      case 'insn':
        if (record === undefined) {
          pc = moved(inst.imm ?? 0n);
          following = moved((inst.imm ?? 0n) + BigInt(inst.width ?? 0));
        }
        break;
      case 'const':
        result = inst.imm ?? 0n;
        break;
      case 'field':
        result = BigInt.asUintN(bits, record?.fields[inst.field as RecordField] ?? 0n);
        break;
      case 'pc':
        result = BigInt.asUintN(bits, (record === undefined ? delta : pc) + (inst.imm ?? 0n));
        break;
      case 'next_pc':
        result = BigInt.asUintN(bits, following);
        break;
      case 'env':
      case 'fence':
      case 'end':
        break;
      case 'get':
        result = loadBytes(env, registerOffset(inst.reg as RegisterRef, state), bits / 8);
        break;
      case 'put':
        storeBytes(env, registerOffset(inst.reg as RegisterRef, state), bits / 8, a);
        break;
      case 'load_env':
        result = loadBytes(env, inst.offset as number, inst.width as number);
        break;
      case 'store_env':
        storeBytes(env, inst.offset as number, inst.width as number, a);
        break;
      case 'if':
        if (a === 0n) i = closing(insts, i, true);
        break;
      case 'else':
        i = closing(insts, i, false);
        break;
      case 'leave':
        return leave(inst.leave as Terminator);
      case 'call':
      case 'call_void': {
        const helper = inst.helper as HelperDef;
        const args = inst.args.map((v) => values[v] as bigint);
        result = BigInt.asUintN(bits, state.call(helper, args, state));
        if (helper.mayFault && faulted()) return fault();
        if (helper.noReturn) throw new Error(`${helper.name} returned`);
        break;
      }
      case 'load':
      case 'store':
      case 'atomic_rmw':
      case 'atomic_cas': {
        const mem = inst.mem as MemoryAccess;
        const narrow = mem.width * 8;
        if (inst.op === 'store') {
          state.store(a, BigInt.asUintN(narrow, b), mem);
          if (faulted()) return fault();
          break;
        }
        const old = BigInt.asUintN(narrow, state.load(a, mem));
        if (faulted()) return fault();
        if (mem.rmw !== undefined) state.store(a, BigInt.asUintN(narrow, RMW[mem.rmw](old, b, narrow)), mem);
        else if (inst.op === 'atomic_cas' && old === BigInt.asUintN(narrow, b))
          state.store(a, BigInt.asUintN(narrow, c), mem);
        if (faulted()) return fault();
        result = mem.signed ? BigInt.asUintN(bits, BigInt.asIntN(narrow, old)) : old;
        break;
      }
      default: {
        const meaning = SEMANTICS[inst.op];
        if (meaning === undefined) throw new Error(`${inst.op} has no meaning here`);
        // Operands' width decides for comparisons, the result's type for the rest: both are the operation's type.
        result = meaning(bits, a, b, c);
      }
    }
    // Skipped parts of an `if` leave holes: values keep their index.
    values[i] = result;
  }
  return leave(block.terminator);
}

/** How to walk a region. */
export interface WalkOptions {
  /** Blocks to walk at most, then an outcome `exit` at the next block's pc; default 10 000. */
  readonly limit?: number;
  /** Called before each block. */
  readonly onBlock?: (key: bigint) => void;
}

/** Walks a region from its entry until control leaves it, by anything but a direct jump or branch to one of its blocks. */
export function evaluateRegion(region: Region, state: EvaluatorState, options: WalkOptions = {}): Outcome {
  let key = region.entry;
  let block = region.blocks.get(key);
  if (block === undefined) throw new Error('region without entry');
  for (let left = options.limit ?? 10_000; ; left--) {
    options.onBlock?.(key);
    const outcome = evaluateBlock(block, state);
    if (outcome.kind !== 'next' || (outcome.by !== 'goto' && outcome.by !== 'branch')) return outcome;
    key = blockKey(
      region,
      BigInt.asUintN(state.addressBits ?? 64, outcome.pc - (state.delta ?? 0n)),
      outcome.mode,
    );
    const next = region.blocks.get(key);
    if (next === undefined) return outcome;
    if (left <= 1) return { ...outcome, kind: 'exit' };
    block = next;
  }
}
