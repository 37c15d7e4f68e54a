import { ENV, EXIT, FETCH, FETCH_ENTRIES, PAGE_BITS, PAGE_SIZE } from '../env.ts';
import type { FrontEnd } from '../front-end.ts';
import { changedMode, type Block, type Inst, type Region, type Target, type Terminator } from '../ir/ir.ts';
import { importHelpers } from '../lower/import-helpers.ts';
import { Lowerer } from '../lower/lowerer.ts';
import { HANDLER, RECORD, recordShift } from '../record.ts';
import { FunctionWriter } from '../wasm/function-writer.ts';
import { ModuleWriter } from '../wasm/module-writer.ts';
import { W } from '../wasm/opcodes.ts';
import { buildFlowGraph, type FlowGraph } from './flow-graph.ts';
import {
  analyseRegisters,
  blockNumbers,
  exitsOf,
  nextOf,
  type BlockNumber,
  type RegisterFlow,
} from './register-flow.ts';
import { RegionPlace } from './region-place.ts';

export interface RegionOptions {
  /** Count instructions: each block takes its number from the budget first, or returns EXIT.budget. */
  readonly counting?: boolean;
  /** Guest calls nested as wasm calls, at most; default 1000. V8's default stack holds 2000 to 4000. */
  readonly callDepth?: number;
  /** Address of the one vCPU block that the region will run with: shorter address checks. Left out: any. */
  readonly env?: number;
  /** It runs at the virtual address that it was translated for only, and is left with EXIT.stale at others: faster calls. */
  readonly fixed?: boolean;
}

/**
 * Writes a region as one wasm module that exports `region(env: i32) -> i32` ({@link EXIT}). It runs wherever env.pc
 * says that its entry is: at any virtual address that leads to the same pages, side by side as they were. Guest registers live in
 * locals, control flow is structured by the dominator tree. Blocks that can't be reached are left out.
 * @throws Error on IR that a verifier would refuse.
 */
export function emitRegion(
  region: Region,
  frontEnd: FrontEnd,
  options: RegionOptions = {},
): Uint8Array<ArrayBuffer> {
  return new RegionWriter(region, frontEnd, options).write();
}

const pageAddress = (pc: bigint): bigint => pc & ~BigInt(PAGE_SIZE - 1);
/** All bits of a mode word. */
const WHOLE_MODE = PAGE_SIZE - 1;

class RegionWriter {
  private readonly region: Region;
  private readonly frontEnd: FrontEnd;
  private readonly counting: boolean;
  private readonly callDepth: number;
  private readonly fixed: boolean;
  private readonly modeMask: number;
  private readonly blocks: readonly Block[];
  private readonly number: BlockNumber;
  private readonly module = new ModuleWriter();
  private readonly f = new FunctionWriter();
  private readonly graph: FlowGraph;
  private readonly flow: RegisterFlow;
  private readonly place: RegionPlace;
  private readonly lowerer: Lowerer;
  private readonly type: number;
  /** Node is the target of a branch backward, or of two forward (counted twice: must be a label). */
  private readonly isLoop: Uint8Array;
  private readonly forwardEdges: Int32Array;
  private readonly children: readonly number[][];
  private readonly loopLevel: Int32Array;
  private readonly blockLevel: Int32Array;
  private readonly dispatchVariable: number;
  private readonly record: number;
  private readonly scratch: number;
  private readonly depth: number;
  private tail = 0;
  private tailUsed = false;
  /** Block that is being written. */
  private current = 0;

  constructor(region: Region, frontEnd: FrontEnd, options: RegionOptions) {
    this.region = region;
    this.frontEnd = frontEnd;
    this.counting = options.counting ?? false;
    this.fixed = options.fixed ?? false;
    this.callDepth = options.callDepth ?? 1000;
    this.modeMask = frontEnd.modeMask ?? WHOLE_MODE;
    this.blocks = [...region.blocks.values()];
    this.number = blockNumbers(region);
    const { module, f } = this;
    module.importMemory('m', 'memory');
    module.importTable('m', 'table');
    importHelpers(module, this.blocks);
    if (region.pages.size > 1) this.importFetchCheck();
    this.type = module.type(['i32'], ['i32']);
    f.begin(['i32']);

    const edges = blockEdges(this.blocks, this.number);
    const graph = buildFlowGraph(edges.successors);
    this.graph = graph;
    const nodes = graph.successors.length;
    this.isLoop = new Uint8Array(nodes);
    this.forwardEdges = new Int32Array(nodes);
    const children: number[][] = graph.successors.map(() => []);
    for (const node of graph.order) {
      if (node !== 0) children[graph.dominator[node]!]!.push(node);
      for (const to of graph.successors[node]!) {
        if (graph.position[to]! <= graph.position[node]!) this.isLoop[to] = 1;
        else this.forwardEdges[to]! += node >= this.blocks.length ? 2 : 1;
      }
    }
    // The targets of leaves are labels: they are branched to from inside a block's own `if`s.
    edges.leaves.forEach((to) => (this.forwardEdges[graph.via[to]! >= 0 ? graph.via[to]! : to]! += 2));
    this.children = children;
    this.loopLevel = new Int32Array(nodes);
    this.blockLevel = new Int32Array(nodes);

    this.flow = analyseRegisters(this.blocks, this.number, (i) => this.counting || this.checksExit(i));
    this.place = new RegionPlace(
      module,
      f,
      this.flow,
      {
        mmuIndex: frontEnd.mmuIndex(region.mode),
        entry: region.entry,
        addressType: frontEnd.addressType,
        fixed: options.fixed === true,
      },
      options.env,
      (t, insn, values) => this.terminate(t, insn, values),
    );
    this.lowerer = new Lowerer(f, this.place);
    this.dispatchVariable = f.local('i32');
    this.record = f.local('i32');
    this.scratch = f.local('i32');
    this.depth = f.local('i32');
  }

  /** A loop's header, or an entry of an irreducible loop. */
  private checksExit(block: number): boolean {
    return this.isLoop[block] === 1 || this.graph.via[block]! >= 0;
  }

  write(): Uint8Array<ArrayBuffer> {
    const { f, place, module } = this;
    if (this.fixed) this.checkEntry();
    place.enter(f);
    this.checkMode();
    this.place.env(f);
    f.memory(W.i32Load, ENV.exitRequest);
    f.if(undefined, false);
    this.returnCode(EXIT.unwind);
    f.end();
    this.checkPages();
    place.load(f, this.flow.live[0]!);
    this.tail = f.block();
    place.commonExit = f.block();
    this.tree(0);
    f.op(W.unreachable);
    f.end();
    if (place.commonExitUsed) {
      place.writeBack(f, this.flow.common);
      f.get(place.exitCode);
      f.return();
    } else f.op(W.unreachable);
    f.end();
    if (this.tailUsed) this.writeTail();
    else f.op(W.unreachable);
    module.exportFunction('region', module.addFunction(this.type, f));
    return module.finish();
  }

  /** Pushes the fetch TLB's tag of a known page in a mode of which the bits in the mask are known. */
  private pushTag(pc: bigint, mode: number): void {
    const { f } = this;
    if (this.modeMask === WHOLE_MODE) return this.place.envPc(f, pageAddress(pc) | BigInt(mode));
    this.place.envPc(f, pageAddress(pc));
    this.place.env(f);
    f.memory(W.i64Load32U, ENV.mode);
    f.op(W.i64Or);
  }

  private importFetchCheck(): number {
    return this.module.importFunction('softmmu', 'fetch_check', ['i32', 'i64', 'i32'], ['i32']);
  }

  private returnCode(code: number): void {
    this.f.i32(code);
    this.f.return();
  }

  /** Addresses in it are absolute: it may have been entered elsewhere. */
  private checkEntry(): void {
    const { f } = this;
    this.place.env(f);
    f.memory(W.i64Load, ENV.pc);
    this.place.envPc(f, this.region.entry);
    f.op(W.i64Ne);
    f.if(undefined, false);
    this.returnCode(EXIT.stale);
    f.end();
  }

  /**
   * The mode in force must agree in all bits that the region depends on; elsewhere the instruction is executed by
   * itself, as where a budget is too small for a block. Callers leave this to the region: here it is constant.
   */
  private checkMode(): void {
    const { f, region } = this;
    const mask = this.modeMask | (region.modeUsed ?? 0);
    this.place.env(f);
    f.memory(W.i32Load, ENV.mode);
    f.i32(mask);
    f.op(W.i32And);
    f.i32(region.mode & mask);
    f.op(W.i32Ne);
    f.if(undefined, false);
    this.returnCode(EXIT.budget);
    f.end();
  }

  /** Pages beyond the entry's must be mapped as they were when their code was read. */
  private checkPages(): void {
    const { f, region } = this;
    const entryPage = region.entry >> BigInt(PAGE_BITS);
    for (const [page, physical] of region.pages) {
      if (page === entryPage) continue;
      const va = page << BigInt(PAGE_BITS);
      const ok = f.block();
      const at = this.place.fetchEntry(f, va);
      f.tee(this.record);
      f.memory(W.i64Load, at + FETCH.tag);
      this.pushTag(va, region.mode);
      f.op(W.i64Eq);
      f.get(this.record);
      f.memory(W.i32Load, at + FETCH.page);
      f.i32(physical | 0);
      f.op(W.i32Eq);
      f.op(W.i32And);
      f.brIf(ok, true);
      this.place.env(f);
      this.place.envPc(f, va);
      f.i32(physical | 0);
      f.call(this.importFetchCheck());
      f.brIf(ok, true);
      this.returnCode(EXIT.stale);
      f.end();
    }
  }

  // --- structure: a node, then what it dominates

  private tree(node: number): void {
    const { f, graph } = this;
    // Last in reverse postorder is outermost: what comes earlier may branch past it.
    const labels = this.children[node]!.filter((child) => this.forwardEdges[child]! >= 2).sort(
      (a, b) => graph.position[b]! - graph.position[a]!,
    );
    const loop = this.isLoop[node] === 1;
    if (loop) this.loopLevel[node] = f.loop();
    for (const label of labels) this.blockLevel[label] = f.block();
    if (node < this.blocks.length) this.block(node);
    else this.dispatch(node);
    for (let i = labels.length - 1; i >= 0; i--) {
      f.end();
      this.tree(labels[i]!);
    }
    if (loop) f.end();
  }

  private block(node: number): void {
    const { f, place } = this;
    const block = this.blocks[node]!;
    this.current = node;
    place.modified.set(this.flow.modified[node]!);
    place.nesting = 0;
    if (this.checksExit(node)) {
      this.place.env(f);
      f.memory(W.i32Load, ENV.exitRequest);
      f.if(undefined, false);
      place.storePc(f, block.pc);
      place.leaveCommon(f, EXIT.unwind);
      f.end();
    }
    if (this.counting) this.count(block);
    this.lowerer.lower(block.insts, block.terminator);
  }

  private count(block: Block): void {
    const { f, place } = this;
    this.place.env(f);
    f.memory(W.i32Load, ENV.budget);
    f.i32(block.instructions);
    f.op(W.i32Sub);
    f.tee(this.scratch);
    f.i32(0);
    f.op(W.i32LtS);
    f.if(undefined, false);
    place.storePc(f, block.pc);
    place.leaveCommon(f, EXIT.budget);
    f.end();
    this.place.env(f);
    f.get(this.scratch);
    f.memory(W.i32Store, ENV.budget);
    let seen = 0;
    const order = new Map<Inst, number>();
    for (const inst of block.insts) if (inst.op === 'insn') order.set(inst, ++seen);
    place.remaining = (insn) => block.instructions - (order.get(insn) ?? block.instructions);
  }

  private dispatch(node: number): void {
    const { f } = this;
    f.get(this.dispatchVariable);
    const levels = this.graph.successors[node]!.map((to) => this.blockLevel[to]!);
    f.brTable([...levels, levels[levels.length - 1]!]);
  }

  private setDispatch(block: number): void {
    this.f.i32(this.graph.viaIndex[block]!);
    this.f.set(this.dispatchVariable);
  }

  /** Level that a branch to a block goes to, or -1 when the block must be written in place. */
  private levelOf(to: number): number {
    const { graph } = this;
    const node = graph.via[to]! >= 0 ? graph.via[to]! : to;
    if (graph.position[node]! <= graph.position[this.current]!) return this.loopLevel[node]!;
    return this.forwardEdges[node]! >= 2 ? this.blockLevel[node]! : -1;
  }

  private goto(to: number): void {
    const level = this.levelOf(to);
    const via = this.graph.via[to]!;
    if (via >= 0) this.setDispatch(to);
    if (level >= 0) this.f.br(level);
    else this.tree(via >= 0 ? via : to);
  }

  // --- ways out of a block

  private terminate(terminator: Terminator, insn: Inst, values: Lowerer): void {
    const { f, place } = this;
    const { mode } = this.blocks[this.current]!;
    const next = insn.width === 0 ? this.blocks[this.current]!.pc : nextOf(insn);
    if (this.counting && place.nesting > 0) place.addBudget(f, place.remaining?.(insn) ?? 0);
    switch (terminator.kind) {
      case 'goto':
        this.storeMode(mode, terminator);
        return this.jump(terminator.target, next, changedMode(mode, terminator.mode));
      case 'branch':
        return this.branch(terminator, next, mode, values);
      case 'call':
        this.storeMode(mode, terminator);
        place.writeBack(f, place.modified);
        place.storePc(f, terminator.target === 'next' ? next : (terminator.target as bigint));
        return this.call(
          terminator.target === 'next' ? next : (terminator.target as bigint),
          next,
          changedMode(mode, terminator.mode),
        );
      case 'indirect':
        this.storeMode(mode, terminator);
        this.place.env(f);
        values.value(terminator.pc);
        if (this.frontEnd.addressType === 'i32') f.op(W.i64ExtendI32U);
        f.memory(W.i64Store, ENV.pc);
        place.writeBack(f, place.modified);
        if (terminator.hint === 'return') return this.returnCode(EXIT.next);
        if (terminator.hint === 'call') return this.call(undefined, next, changedMode(mode, terminator.mode));
        return this.goTail();
      case 'exit':
        if (terminator.pc === 'next') place.storePc(f, next);
        place.writeBack(f, place.modified);
        return this.returnCode(EXIT.unwind);
      case 'unreachable':
        return f.op(W.unreachable);
    }
  }

  private storeMode(
    mode: number,
    terminator: Extract<Terminator, { kind: 'goto' | 'branch' | 'call' | 'indirect' }>,
  ): void {
    if (terminator.mode === undefined) return;
    const { f, place } = this;
    place.env(f);
    if (this.modeMask === WHOLE_MODE) f.i32(changedMode(mode, terminator.mode));
    else {
      place.env(f);
      f.memory(W.i32Load, ENV.mode);
      f.i32(~terminator.mode.clear);
      f.op(W.i32And);
      f.i32(terminator.mode.set);
      f.op(W.i32Or);
    }
    f.memory(W.i32Store, ENV.mode);
  }

  private branch(
    terminator: Extract<Terminator, { kind: 'branch' }>,
    next: bigint,
    mode: number,
    values: Lowerer,
  ): void {
    const { f } = this;
    const after = changedMode(mode, terminator.mode);
    const place = (target: Target): number =>
      this.number(target === 'next' ? next : (target as bigint), after);
    this.storeMode(mode, terminator);
    values.value(terminator.condition);
    const [taken, notTaken] = [place(terminator.taken), place(terminator.notTaken)];
    const node = this.current;
    const before = this.place.modified.slice();
    const restore = (): void => {
      this.current = node;
      this.place.modified.set(before);
    };
    if (taken >= 0 && this.graph.via[taken]! < 0 && this.levelOf(taken) >= 0) {
      f.brIf(this.levelOf(taken));
      return this.jump(terminator.notTaken, next, after);
    }
    if (notTaken >= 0 && this.graph.via[notTaken]! < 0 && this.levelOf(notTaken) >= 0) {
      f.op(W.i32Eqz);
      f.brIf(this.levelOf(notTaken));
      return this.jump(terminator.taken, next, after);
    }
    // What leaves the region is what was not executed so far.
    if (taken < 0 !== notTaken < 0) f.if(undefined, taken >= 0);
    else f.if();
    this.jump(terminator.taken, next, after);
    f.else();
    restore();
    this.jump(terminator.notTaken, next, after);
    f.end();
    f.op(W.unreachable);
  }

  private jump(target: Target, next: bigint, mode: number): void {
    const pc = target === 'next' ? next : (target as bigint);
    const to = this.number(pc, mode);
    if (to >= 0) return this.goto(to);
    this.place.storePc(this.f, pc);
    this.place.writeBack(this.f, this.place.modified);
    this.goTail();
  }

  private goTail(): void {
    this.tailUsed = true;
    this.f.br(this.tail);
  }

  /** A guest call; env.pc is set and everything is written back. */
  private call(target: bigint | undefined, next: bigint, mode: number): void {
    const { f, place } = this;
    const continuation = this.number(next, mode);
    if (continuation < 0) return this.goTail();
    const miss = f.block();
    const offset = target === undefined ? this.findDynamic(miss) : this.findConstant(target, mode, miss);
    this.requireRegion(offset, miss);
    this.place.env(f);
    f.memory(W.i32Load, ENV.depth);
    f.tee(this.depth);
    f.i32(this.callDepth);
    f.op(W.i32GeS);
    f.brIf(miss, false);
    this.place.env(f);
    f.get(this.depth);
    f.i32(1);
    f.op(W.i32Add);
    f.memory(W.i32Store, ENV.depth);
    this.place.env(f);
    f.get(this.record);
    f.memory(W.i32Load, offset + RECORD.low);
    f.callIndirect(this.type);
    f.set(this.scratch);
    this.place.env(f);
    f.get(this.depth);
    f.memory(W.i32Store, ENV.depth);
    f.get(this.scratch);
    f.if(undefined, false);
    f.get(this.scratch);
    f.return();
    f.end();
    this.place.env(f);
    f.memory(W.i64Load, ENV.pc);
    place.envPc(f, next);
    f.op(W.i64Ne);
    f.brIf(miss, false);
    place.load(f, this.flow.live[continuation]!);
    place.modified.fill(0);
    this.goto(continuation);
    f.end();
    this.returnCode(EXIT.next);
  }

  /** Sets local `record` to the record array of a known pc's page; returns the record's offset in it. */
  private findConstant(pc: bigint, mode: number, miss: number): number {
    const { f } = this;
    const at = this.place.fetchEntry(f, pc);
    f.tee(this.record);
    f.memory(W.i64Load, at + FETCH.tag);
    this.pushTag(pc, mode);
    f.op(W.i64Ne);
    f.brIf(miss, false);
    f.get(this.record);
    f.memory(W.i32Load, at + FETCH.records);
    f.set(this.record);
    return Number(pc & BigInt(PAGE_SIZE - 1)) << recordShift(this.frontEnd.alignmentLog2);
  }

  /** Sets local `record` to the record of env.pc in env.mode. */
  private findDynamic(miss: number): number {
    const { f, record, scratch } = this;
    this.place.env(f);
    this.place.env(f);
    f.memory(W.i32Load, ENV.pc);
    f.tee(scratch);
    f.i32(PAGE_BITS - 5);
    f.op(W.i32ShrU);
    f.i32((FETCH_ENTRIES - 1) * FETCH.size);
    f.op(W.i32And);
    f.op(W.i32Add);
    f.tee(record);
    f.memory(W.i64Load, ENV.fetch + FETCH.tag);
    this.place.env(f);
    f.memory(W.i64Load, ENV.pc);
    f.i64small(-PAGE_SIZE);
    f.op(W.i64And);
    this.place.env(f);
    f.memory(W.i64Load32U, ENV.mode);
    f.op(W.i64Or);
    f.op(W.i64Ne);
    f.brIf(miss, false);
    f.get(record);
    f.memory(W.i32Load, ENV.fetch + FETCH.records);
    f.get(scratch);
    f.i32(PAGE_SIZE - 1);
    f.op(W.i32And);
    f.i32(recordShift(this.frontEnd.alignmentLog2));
    f.op(W.i32Shl);
    f.op(W.i32Add);
    f.set(record);
    return 0;
  }

  /** Branches to `miss` unless the record is a region's. Whether that serves the mode, it finds out itself. */
  private requireRegion(offset: number, miss: number): void {
    const { f } = this;
    f.get(this.record);
    f.memory(W.i32Load16U, offset + RECORD.handler);
    f.i32(HANDLER.region);
    f.op(W.i32Ne);
    f.brIf(miss);
  }

  /** All jumps out of the region end here: on to another region, or back to whoever called. */
  private writeTail(): void {
    const { f } = this;
    const miss = f.block();
    this.findDynamic(miss);
    this.requireRegion(0, miss);
    this.place.env(f);
    f.get(this.record);
    f.memory(W.i32Load, RECORD.low);
    f.returnCallIndirect(this.type);
    f.end();
    f.i32(EXIT.next);
  }
}

/** Successors of each block inside the region, with repetitions, and all targets of leaves. */
function blockEdges(
  blocks: readonly Block[],
  number: BlockNumber,
): { successors: number[][]; leaves: readonly number[] } {
  const leaves: number[] = [];
  const successors = blocks.map((block) => {
    const out: number[] = [];
    const add = (terminator: Terminator, next: bigint, isLeave: boolean): void => {
      const { jumps, continuation } = exitsOf(terminator, block.mode, next, number);
      const targets = continuation >= 0 ? [...jumps, continuation] : jumps;
      out.push(...targets);
      if (isLeave) leaves.push(...targets);
    };
    let next = block.pc;
    for (const inst of block.insts) {
      if (inst.op === 'insn') next = nextOf(inst);
      else if (inst.op === 'leave') add(inst.leave!, next, true);
    }
    add(block.terminator, next, false);
    return out;
  });
  return { successors, leaves };
}
