import {
  blockKey,
  type Block,
  type Inst,
  type Region,
  type Target,
  type Terminator,
  type Value,
} from './ir.ts';
import { OPS, opRow, type ValueType } from './ops.ts';
import { bitsOf } from './semantics.ts';

/** What the verifier knows beside the block. */
export interface VerifyOptions {
  /** Interpreter handlers: record fields are allowed, absolute targets are not. */
  readonly record?: boolean;
  /** Guest address type; unchecked when absent. */
  readonly addressType?: 'i32' | 'i64';
}

/** Checks one block as it is walked. */
class BlockVerifier {
  readonly problems: string[] = [];
  private readonly block: Block;
  private readonly options: VerifyOptions;
  /** Type of each value; undefined for none, and for values whose `if` is closed. */
  private readonly types: (ValueType | undefined)[] = [];
  private readonly open: { readonly start: number; elseSeen: boolean }[] = [];
  private at = 0;

  constructor(block: Block, options: VerifyOptions) {
    this.block = block;
    this.options = options;
  }

  run(): string[] {
    const { insts } = this.block;
    let instructions = 0;
    for (this.at = 0; this.at < insts.length; this.at++) {
      const inst = insts[this.at] as Inst;
      if (!(inst.op in OPS)) {
        this.types.push(undefined);
        this.report('unknown op');
        continue;
      }
      if (inst.op === 'insn') instructions++;
      this.operands(inst);
      this.attributes(inst);
      this.structure(inst);
      const { result } = opRow(inst.op);
      this.types.push(result === null ? undefined : result === 'T' ? inst.type : result);
    }
    if (this.open.length > 0) this.report('if without end');
    if (instructions !== this.block.instructions)
      this.report(`${instructions} insn markers, ${this.block.instructions} instructions`);
    this.terminator(this.block.terminator);
    return this.problems;
  }

  private report(problem: string): void {
    const inst = this.block.insts[this.at];
    this.problems.push(`block 0x${this.block.pc.toString(16)} v${this.at} ${inst?.op ?? 'end'}: ${problem}`);
  }

  private use(value: Value, want: ValueType | undefined): void {
    if (!Number.isInteger(value) || value < 0 || value >= this.at)
      return this.report(`v${value} is not defined before`);
    const type = this.types[value];
    if (type === undefined) return this.report(`v${value} has no value here`);
    if (want !== undefined && type !== want) this.report(`v${value} is ${type}, not ${want}`);
  }

  private operands(inst: Inst): void {
    const row = opRow(inst.op);
    if (!row.types.includes(inst.type)) this.report(`no type ${inst.type}`);
    const params: readonly (ValueType | 'T')[] =
      row.effect === 'call' ? (inst.helper?.params ?? []) : row.args;
    if (params.length !== inst.args.length)
      return this.report(`${inst.args.length} operands, not ${params.length}`);
    inst.args.forEach((value, i) => {
      const param = row.effect === 'memory' && i === 0 ? (inst.mem?.addressType ?? 'i64') : params[i];
      this.use(value, param === 'T' ? inst.type : param);
    });
  }

  private attributes(inst: Inst): void {
    const bits = bitsOf(inst.type);
    switch (inst.op) {
      case 'const':
        if (inst.imm === undefined || inst.imm !== BigInt.asUintN(bits, inst.imm))
          this.report('constant out of range');
        return;
      case 'insn':
        if (inst.imm === undefined || !((inst.width ?? 0) > 0)) this.report('no pc or length');
        return;
      case 'field':
        if (inst.field === undefined) this.report('no field');
        return this.recordOnly();
      case 'pc':
        return this.pc(inst, bits);
      case 'next_pc':
        return this.recordOnly();
      case 'get':
      case 'put':
        return this.register(inst);
      case 'load_env':
      case 'store_env':
        if (inst.offset === undefined || inst.offset < 0 || !Number.isInteger(inst.offset))
          this.report('no offset');
        return this.width(inst.width, inst.type);
      case 'load':
      case 'store':
      case 'atomic_rmw':
      case 'atomic_cas':
        if (inst.mem === undefined) return this.report('no access description');
        if ((inst.op === 'atomic_rmw') !== (inst.mem.rmw !== undefined))
          this.report('rmw op missing or out of place');
        if (inst.op === 'store' && inst.mem.signed) this.report('signed store');
        return this.width(inst.mem.width, inst.type);
      case 'call':
        if (inst.helper === undefined) return this.report('no helper');
        if (inst.helper.result !== inst.type)
          this.report(`${inst.helper.name} gives ${inst.helper.result ?? 'nothing'}`);
        return;
      case 'call_void':
        if (inst.helper === undefined) this.report('no helper');
        return;
    }
  }

  private pc(inst: Inst, bits: number): void {
    const { record, addressType } = this.options;
    if (addressType !== undefined && inst.type !== addressType) this.report(`pc is ${addressType}`);
    if (inst.imm === undefined) this.report('no pc');
    else if (record !== true && inst.imm !== BigInt.asUintN(bits, inst.imm)) this.report('pc out of range');
  }

  private recordOnly(): void {
    if (this.options.record !== true) this.report('only in interpreter handlers');
  }

  private width(width: number | undefined, type: ValueType): void {
    if (![1, 2, 4, 8].includes(width ?? 0)) this.report(`width ${width}`);
    else if ((width as number) * 8 > bitsOf(type)) this.report(`${width} bytes in ${type}`);
  }

  private register(inst: Inst): void {
    if (inst.reg === undefined) return this.report('no register');
    const { file, index } = inst.reg;
    if (file.type !== inst.type) this.report(`${file.name} is ${file.type}`);
    if (typeof index === 'string') return this.recordOnly();
    if (!Number.isInteger(index) || index < 0 || index >= file.count)
      this.report(`no ${file.name}[${index}]`);
    if (index === file.zero) this.report(`${file.name}[${index}] is always 0`);
  }

  private structure(inst: Inst): void {
    const top = this.open.at(-1);
    switch (inst.op) {
      case 'if':
        this.open.push({ start: this.at, elseSeen: false });
        return;
      case 'else':
        if (top === undefined || top.elseSeen) return this.report('out of place');
        top.elseSeen = true;
        return this.hide(top.start);
      case 'end':
        if (top === undefined) return this.report('out of place');
        this.open.pop();
        return this.hide(top.start);
      case 'insn':
        if (top !== undefined) this.report('inside if');
        return;
      case 'leave':
        if (top === undefined) this.report('outside if');
        if (inst.leave === undefined) return this.report('goes nowhere');
        return this.terminator(inst.leave);
    }
  }

  private hide(from: number): void {
    this.types.fill(undefined, from + 1);
  }

  private terminator(t: Terminator): void {
    switch (t.kind) {
      case 'goto':
      case 'call':
        return this.target(t.target);
      case 'branch':
        this.use(t.condition, 'i32');
        this.target(t.taken);
        return this.target(t.notTaken);
      case 'indirect':
        return this.use(t.pc, this.options.addressType);
    }
  }

  private target(target: Target): void {
    if (typeof target === 'bigint') {
      if (this.options.record === true) return this.report('absolute target');
      const bits = this.options.addressType === 'i32' ? 32 : 64;
      if (target !== BigInt.asUintN(bits, target)) this.report('target outside the address space');
    } else if (this.options.record !== true) this.report('relative target');
  }
}

/**
 * Checks types and arity against the op table, nesting, that values are defined before use and don't escape their
 * `if`, accesses, registers, helpers and targets. Linear.
 * @returns one line per problem; empty when the block is sound.
 */
export const verifyBlock = (block: Block, options: VerifyOptions = {}): string[] =>
  new BlockVerifier(block, options).run();

/** {@link verifyBlock} for all blocks, and the region's own rules (entry first, keys). */
export function verifyRegion(region: Region, options: VerifyOptions = {}): string[] {
  const problems: string[] = [];
  const [first] = region.blocks.keys();
  if (first !== region.entry) problems.push('the entry is not the first block');
  for (const [key, block] of region.blocks) {
    if (key !== blockKey(region, block.pc, block.mode))
      problems.push(`block 0x${block.pc.toString(16)}: wrong key`);
    problems.push(...verifyBlock(block, options));
  }
  return problems;
}

/** @throws Error with the first problems when a block or region is unsound: a bug in a front end or a pass. */
export function assertSound(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(`unsound IR: ${problems.slice(0, 5).join('; ')}`);
}
