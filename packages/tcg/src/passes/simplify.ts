import { ENV } from '../env.ts';
import type { Block, HelperDef, Inst, RegisterRef, Terminator, Value } from '../ir/ir.ts';
import { opRow, type ValueType } from '../ir/ops.ts';
import { Rewriter } from './rewriter.ts';
import { condition } from './rules.ts';

/** Parts of the forward pass. */
export interface SimplifyOptions {
  /** Constant folding, algebra, known bits, terminators. */
  readonly fold: boolean;
  /** Registers and fields of the vCPU block are read once and followed through writes. */
  readonly forward: boolean;
  /** Code whose addresses are known up to the page where it runs: not an interpreter handler. */
  readonly placed?: boolean;
}

/** A register known to hold a constant, or an address of the code. */
export interface RegisterConstant {
  readonly op: 'const' | 'pc';
  /** Offset in the vCPU block. */
  readonly offset: number;
  readonly type: ValueType;
  readonly imm: bigint;
}

/** Bytes of the vCPU block that registers and followed fields lie in. */
export const TRACKED_BYTES = 0x1000;
const UNKNOWN = -1;

/** Offset of a register's slot, or -1: not fixed (interpreter) or outside what is tracked. */
export function slotOf(reg: RegisterRef): number {
  if (typeof reg.index !== 'number') return UNKNOWN;
  const offset = reg.file.offset + reg.index * reg.file.stride;
  return offset < TRACKED_BYTES ? offset : UNKNOWN;
}

/**
 * Fields of the engine's part that only this vCPU's translated code and its helpers write. The rest of that part
 * changes under the code's feet: other threads, slow accesses.
 */
const OWN_FIELDS = new Set<number>([ENV.mode, ENV.fpFlags, ENV.fpOptions]);
const isStable = (offset: number): boolean =>
  (offset >= ENV.guest && offset < TRACKED_BYTES) || OWN_FIELDS.has(offset);

/** A field of the vCPU block whose value is known. */
interface KnownField {
  readonly offset: number;
  readonly width: number;
  readonly type: ValueType;
  readonly value: Value;
}

/** What is known of registers (by offset / 4) and fields at one point. */
interface Known {
  readonly registers: Int32Array;
  fields: KnownField[];
}

const emptyKnown = (): Known => ({ registers: new Int32Array(TRACKED_BYTES / 4), fields: [] });

interface OpenIf {
  /** Index of the `if` in the new instructions: values behind it vanish at its end. */
  readonly start: number;
  readonly atStart: Known;
  /** Known at the end of the first part. */
  afterThen: Known | undefined;
  /** Whether the first part, and the part now open, left the block. */
  thenLeft: boolean;
  left: boolean;
}

/**
 * The forward pass: walks a block once, renames operands, folds, and replaces reads of what is known. One instance
 * serves many blocks; nothing but instructions is allocated per block.
 */
export class Simplifier {
  private readonly rewriter = new Rewriter();
  private readonly known: Known = emptyKnown();
  /** Snapshots that are not in use: guests with an `if` in most instructions need many. */
  private readonly spare: Known[] = [];
  private renamed = new Int32Array(1024);
  private readonly open: OpenIf[] = [];
  /** Registers that a predecessor left constant, as long as nothing wrote them. */
  private incoming = new Map<number, RegisterConstant>();
  private options: SimplifyOptions = { fold: true, forward: true };

  /**
   * Rewrites `block` in place. Its instructions are used up: keep no reference to them.
   * @param constants registers known to be constant at its start.
   */
  run(block: Block, options: SimplifyOptions, constants: readonly RegisterConstant[] = []): void {
    const { insts } = block;
    this.options = options;
    this.open.length = 0;
    this.rewriter.start();
    this.rewriter.facts.placed = options.placed === true;
    this.known.registers.fill(UNKNOWN);
    this.known.fields = [];
    this.incoming.clear();
    for (const c of constants) this.incoming.set(c.offset, c);
    if (this.renamed.length < insts.length) this.renamed = new Int32Array(insts.length * 2);
    for (let i = 0; i < insts.length; i++) {
      const skip = this.visit(insts, i);
      if (skip > i) i = skip;
    }
    const terminator = this.terminator(block.terminator);
    block.insts = this.rewriter.out;
    block.terminator = terminator;
  }

  /** Registers that hold constants, or addresses of the code, at the end of the block that was run last. */
  constants(): RegisterConstant[] {
    const found: RegisterConstant[] = [];
    const { registers } = this.known;
    for (let offset: number = ENV.guest; offset < TRACKED_BYTES; offset += 4) {
      const v = registers[offset / 4] as number;
      if (v === UNKNOWN) continue;
      const { op, type, imm } = this.rewriter.inst(v);
      if (op === 'pc' || this.rewriter.facts.constant[v] === 1)
        found.push({ op: op === 'pc' ? op : 'const', offset, type, imm: imm as bigint });
    }
    for (const c of this.incoming.values()) found.push(c);
    return found;
  }

  private rename(v: Value): Value {
    return this.renamed[v] as Value;
  }

  /** @returns the index to go on behind. */
  private visit(insts: readonly Inst[], i: number): number {
    const inst = insts[i] as Inst;
    const args = inst.args as Value[];
    for (let k = 0; k < args.length; k++) args[k] = this.renamed[args[k] as Value] as Value;
    const { effect } = opRow(inst.op);
    switch (effect) {
      case 'pure':
        this.renamed[i] = this.options.fold ? this.rewriter.add(inst) : this.rewriter.append(inst);
        return i;
      case 'read':
        this.renamed[i] = inst.op === 'get' ? this.get(inst) : this.loadEnv(inst);
        return i;
      case 'write':
        if (inst.op === 'put') this.put(inst);
        else this.storeEnv(inst);
        return i;
      case 'memory':
        this.renamed[i] = this.rewriter.append(this.options.fold ? this.store(inst) : inst);
        return i;
      case 'call':
        this.renamed[i] = this.rewriter.append(inst);
        this.called(inst.helper as HelperDef);
        return i;
      case 'control':
        return this.control(insts, i, inst);
    }
  }

  // --- registers and fields

  private get(inst: Inst): Value {
    const slot = slotOf(inst.reg as RegisterRef);
    if (slot === UNKNOWN || !this.options.forward) return this.rewriter.append(inst);
    const before = this.known.registers[slot / 4] as Value;
    if (before !== UNKNOWN) return before;
    const constant = this.incoming.get(slot);
    const v =
      constant !== undefined && constant.type === inst.type
        ? this.rewriter.append({ op: constant.op, type: inst.type, args: [], imm: constant.imm })
        : this.rewriter.append(inst);
    this.known.registers[slot / 4] = v;
    return v;
  }

  private put(inst: Inst): void {
    const slot = slotOf(inst.reg as RegisterRef);
    const value = inst.args[0] as Value;
    if (!this.options.forward) {
      this.rewriter.append(inst);
      return;
    }
    if (slot === UNKNOWN) {
      // Which register it is isn't known: any may have changed.
      this.known.registers.fill(UNKNOWN);
      this.incoming.clear();
    } else if (this.known.registers[slot / 4] === value) return;
    else {
      this.known.registers[slot / 4] = value;
      this.incoming.delete(slot);
    }
    this.rewriter.append(inst);
  }

  private loadEnv(inst: Inst): Value {
    const { offset, width, type } = inst as { offset: number; width: number; type: ValueType };
    if (!this.options.forward || !isStable(offset)) return this.rewriter.append(inst);
    for (const f of this.known.fields)
      if (f.offset === offset && f.width === width && f.type === type) return f.value;
    const value = this.rewriter.append(inst);
    this.known.fields.push({ offset, width, type, value });
    return value;
  }

  private storeEnv(inst: Inst): void {
    const { offset, width, type } = inst as { offset: number; width: number; type: ValueType };
    const value = inst.args[0] as Value;
    if (this.options.forward) {
      const { fields } = this.known;
      if (fields.some((f) => f.offset === offset && f.width === width && f.value === value)) return;
      if (fields.length > 0)
        this.known.fields = fields.filter((f) => f.offset + f.width <= offset || f.offset >= offset + width);
      // A narrow load gives the value's low part only: known when nothing is cut off.
      const whole = width === (type === 'i32' ? 4 : 8);
      if (isStable(offset) && whole) this.known.fields.push({ offset, width, type, value });
    }
    this.rewriter.append(inst);
  }

  private called(helper: HelperDef): void {
    if (helper.effect === 'pure') return;
    this.known.fields = [];
    if (helper.effect !== 'registers') return;
    this.known.registers.fill(UNKNOWN);
    this.incoming.clear();
  }

  // --- memory

  /** A narrow store needs no extension or mask of its value's upper part. */
  private store(inst: Inst): Inst {
    if (inst.op !== 'store' || (inst.mem?.width ?? 8) > 4) return inst;
    const r = this.rewriter;
    const args = inst.args as Value[];
    const value = r.inst(args[1] as Value);
    if (value.op === 'extend32_s' || value.op === 'extend32_u') args[1] = value.args[0] as Value;
    return inst;
  }

  // --- structure

  private snapshot(): Known {
    const copy = this.spare.pop() ?? emptyKnown();
    copy.registers.set(this.known.registers);
    copy.fields = this.known.fields.slice();
    return copy;
  }

  private control(insts: readonly Inst[], i: number, inst: Inst): number {
    const r = this.rewriter;
    const top = this.open.at(-1);
    switch (inst.op) {
      case 'if': {
        const args = inst.args as Value[];
        if (this.options.fold) {
          args[0] = condition(r, args[0] as Value);
          const skip = this.constantIf(insts, i, args[0] as Value);
          if (skip !== UNKNOWN) return skip;
        }
        const start = r.append(inst);
        this.open.push({
          start,
          atStart: this.snapshot(),
          afterThen: undefined,
          thenLeft: false,
          left: false,
        });
        return i;
      }
      case 'else':
        if (top !== undefined) {
          top.afterThen = this.snapshot();
          top.thenLeft = top.left;
          top.left = false;
          this.restore(top.atStart);
        }
        r.append(inst);
        return i;
      case 'end':
        if (top !== undefined) {
          this.open.pop();
          const [thenEnd, otherEnd] =
            top.afterThen === undefined ? [this.snapshot(), top.atStart] : [top.afterThen, this.snapshot()];
          const [thenLeft, otherLeft] =
            top.afterThen === undefined ? [top.left, false] : [top.thenLeft, top.left];
          this.meet(thenLeft ? otherEnd : thenEnd, otherLeft ? thenEnd : otherEnd, top.start);
          this.spare.push(thenEnd, otherEnd);
          if (top.afterThen !== undefined) this.spare.push(top.atStart);
        }
        r.append(inst);
        return i;
      case 'leave':
        if (top !== undefined) top.left = true;
        r.append({ ...inst, leave: this.terminator(inst.leave as Terminator) });
        return i;
      default:
        r.append(inst);
        return i;
    }
  }

  /** An `if` on a constant: drops what is not executed. @returns the index to go on behind, -1 when it must stay. */
  private constantIf(insts: readonly Inst[], at: number, value: Value): number {
    const { facts } = this.rewriter;
    if (facts.constant[value] === 0) return UNKNOWN;
    let depth = 0;
    let middle = UNKNOWN;
    let end = at + 1;
    // Outside an `if` there is no leaving: a part that may leave keeps its frame.
    let leaves = false;
    let thenLeaves = false;
    for (; ; end++) {
      const { op } = insts[end] as Inst;
      if (op === 'if') depth++;
      else if (op === 'else' && depth === 0) {
        middle = end;
        thenLeaves = leaves;
        leaves = false;
      } else if (op === 'end' && depth-- === 0) break;
      else if (op === 'leave' && depth === 0) leaves = true;
    }
    const taken = !facts.is(value, 0);
    if (middle === UNKNOWN ? taken && leaves : taken ? thenLeaves : leaves) return UNKNOWN;
    const from = taken ? at + 1 : middle === UNKNOWN ? end : middle + 1;
    const to = taken && middle !== UNKNOWN ? middle : end;
    for (let i = from; i < to; i++) {
      const skip = this.visit(insts, i);
      if (skip > i) i = skip;
    }
    return end;
  }

  private restore(from: Known): void {
    this.known.registers.set(from.registers);
    this.known.fields = from.fields.slice();
  }

  /** Keeps what both say, of values that are visible behind the `if` that began at `start`. */
  private meet(a: Known, b: Known, start: number): void {
    const { registers } = this.known;
    for (let i = ENV.guest / 4; i < TRACKED_BYTES / 4; i++) {
      const v = a.registers[i] as number;
      registers[i] = v < start && v === b.registers[i] ? v : UNKNOWN;
    }
    this.known.fields = a.fields.filter(
      (f) =>
        f.value < start &&
        b.fields.some(
          (g) => g.offset === f.offset && g.width === f.width && g.type === f.type && g.value === f.value,
        ),
    );
  }

  // --- ends

  private terminator(t: Terminator): Terminator {
    if (t.kind === 'branch') return this.branch({ ...t, condition: this.rename(t.condition) });
    if (t.kind !== 'indirect') return t;
    const pc = this.rename(t.pc);
    const renamed = { ...t, pc };
    if (!this.options.fold) return renamed;
    const r = this.rewriter;
    const inst = r.inst(pc);
    const mode = t.mode === undefined ? {} : { mode: t.mode };
    // A constant is no place in code that may run at any address.
    const isPlace = (v: Value): boolean => r.facts.placed && r.inst(v).op === 'pc';
    if (isPlace(pc) && t.hint !== 'return') {
      const target = inst.imm as bigint;
      return t.hint === 'call' ? { kind: 'call', target, ...mode } : { kind: 'goto', target, ...mode };
    }
    if (inst.op === 'select' && t.hint === 'jump') {
      const [c, a, b] = inst.args as [Value, Value, Value];
      if (isPlace(a) && isPlace(b)) {
        const taken = r.inst(a).imm as bigint;
        return this.branch({
          kind: 'branch',
          condition: c,
          taken,
          notTaken: r.inst(b).imm as bigint,
          ...mode,
        });
      }
    }
    return renamed;
  }

  /** A branch with a plain condition; a `goto` when it always goes one way. */
  private branch(t: Terminator & { kind: 'branch' }): Terminator {
    if (!this.options.fold) return t;
    const r = this.rewriter;
    const mode = t.mode === undefined ? {} : { mode: t.mode };
    const c = condition(r, t.condition);
    if (t.taken === t.notTaken) return { kind: 'goto', target: t.taken, ...mode };
    if (r.facts.constant[c] === 1)
      return { kind: 'goto', target: r.facts.is(c, 0) ? t.notTaken : t.taken, ...mode };
    const inst = r.inst(c);
    if (inst.op === 'eqz' && inst.type === 'i32')
      return this.branch({ ...t, condition: inst.args[0] as Value, taken: t.notTaken, notTaken: t.taken });
    return { ...t, condition: c };
  }
}
