import { ENV } from '../env.ts';
import type { Block, HelperDef, Inst, RegisterRef, Value } from '../ir/ir.ts';
import { renameTerminator } from '../ir/edges.ts';
import { opRow } from '../ir/ops.ts';
import { slotOf, TRACKED_BYTES } from './simplify.ts';

/** Whether a helper may look at (or fault with) guest registers. */
export const observesRegisters = (h: HelperDef): boolean =>
  h.effect === 'registers' || h.mayFault || h.noReturn;

/** Whether only the result of a call matters. */
const isRemovable = (h: HelperDef): boolean => h.effect === 'pure' && !h.mayFault && !h.noReturn;

/** What will be overwritten before it is seen: registers by offset / 4, fields by byte. */
class Overwritten {
  readonly registers = new Uint8Array(TRACKED_BYTES / 4);
  readonly fields = new Uint8Array(TRACKED_BYTES);
  private any = false;

  clear(): void {
    if (!this.any) return;
    this.registers.fill(0);
    this.fields.fill(0);
    this.any = false;
  }
  clearFields(): void {
    if (this.any) this.fields.fill(0);
  }
  setRegister(slot: number): void {
    this.registers[slot >> 2] = 1;
    this.any = true;
  }
  setField(offset: number, width: number): void {
    this.fields.fill(1, offset, offset + width);
    this.any = true;
  }
  copy(from: Overwritten): this {
    if (!from.any) {
      this.clear();
      return this;
    }
    this.registers.set(from.registers);
    this.fields.set(from.fields);
    this.any = true;
    return this;
  }
  meet(other: Overwritten): void {
    if (!this.any) return;
    if (!other.any) return this.clear();
    for (let i = 0; i < TRACKED_BYTES / 4; i++)
      this.registers[i] = (this.registers[i] as number) & (other.registers[i] as number);
    for (let i = 0; i < TRACKED_BYTES; i++)
      this.fields[i] = (this.fields[i] as number) & (other.fields[i] as number);
  }
}

/** An `if` met from behind. */
interface PendingIf {
  readonly end: number;
  middle: number;
  readonly after: Overwritten;
  otherwise: Overwritten | undefined;
  /** Whether anything inside stays. */
  needed: boolean;
}

/**
 * The backward pass: removes values without use, and writes of registers and fields that are overwritten before
 * anything can see them. Seen by: exits, faults (memory accesses, helpers that may raise), helpers.
 * One instance serves many blocks.
 */
export class DeadCode {
  private readonly overwritten = new Overwritten();
  private used = new Uint8Array(1024);
  private renamed = new Int32Array(1024);
  private readonly pending: PendingIf[] = [];
  private readonly spare: Overwritten[] = [];

  /**
   * Removes dead instructions of `block` in place.
   * @param dead offsets of registers that are overwritten on every way behind the block before anything sees them.
   */
  run(block: Block, dead: readonly number[] = []): void {
    const { insts } = block;
    if (this.used.length < insts.length) {
      this.used = new Uint8Array(insts.length * 2);
      this.renamed = new Int32Array(insts.length * 2);
    }
    const { used } = this;
    used.fill(0, 0, insts.length);
    this.pending.length = 0;
    this.overwritten.clear();
    for (const offset of dead) this.overwritten.setRegister(offset);
    const t = block.terminator;
    if (t.kind === 'branch') used[t.condition] = 1;
    else if (t.kind === 'indirect') used[t.pc] = 1;
    let removed = 0;
    for (let i = insts.length - 1; i >= 0; i--) {
      const inst = insts[i] as Inst;
      if (!this.isNeeded(inst, i)) {
        used[i] = 0;
        removed++;
        continue;
      }
      used[i] = 1;
      const { args } = inst;
      for (let k = 0; k < args.length; k++) used[args[k] as Value] = 1;
    }
    if (removed > 0) this.compact(block);
  }

  private isNeeded(inst: Inst, i: number): boolean {
    const { effect } = opRow(inst.op);
    if (effect === 'control') return this.structure(inst, i);
    const needed = this.hasUse(inst, i, effect);
    if (needed && this.pending.length > 0) (this.pending.at(-1) as PendingIf).needed = true;
    return needed;
  }

  private hasUse(inst: Inst, i: number, effect: string): boolean {
    const { overwritten } = this;
    switch (effect) {
      case 'pure':
        return this.used[i] === 1;
      case 'read': {
        if (this.used[i] === 0) return false;
        if (inst.op === 'load_env') {
          const { offset, width } = inst as { offset: number; width: number };
          overwritten.fields.fill(0, offset, offset + width);
          return true;
        }
        const slot = slotOf(inst.reg as RegisterRef);
        if (slot >= 0) overwritten.registers[slot >> 2] = 0;
        else overwritten.clear();
        return true;
      }
      case 'write': {
        if (inst.op === 'store_env') return this.storeIsNeeded(inst.offset as number, inst.width as number);
        const slot = slotOf(inst.reg as RegisterRef);
        if (slot < 0) return true;
        if (overwritten.registers[slot >> 2] === 1) return false;
        overwritten.setRegister(slot);
        return true;
      }
      case 'memory':
        overwritten.clear();
        return true;
      default: {
        const helper = inst.helper as HelperDef;
        if (isRemovable(helper)) return this.used[i] === 1;
        if (observesRegisters(helper)) overwritten.clear();
        else if (helper.effect === 'state') overwritten.clearFields();
        return true;
      }
    }
  }

  private storeIsNeeded(offset: number, width: number): boolean {
    if (offset + width > TRACKED_BYTES) return true;
    // The engine's own fields are watched by others, but for the mode word.
    if (offset < ENV.guest && offset !== ENV.mode) return true;
    const { fields } = this.overwritten;
    let covered = true;
    for (let i = offset; i < offset + width; i++) if (fields[i] === 0) covered = false;
    this.overwritten.setField(offset, width);
    return !covered;
  }

  private structure(inst: Inst, i: number): boolean {
    const top = this.pending.at(-1);
    switch (inst.op) {
      case 'leave':
        if (top !== undefined) top.needed = true;
        this.overwritten.clear();
        if (inst.leave?.kind === 'branch') this.used[inst.leave.condition] = 1;
        else if (inst.leave?.kind === 'indirect') this.used[inst.leave.pc] = 1;
        return true;
      case 'end': {
        const after = (this.spare.pop() ?? new Overwritten()).copy(this.overwritten);
        this.pending.push({ end: i, middle: -1, after, otherwise: undefined, needed: false });
        return true;
      }
      case 'else':
        if (top === undefined) return true;
        top.middle = i;
        top.otherwise = (this.spare.pop() ?? new Overwritten()).copy(this.overwritten);
        this.overwritten.copy(top.after);
        return true;
      case 'if': {
        if (top === undefined) return true;
        this.pending.pop();
        this.spare.push(top.after);
        if (top.otherwise !== undefined) this.spare.push(top.otherwise);
        if (!top.needed) {
          this.used[top.end] = 0;
          if (top.middle >= 0) this.used[top.middle] = 0;
          this.overwritten.copy(top.after);
          return false;
        }
        const outer = this.pending.at(-1);
        if (outer !== undefined) outer.needed = true;
        // Without `else`, the other way goes straight to what follows.
        this.overwritten.meet(top.otherwise ?? top.after);
        return true;
      }
      default:
        return true;
    }
  }

  /** Moves what stays to the front, renaming operands in place. */
  private compact(block: Block): void {
    const { insts } = block;
    const { renamed, used } = this;
    let to = 0;
    let mode = block.mode;
    for (let i = 0; i < insts.length; i++) {
      if (used[i] === 0) continue;
      const inst = insts[i] as Inst;
      if (inst.op === 'if' || inst.helper !== undefined) mode = -1;
      else if (inst.op === 'store_env' && inst.offset === ENV.mode) {
        // What a merged delay slot leaves: the mode word is what it was.
        const stored = insts[renamed[inst.args[0] as Value] as Value] as Inst;
        const now = stored.op === 'const' ? Number(stored.imm) : -1;
        if (now === mode && now !== -1) continue;
        mode = now;
      }
      const args = inst.args as Value[];
      for (let k = 0; k < args.length; k++) args[k] = renamed[args[k] as Value] as Value;
      renamed[i] = to;
      insts[to++] =
        inst.leave === undefined
          ? inst
          : { ...inst, leave: renameTerminator(inst.leave, (v) => renamed[v] as Value) };
    }
    insts.length = to;
    block.terminator = renameTerminator(block.terminator, (v) => renamed[v] as Value);
  }
}
