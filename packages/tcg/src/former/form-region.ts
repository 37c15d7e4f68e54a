import type { CodeReader, Decoded, FrontEnd, InstructionDef, Operand } from '../front-end.ts';
import { ENV, PAGE_BITS, PAGE_SIZE } from '../env.ts';
import { Builder } from '../ir/builder.ts';
import { moveValues, renameTerminator, visitEdges } from '../ir/edges.ts';
import { blockKey, changedMode, type Block, type Inst, type Region, type Terminator } from '../ir/ir.ts';
import { PageReader, pageOf, type CodePage, type CodeSource } from './code-source.ts';
import { resolveIndirect } from './resolve-indirect.ts';

/** How large a region may become. V8's optimiser takes over 100 ms above about 7 000 instructions. */
export interface FormerLimits {
  /** Default 350. */
  readonly blocks?: number;
  /** Guest instructions; default 1500. */
  readonly instructions?: number;
  /** Pages; each beyond the first costs a check at every entry. Default 16. */
  readonly pages?: number;
}

/** A block being formed. */
interface Draft {
  block: Block;
  /** The terminator as translated: what the block resolved it to may rest on instructions that a split takes away. */
  unresolved: Terminator;
  /** Where its instructions begin in `insts`, by key: places to split it at. The first is not in it. */
  starts: Map<bigint, number>;
}

/** Instructions that follow each other through `goto next` with a mode change, at most: a delay slot needs one. */
const MODE_CHAIN = 4;

class Former {
  private readonly frontEnd: FrontEnd;
  private readonly source: CodeSource;
  private readonly region: Region;
  private readonly drafts = new Map<bigint, Draft>();
  /** Instruction start inside a block -> key of that block. */
  private readonly inside = new Map<bigint, bigint>();
  private readonly queue: { pc: bigint; mode: number }[] = [];
  private readonly seenPages = new Map<bigint, CodePage | undefined>();
  private readonly reader: PageReader;
  private readonly decoded: Decoded = { def: 0, length: 0, operands: [] };
  private readonly mmuIndex: number;
  private readonly addressBits: 32 | 64;
  private readonly limits: Required<FormerLimits>;
  private instructions = 0;

  constructor(frontEnd: FrontEnd, source: CodeSource, entry: bigint, mode: number, limits: FormerLimits) {
    this.frontEnd = frontEnd;
    this.source = source;
    this.region = { entry, mode, blocks: new Map(), pages: new Map(), modeUsed: 0 };
    this.reader = new PageReader(frontEnd.bigEndian);
    this.mmuIndex = frontEnd.mmuIndex(mode);
    this.addressBits = frontEnd.addressType === 'i32' ? 32 : 64;
    this.limits = { blocks: 350, instructions: 1500, pages: 16, ...limits };
  }

  run(): Region | undefined {
    this.queue.push({ pc: this.region.entry, mode: this.region.mode });
    for (let i = 0; i < this.queue.length; i++) {
      const { pc, mode } = this.queue[i] as { pc: bigint; mode: number };
      const key = blockKey(this.region, pc, mode);
      if (this.drafts.has(key)) continue;
      const outer = this.inside.get(key);
      if (outer !== undefined && this.split(outer, key, pc)) continue;
      if (i > 0 && !this.wanted(pc, mode)) continue;
      this.build(key, pc, mode);
    }
    if (!this.drafts.has(this.region.entry)) return undefined;
    this.keepReachable();
    return this.region;
  }

  /** A split can undo what made a block reachable. */
  private keepReachable(): void {
    const keys = [this.region.entry];
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
      const draft = this.drafts.get(key);
      if (draft === undefined || this.region.blocks.has(key)) continue;
      this.region.blocks.set(key, draft.block);
      visitEdges(this.region, draft.block, (to) => keys.push(to));
    }
  }

  private full(): boolean {
    return this.drafts.size >= this.limits.blocks || this.instructions >= this.limits.instructions;
  }

  private wanted(pc: bigint, mode: number): boolean {
    if (this.full() || this.frontEnd.mmuIndex(mode) !== this.mmuIndex) return false;
    return this.source.executed?.(pc, mode) ?? true;
  }

  /** Bytes of a page, with the region's limit on pages; remembers its mapping. */
  private page(number: bigint, mode: number): CodePage | undefined {
    if (this.seenPages.has(number)) return this.seenPages.get(number);
    const page = this.region.pages.size >= this.limits.pages ? undefined : this.source.page(number, mode);
    this.seenPages.set(number, page);
    return page;
  }

  /** Decodes the instruction at `pc`; false when its bytes can't be seen. */
  private decode(pc: bigint, mode: number): boolean {
    const number = pageOf(pc);
    const first = this.page(number, mode);
    if (first === undefined) return false;
    const offset = Number(pc & BigInt(PAGE_SIZE - 1));
    const near = offset + this.frontEnd.maxLength > PAGE_SIZE;
    const following = BigInt.asUintN(this.addressBits - PAGE_BITS, number + 1n);
    this.reader.move(first.bytes, undefined, offset, this.frontEnd.maxLength);
    let whole = this.frontEnd.decode(this.reader as CodeReader, pc, mode, this.decoded);
    if (!whole && near) {
      const second = this.page(following, mode);
      if (second === undefined) return false;
      this.reader.move(first.bytes, second.bytes, offset, this.frontEnd.maxLength);
      whole = this.frontEnd.decode(this.reader as CodeReader, pc, mode, this.decoded);
      if (whole) this.region.pages.set(following, second.physical);
    }
    if (whole) this.region.pages.set(number, first.physical);
    return whole;
  }

  private translate(b: Builder, pc: bigint): void {
    const def = this.frontEnd.instructions[this.decoded.def] as InstructionDef;
    const operands: Record<string, Operand> = {};
    let i = 0;
    for (const name in def.operands) operands[name] = this.decoded.operands[i++] as Operand;
    b.begin({ pc, length: this.decoded.length });
    def.translate(b, operands);
    this.region.modeUsed = (this.region.modeUsed ?? 0) | b.modeUsed;
    this.instructions++;
  }

  private build(key: bigint, pc: bigint, mode: number): void {
    const { addressType } = this.frontEnd;
    let b = new Builder({ record: false, mode, addressType });
    const starts = new Map<bigint, number>();
    const start = pc;
    let at = pc;
    /** Instructions of earlier builders, each for another mode. */
    let before: Inst[] = [];
    let beforeCount = 0;
    let chain = 0;
    /** The last mode change that was merged, to take it back. */
    let merged:
      | { readonly length: number; readonly count: number; readonly by: Terminator; readonly mode: number }
      | undefined;
    for (;;) {
      const here = blockKey(this.region, at, b.mode);
      const first = before.length + b.insts.length === 0;
      if (
        !first &&
        b.mode === mode &&
        (this.drafts.has(here) || here === key || this.inside.has(here) || starts.has(here))
      ) {
        b.end({ kind: 'goto', target: at });
        this.enqueue(at, b.mode);
        break;
      }
      if (
        (!first && this.instructions >= this.limits.instructions && b.mode === mode) ||
        !this.decode(at, b.mode)
      ) {
        // In another mode than the block's: the mode change goes back to the edge.
        if (first) return;
        b.end({ kind: 'goto', target: at });
        break;
      }
      if (!first && b.mode === mode) starts.set(here, before.length + b.insts.length);
      this.translate(b, at);
      at = BigInt.asUintN(this.addressBits, at + BigInt(this.decoded.length));
      const t = b.terminator;
      if (merged !== undefined && b.mode !== mode && b.insts.some((inst) => inst.op === 'leave')) {
        // Its `leave`s would have to say which mode they leave: it stays a block of its own.
        const { length, count, by } = merged;
        b = new Builder({ record: false, mode: merged.mode, addressType });
        before.length = length;
        beforeCount = count;
        b.terminator = by;
        break;
      }
      if (t === undefined) continue;
      if (t.kind !== 'goto' || t.mode === undefined || t.target !== at || ++chain > MODE_CHAIN) break;
      const next = changedMode(b.mode, t.mode);
      if (this.frontEnd.mmuIndex(next) !== this.mmuIndex) break;
      // A delay slot and the like: the next instruction joins the block, under its own mode word.
      moveValues(b.insts, before.length);
      before = before.concat(b.insts);
      beforeCount += b.instructions;
      merged = { length: before.length, count: beforeCount, by: t, mode: b.mode };
      this.storeMode(before, next);
      b = new Builder({ record: false, mode: next, addressType });
    }
    if (before.length > 0) moveValues(b.insts, before.length);
    const offset = before.length;
    const block: Block = {
      pc: start,
      mode,
      insts: before.length === 0 ? b.insts : before.concat(b.insts),
      terminator: renameTerminator(b.terminator as Terminator, (v) => v + offset),
      instructions: beforeCount + b.instructions,
    };
    if (before.length > 0) this.closeModes(block, b.mode);
    const unresolved = block.terminator;
    block.terminator = resolveIndirect(block);
    this.drafts.set(key, { block, unresolved, starts });
    for (const k of starts.keys()) this.inside.set(k, key);
    visitEdges(this.region, block, (_, _kind, _from, to, toMode) =>
      this.enqueue(BigInt.asUintN(this.addressBits, to), toMode),
    );
  }

  private enqueue(pc: bigint, mode: number): void {
    this.queue.push({ pc, mode });
  }

  private storeMode(insts: Inst[], mode: number): void {
    insts.push({ op: 'const', type: 'i32', args: [], imm: BigInt(mode) });
    insts.push({ op: 'store_env', type: 'i32', args: [insts.length - 1], offset: ENV.mode, width: 4 });
  }

  /**
   * The block's last instruction ran under mode `last`, but edges are understood relative to the block's own mode:
   * stores the final mode word and states the change from the block's mode.
   */
  private closeModes(block: Block, last: number): void {
    const t = block.terminator;
    if (t.kind === 'exit' || t.kind === 'unreachable') return;
    const final = changedMode(last, t.mode);
    if (final !== last) this.storeMode(block.insts, final);
    const { mode: _, ...rest } = t;
    const change = { set: final & ~block.mode, clear: block.mode & ~final };
    block.terminator = (final === block.mode ? rest : { ...rest, mode: change }) as Terminator;
  }

  /** Splits a block at one of its instructions. @returns false when the halves share a value. */
  private split(outerKey: bigint, key: bigint, pc: bigint): boolean {
    const outer = this.drafts.get(outerKey) as Draft;
    const at = outer.starts.get(key) as number;
    const { block } = outer;
    const tail = block.insts.slice(at);
    const own = (v: number): boolean => v >= at;
    const t = outer.unresolved;
    const shares =
      (t.kind === 'branch' && !own(t.condition)) ||
      (t.kind === 'indirect' && !own(t.pc)) ||
      tail.some((inst) => !inst.args.every(own));
    if (shares || this.drafts.size >= this.limits.blocks) return false;
    moveValues(tail, -at);
    const head = block.insts.slice(0, at);
    const instructions = head.reduce((n, inst) => (inst.op === 'insn' ? n + 1 : n), 0);
    const unresolved = renameTerminator(t, (v) => v - at);
    const second: Draft = {
      block: {
        pc,
        mode: block.mode,
        insts: tail,
        terminator: unresolved,
        instructions: block.instructions - instructions,
      },
      unresolved,
      starts: new Map(),
    };
    second.block.terminator = resolveIndirect(second.block);
    for (const [k, start] of outer.starts) {
      if (start < at) continue;
      outer.starts.delete(k);
      this.inside.delete(k);
      if (start === at) continue;
      second.starts.set(k, start - at);
      this.inside.set(k, key);
    }
    outer.unresolved = { kind: 'goto', target: pc };
    outer.block = { ...block, insts: head, terminator: outer.unresolved, instructions };
    this.drafts.set(key, second);
    return true;
  }
}

/**
 * Translates the guest code that can be reached from `entry` without entering a call: blocks in breadth-first order,
 * and behind calls where they return to. It ends at pages that `source` does not show, at computed jumps and
 * `exit`s, at places in another MMU index and at the limits; edges to such places leave the region.
 * @returns undefined when the first instruction can't be read.
 * Cost: decoding and translating each instruction once.
 */
export const formRegion = (
  frontEnd: FrontEnd,
  source: CodeSource,
  entry: bigint,
  mode: number,
  limits: FormerLimits = {},
): Region | undefined => new Former(frontEnd, source, entry, mode, limits).run();
