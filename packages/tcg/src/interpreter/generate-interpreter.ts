import { ENV, EXIT, FETCH, FETCH_ENTRIES, PAGE_BITS, PAGE_SIZE, TLB, TLB_ENTRIES } from '../env.ts';
import type { FrontEnd } from '../front-end.ts';
import type { Block } from '../ir/ir.ts';
import { importHelpers } from '../lower/import-helpers.ts';
import { Lowerer } from '../lower/lowerer.ts';
import { FAR, HANDLER, handlerRows, RECORD, recordBytes, TAIL_RECORDS, type HandlerRow } from '../record.ts';
import { FunctionWriter } from '../wasm/function-writer.ts';
import { ModuleWriter } from '../wasm/module-writer.ts';
import { W } from '../wasm/opcodes.ts';
import { ColdPlace, emitField, NEXT } from './interpreter-place.ts';
import { MainPlace, type RunLabels, type RunLocals } from './main-place.ts';
import { translateRecord } from './record-translation.ts';

export interface InterpreterOptions {
  /** Check the budget before every instruction, so that `run` stops after exactly that many. */
  readonly exact?: boolean;
  /** Entries of a jump target (1-65535) at which `host.hot` is called; left out or 0: nothing is counted. */
  readonly hotThreshold?: number;
  /** Optimises a handler's IR in place of the generator's own none. */
  readonly optimize?: (block: Block) => Block;
}

export interface Interpreter {
  /** A wasm module that exports `run(env: i32) -> i32` ({@link EXIT}). */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What each handler number from {@link HANDLER.first} on executes. */
  readonly handlers: readonly HandlerRow[];
}

/**
 * Generates the tier 0 interpreter of a front end: each instruction's `translate` runs once per length with record
 * fields as operands, and becomes a handler. Takes some 10 ms for 500 handlers.
 * @throws Error when a definition's operands don't fit a record.
 */
export function generateInterpreter(frontEnd: FrontEnd, options: InterpreterOptions = {}): Interpreter {
  const handlers = handlerRows(frontEnd.instructions);
  const optimize = options.optimize ?? ((block: Block): Block => block);
  const blocks = handlers.map((row) => optimize(translateRecord(frontEnd, row.def, row.length)));
  const module = new ModuleWriter();
  module.importMemory('m', 'memory');
  module.importTable('m', 'table');
  const functions = importFunctions(module, blocks);
  const f = new FunctionWriter();
  const cold = handlers.map((row, i) =>
    frontEnd.instructions[row.def]!.cold === true ? writeCold(module, f, frontEnd, blocks[i]!) : -1,
  );
  const run = new RunWriter(module, f, frontEnd, options, functions);
  run.write(handlers, blocks, cold);
  module.exportFunction('run', module.addFunction(module.type(['i32'], ['i32']), f));
  return { bytes: module.finish(), handlers };
}

interface EngineFunctions {
  readonly fetch: number;
  readonly deliver: number;
  readonly poll: number;
  readonly decode: number;
  readonly crossing: number;
  readonly hot: number;
}

function importFunctions(module: ModuleWriter, blocks: readonly Block[]): EngineFunctions {
  importHelpers(module, blocks);
  return {
    fetch: module.importFunction('softmmu', 'fetch', ['i32'], ['i32']),
    deliver: module.importFunction('isa', 'deliver', ['i32'], []),
    poll: module.importFunction('isa', 'poll', ['i32'], []),
    decode: module.importFunction('host', 'decode', ['i32', 'i32'], []),
    crossing: module.importFunction('host', 'crossing', ['i32', 'i32'], []),
    hot: module.importFunction('host', 'hot', ['i32', 'i32'], []),
  };
}

function writeCold(module: ModuleWriter, f: FunctionWriter, frontEnd: FrontEnd, block: Block): number {
  const params = ColdPlace.params(frontEnd.addressType);
  f.begin(params);
  const lowerer = new Lowerer(f, new ColdPlace(module, frontEnd.addressType));
  lowerer.lower(block.insts, block.terminator);
  f.op(W.unreachable);
  return module.addFunction(module.type(params, ['i32']), f);
}

/** Writes the body of `run`. */
class RunWriter {
  private readonly module: ModuleWriter;
  private readonly f: FunctionWriter;
  private readonly frontEnd: FrontEnd;
  private readonly exact: boolean;
  private readonly threshold: number;
  private readonly functions: EngineFunctions;
  private readonly locals: RunLocals;
  private readonly labels: RunLabels = { outer: 0, dispatch: 0, taken: 0, called: 0 };
  private readonly place: MainPlace;
  private readonly count: number;

  constructor(
    module: ModuleWriter,
    f: FunctionWriter,
    frontEnd: FrontEnd,
    options: InterpreterOptions,
    functions: EngineFunctions,
  ) {
    this.module = module;
    this.f = f;
    this.frontEnd = frontEnd;
    this.exact = options.exact ?? false;
    this.threshold = options.hotThreshold ?? 0;
    this.functions = functions;
    f.begin(['i32']);
    this.locals = {
      env: 0,
      ip: f.local('i32'),
      budget: f.local('i32'),
      next: f.local('i32'),
      distance: f.local('i32'),
      pageBase: f.local('i32'),
      tlb: f.local('i32'),
      pcBase: f.local(frontEnd.addressType),
    };
    this.count = f.local('i32');
    this.place = new MainPlace(
      module,
      frontEnd.addressType,
      frontEnd.alignmentLog2,
      this.locals,
      this.labels,
    );
  }

  write(handlers: readonly HandlerRow[], blocks: readonly Block[], cold: readonly number[]): void {
    const { f, labels, locals, place } = this;
    f.get(locals.env);
    f.i32(0);
    f.memory(W.i32Store, ENV.depth);
    this.loadBudget();
    f.i32(NEXT.exit);
    f.set(locals.next);
    labels.outer = f.loop();
    this.writeNext();
    labels.dispatch = f.loop();
    labels.called = f.block();
    labels.taken = f.block();
    const levels: number[] = [];
    for (let i = handlers.length - 1; i >= 0; i--) levels[HANDLER.first + i] = f.block();
    for (let i = HANDLER.first - 1; i >= 0; i--) levels[i] = f.block();
    if (this.exact) {
      f.get(locals.budget);
      f.i32(0);
      f.op(W.i32LeS);
      f.if(undefined, false);
      place.storePc(f, () => place.pc(f, undefined, 0n));
      this.returnCode(EXIT.budget);
      f.end();
    }
    this.addBudget(-1);
    f.get(locals.ip);
    f.memory(W.i32Load16U, RECORD.handler);
    f.brTable([...levels, levels[HANDLER.undecoded]!]);
    f.end();
    this.writeUndecoded();
    f.end();
    this.writePageExit();
    f.end();
    this.writeRegion(levels[HANDLER.crossing]!);
    f.end();
    this.writeCrossing();
    const lowerer = new Lowerer(f, place);
    handlers.forEach((row, i) => {
      f.end();
      if (cold[i]! >= 0) this.writeColdCall(row, cold[i]!);
      else lowerer.lower(blocks[i]!.insts, blocks[i]!.terminator);
    });
    f.end();
    this.writeTaken();
    f.end();
    this.writeCalled();
    f.end();
    f.op(W.unreachable);
    f.end();
    f.op(W.unreachable);
  }

  private loadBudget(): void {
    const { f, locals } = this;
    f.get(locals.env);
    f.memory(W.i32Load, ENV.budget);
    f.set(locals.budget);
  }
  private addBudget(by: number): void {
    const { f, locals } = this;
    f.get(locals.budget);
    f.i32(by);
    f.op(W.i32Add);
    f.set(locals.budget);
  }
  private returnCode(code: number): void {
    this.place.saveBudget(this.f);
    this.f.i32(code);
    this.f.return();
  }
  private callHost(index: number, record: boolean): void {
    this.f.get(this.locals.env);
    if (record) this.f.get(this.locals.ip);
    this.f.call(index);
  }

  /** The head of the outer loop: what to do outside instructions, and the lookup of env.pc. */
  private writeNext(): void {
    const { f, locals, place, functions } = this;
    const wide = this.frontEnd.addressType === 'i64';
    const found = f.block();
    f.get(locals.next);
    f.i32(NEXT.single);
    f.op(W.i32Eq);
    f.if(undefined, false);
    this.writeSingle(found);
    f.end();
    f.get(locals.next);
    f.i32(NEXT.exit);
    f.op(W.i32Eq);
    f.if();
    this.writeExit();
    f.end();
    // Probe: tag is the virtual page and the mode word.
    const pc = f.local(wide ? 'i64' : 'i32');
    const entry = f.local('i32');
    f.get(locals.env);
    f.memory(wide ? W.i64Load : W.i32Load, ENV.pc);
    f.set(pc);
    f.get(locals.budget);
    f.i32(0);
    f.op(W.i32LeS);
    f.if(undefined, false);
    this.returnCode(EXIT.budget);
    f.end();
    f.get(locals.env);
    this.pushLowPc(pc);
    f.i32(PAGE_BITS - 5);
    f.op(W.i32ShrU);
    f.i32((FETCH_ENTRIES - 1) * FETCH.size);
    f.op(W.i32And);
    f.op(W.i32Add);
    f.tee(entry);
    f.memory(W.i64Load, ENV.fetch + FETCH.tag);
    this.pushPage(pc);
    if (!wide) f.op(W.i64ExtendI32U);
    f.get(locals.env);
    f.memory(W.i64Load32U, ENV.mode);
    f.op(W.i64Or);
    f.op(W.i64Ne);
    f.if(undefined, false);
    place.saveBudget(f);
    this.callHost(functions.fetch, false);
    f.op(W.i32Eqz);
    f.if();
    // A trap vector that faults for ever must use up the budget too.
    this.addBudget(-1);
    f.i32(NEXT.exit);
    f.set(locals.next);
    f.end();
    f.br(this.labels.outer);
    f.end();
    this.setTlb();
    f.get(entry);
    f.memory(W.i32Load, ENV.fetch + FETCH.records);
    f.tee(locals.pageBase);
    this.pushLowPc(pc);
    f.i32(PAGE_SIZE - 1);
    f.op(W.i32And);
    f.i32(place.shift);
    f.op(W.i32Shl);
    f.op(W.i32Add);
    f.set(locals.ip);
    this.pushPage(pc);
    f.get(locals.pageBase);
    f.i32(place.shift);
    f.op(W.i32ShrU);
    if (wide) f.op(W.i64ExtendI32U);
    f.op(wide ? W.i64Sub : W.i32Sub);
    f.set(locals.pcBase);
    if (this.threshold > 0) {
      f.get(locals.next);
      f.i32(NEXT.counted);
      f.op(W.i32Eq);
      f.if();
      this.writeCount();
      f.end();
    }
    f.end();
  }
  private pushLowPc(pc: number): void {
    this.f.get(pc);
    if (this.frontEnd.addressType === 'i64') this.f.op(W.i32WrapI64);
  }
  private pushPage(pc: number): void {
    const wide = this.frontEnd.addressType === 'i64';
    this.f.get(pc);
    if (wide) this.f.i64small(-PAGE_SIZE);
    else this.f.i32(-PAGE_SIZE);
    this.f.op(wide ? W.i64And : W.i32And);
  }

  /** After an exit, an unwound region or a fault. */
  private writeExit(): void {
    const { f, locals, place, functions } = this;
    place.saveBudget(f);
    f.get(locals.env);
    f.memory(W.i32Load, ENV.fault);
    f.if();
    this.callHost(functions.deliver, false);
    f.end();
    f.get(locals.env);
    f.memory(W.i32Load, ENV.hostExit);
    f.tee(locals.distance);
    f.if(undefined, false);
    f.get(locals.env);
    f.i32(0);
    f.memory(W.i32Store, ENV.hostExit);
    f.get(locals.distance);
    f.return();
    f.end();
    f.get(locals.env);
    f.memory(W.i32AtomicLoad, ENV.exitRequest);
    f.if(undefined, false);
    f.i32(EXIT.unwind);
    f.return();
    f.end();
    this.callHost(functions.poll, false);
  }

  private writeUndecoded(): void {
    const { f, place } = this;
    this.addBudget(1);
    place.storePc(f, () => place.pc(f, undefined, 0n));
    place.saveBudget(f);
    this.callHost(this.functions.decode, true);
    // The host may have thrown all record arrays away to make room: find this one again.
    place.leave(f, NEXT.lookup);
  }

  private writePageExit(): void {
    const { f, place } = this;
    this.addBudget(1);
    place.storePc(f, () => place.pc(f, undefined, 0n));
    place.leave(f, NEXT.lookup);
  }

  private writeRegion(crossing: number): void {
    const { f, locals, place } = this;
    f.get(locals.env);
    f.memory(W.i32Load, ENV.mode);
    emitField(f, locals.ip, 'i32', 'a');
    f.op(W.i32Xor);
    f.get(locals.ip);
    f.memory(W.i32Load, RECORD.b);
    f.op(W.i32And);
    f.brIf(crossing, false);
    this.addBudget(1);
    place.storePc(f, () => place.pc(f, undefined, 0n));
    place.saveBudget(f);
    f.get(locals.env);
    emitField(f, locals.ip, 'i32', 'low');
    f.callIndirect(this.module.type(['i32'], ['i32']));
    f.set(locals.distance);
    this.loadBudget();
    f.get(locals.distance);
    f.op(W.i32Eqz);
    f.if(undefined, true);
    place.leave(f, NEXT.counted);
    f.end();
    f.get(locals.distance);
    f.i32(EXIT.unwind);
    f.op(W.i32Eq);
    f.if();
    place.leave(f, NEXT.exit);
    f.end();
    // A block that is longer than the budget: as much of it as the budget allows, one by one.
    f.get(locals.distance);
    f.i32(EXIT.budget);
    f.op(W.i32Eq);
    f.get(locals.budget);
    f.i32(0);
    f.op(W.i32GtS);
    f.op(W.i32And);
    f.if();
    f.i32(NEXT.single);
    f.set(locals.next);
    f.br(this.labels.outer);
    f.end();
    f.get(locals.distance);
    f.return();
  }

  private writeCrossing(): void {
    const { f, place } = this;
    this.addBudget(1);
    place.storePc(f, () => place.pc(f, undefined, 0n));
    place.leave(f, NEXT.single);
  }

  /** Has the host decode the instruction at env.pc for one execution, and goes to it. */
  private writeSingle(found: number): void {
    const { f, locals, place } = this;
    const wide = this.frontEnd.addressType === 'i64';
    place.saveBudget(f);
    this.callHost(this.functions.crossing, true);
    f.get(locals.env);
    f.memory(W.i32Load, ENV.fault);
    f.if(undefined, false);
    place.leave(f, NEXT.exit);
    f.end();
    this.setTlb();
    f.get(locals.env);
    f.i32(ENV.crossing);
    f.op(W.i32Add);
    f.set(locals.ip);
    f.get(locals.env);
    f.memory(wide ? W.i64Load : W.i32Load, ENV.pc);
    f.get(locals.ip);
    f.i32(place.shift);
    f.op(W.i32ShrU);
    if (wide) f.op(W.i64ExtendI32U);
    f.op(wide ? W.i64Sub : W.i32Sub);
    f.set(locals.pcBase);
    f.br(found);
  }
  private setTlb(): void {
    const { f, locals } = this;
    f.get(locals.env);
    f.get(locals.env);
    f.memory(W.i32Load, ENV.mmuIndex);
    f.i32(TLB_ENTRIES * TLB.size);
    f.op(W.i32Mul);
    f.op(W.i32Add);
    f.i32(ENV.tlb);
    f.op(W.i32Add);
    f.set(locals.tlb);
  }

  private writeColdCall(row: HandlerRow, position: number): void {
    const { f, locals, place } = this;
    place.saveBudget(f);
    f.get(locals.env);
    f.get(locals.ip);
    place.pc(f, undefined, 0n);
    f.call(this.module.functionIndex(position));
    f.tee(locals.distance);
    f.i32(0);
    f.op(W.i32LtS);
    f.if();
    place.advance(f, row.length);
    f.end();
    f.get(locals.distance);
    f.set(locals.next);
    f.br(this.labels.outer);
  }

  /** Counts an entry at ip; at the threshold tells the host and looks env.pc up again. */
  private writeCount(): void {
    const { f, locals, place } = this;
    const counts = recordBytes(this.frontEnd.alignmentLog2) + TAIL_RECORDS * RECORD.size;
    f.get(locals.ip);
    f.get(locals.pageBase);
    f.op(W.i32Sub);
    f.i32(3);
    f.op(W.i32ShrU);
    f.get(locals.pageBase);
    f.op(W.i32Add);
    f.tee(this.count);
    f.get(this.count);
    f.memory(W.i32Load16U, counts);
    f.i32(1);
    f.op(W.i32Add);
    f.tee(this.count);
    f.memory(W.i32Store16, counts);
    f.get(this.count);
    f.i32(this.threshold);
    f.op(W.i32Eq);
    f.if(undefined, false);
    place.storePc(f, () => place.pc(f, undefined, 0n));
    place.saveBudget(f);
    this.callHost(this.functions.hot, true);
    place.leave(f, NEXT.lookup);
    f.end();
  }

  private writeTaken(): void {
    const { f, locals } = this;
    f.get(locals.distance);
    f.i32(FAR);
    f.op(W.i32Eq);
    f.if();
    this.storeFarPc();
    // Only loops count: a far jump forward is no entry.
    emitField(f, locals.ip, 'i32', 'high');
    f.i32(0);
    f.op(W.i32LtS);
    f.set(locals.next);
    f.br(this.labels.outer);
    f.end();
    this.writeNear();
    f.br(this.labels.dispatch);
  }

  private writeCalled(): void {
    const { f, locals, place } = this;
    f.get(locals.distance);
    f.i32(FAR);
    f.op(W.i32Eq);
    f.if();
    this.storeFarPc();
    place.leave(f, NEXT.counted);
    f.end();
    this.writeNear();
    f.br(this.labels.dispatch);
  }

  private storeFarPc(): void {
    const { f, locals, place } = this;
    const wide = this.frontEnd.addressType === 'i64';
    place.storePc(f, () => {
      place.pc(f, undefined, 0n);
      emitField(f, locals.ip, this.frontEnd.addressType, 'high');
      f.op(wide ? W.i64Add : W.i32Add);
    });
  }

  private writeNear(): void {
    const { f, locals, place } = this;
    f.get(locals.ip);
    f.get(locals.distance);
    f.op(W.i32Add);
    f.set(locals.ip);
    if (this.threshold > 0) this.writeCount();
    if (this.exact) return;
    f.get(locals.budget);
    f.i32(0);
    f.op(W.i32LeS);
    f.if(undefined, false);
    place.storePc(f, () => place.pc(f, undefined, 0n));
    this.returnCode(EXIT.budget);
    f.end();
  }
}
