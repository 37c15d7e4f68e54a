import type {
  Block,
  HelperDef,
  Inst,
  MemoryAccess,
  ModeChange,
  RecordField,
  Region,
  RegisterFile,
  RmwOp,
  Target,
  Terminator,
  Value,
} from './ir.ts';
import { blockKey } from './ir.ts';
import { OPS, opRow, type Op, type ValueType } from './ops.ts';

/** What a piece of IR text declares and holds. */
export interface ParsedIr {
  readonly files: Map<string, RegisterFile>;
  readonly helpers: Map<string, HelperDef>;
  /** All blocks in order. */
  readonly blocks: Block[];
  /** When the text has a `region` line: the blocks as a region. */
  readonly region: Region | undefined;
}

/** Text that is not IR. `line` counts from 1. */
export class IrSyntaxError extends Error {
  readonly line: number;
  constructor(line: number, problem: string) {
    super(`IR text, line ${line}: ${problem}`);
    this.line = line;
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
const TYPES: readonly string[] = ['i32', 'i64', 'f32', 'f64'];

class Parser {
  readonly files = new Map<string, RegisterFile>();
  readonly helpers = new Map<string, HelperDef>();
  readonly blocks: Block[] = [];
  region: { entry: bigint; mode: number; pages: Map<bigint, number> } | undefined;
  private readonly lines: string[];
  private at = 0;
  private values = new Map<string, Value>();

  constructor(text: string, known: { files?: readonly RegisterFile[]; helpers?: readonly HelperDef[] }) {
    this.lines = text.split('\n').map((l) => l.replace(/;.*$/, '').trim());
    for (const f of known.files ?? []) this.files.set(f.name, f);
    for (const h of known.helpers ?? []) this.helpers.set(h.name, h);
  }

  run(): ParsedIr {
    for (; this.at < this.lines.length; this.at++) {
      const line = this.lines[this.at] as string;
      if (line === '') continue;
      const word = /^\w+/.exec(line)?.[0];
      if (word === 'file') this.file(line);
      else if (word === 'helper') this.helper(line);
      else if (word === 'region') {
        const [, entry, mode] = this.match(/^region (\S+) mode (\d+)$/, line);
        this.region = { entry: this.number(entry), mode: Number(mode), pages: new Map() };
      } else if (word === 'page' && this.region !== undefined) {
        const [, virtual, physical] = this.match(/^page (\S+) (\S+)$/, line);
        this.region.pages.set(this.number(virtual), Number(physical));
      } else if (word === 'block') this.block(line);
      else this.fail(`unexpected "${line}"`);
    }
    const r = this.region;
    const region =
      r === undefined
        ? undefined
        : { ...r, blocks: new Map(this.blocks.map((b) => [blockKey(r, b.pc, b.mode), b])) };
    return { files: this.files, helpers: this.helpers, blocks: this.blocks, region };
  }

  private fail(problem: string): never {
    throw new IrSyntaxError(this.at + 1, problem);
  }
  private match(pattern: RegExp, text: string): string[] {
    const m = pattern.exec(text);
    if (m === null) this.fail(`can't read "${text}"`);
    return m.map((s) => s ?? '');
  }
  private number(text: string | undefined): bigint {
    if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(text ?? '')) this.fail(`not a number: "${text}"`);
    const t = text as string;
    return t.startsWith('-') ? -BigInt(t.slice(1)) : BigInt(t);
  }
  private type(text: string | undefined): ValueType {
    if (!TYPES.includes(text ?? '')) this.fail(`not a type: "${text}"`);
    return text as ValueType;
  }

  private file(line: string): void {
    const [, name, type, offset, count, stride, zero, sink] = this.match(
      /^file (\w+) (i32|i64) at (\S+) count (\d+) stride (\d+)(?: zero (\d+))?(?: sink (\d+))?$/,
      line,
    );
    this.files.set(name as string, {
      name: name as string,
      type: type as 'i32' | 'i64',
      offset: Number(offset),
      count: Number(count),
      stride: Number(stride),
      ...(zero === '' ? {} : { zero: Number(zero) }),
      ...(sink === '' ? {} : { sink: Number(sink) }),
    });
  }

  private helper(line: string): void {
    const [, module, name, params, result, effect, fault, noReturn] = this.match(
      /^helper (\w+)\.(\w+)\(([^)]*)\) (\w+) (pure|state|registers)( fault)?( noreturn)?$/,
      line,
    );
    this.helpers.set(name as string, {
      name: name as string,
      module: module as string,
      params: (params as string).split(',').flatMap((p) => (p.trim() === '' ? [] : [this.type(p.trim())])),
      result: result === 'void' ? null : this.type(result),
      effect: effect as HelperDef['effect'],
      mayFault: fault !== '',
      noReturn: noReturn !== '',
    });
  }

  private block(header: string): void {
    const [, pc, mode] = this.match(/^block (\S+) mode (\d+) \{$/, header);
    this.values = new Map();
    const insts: Inst[] = [];
    let terminator: Terminator | undefined;
    for (this.at++; this.lines[this.at] !== '}'; this.at++) {
      const line = this.lines[this.at];
      if (line === undefined) this.fail('block without end');
      if (line === '') continue;
      if (terminator !== undefined) this.fail('something after the terminator');
      terminator = this.terminator(line);
      if (terminator === undefined) insts.push(this.inst(line, insts.length));
    }
    if (terminator === undefined) this.fail('block without terminator');
    const instructions = insts.filter((i) => i.op === 'insn').length;
    this.blocks.push({ pc: this.number(pc), mode: Number(mode), insts, terminator, instructions });
  }

  private value(name: string): Value {
    const v = this.values.get(name);
    if (v === undefined) this.fail(`no value ${name} before`);
    return v;
  }

  private target(text: string | undefined): Target {
    if (text === 'next') return 'next';
    return text?.startsWith('.') === true ? { relative: text.slice(1) as RecordField } : this.number(text);
  }

  private terminator(line: string): Terminator | undefined {
    const [, body, set, clear] = this.match(/^(.*?)(?: mode \+(\d+) -(\d+))?$/, line);
    const mode: { mode?: ModeChange } =
      set === '' ? {} : { mode: { set: Number(set), clear: Number(clear) } };
    const word = /^\w+/.exec(body as string)?.[0];
    const words = (body as string).split(/[ ,]+/);
    switch (word) {
      case 'goto':
        return { kind: 'goto', target: this.target(words[1]), ...mode };
      case 'branch': {
        const [, condition, taken, notTaken] = words;
        return {
          kind: 'branch',
          condition: this.value(condition ?? ''),
          taken: this.target(taken),
          notTaken: this.target(notTaken),
          ...mode,
        };
      }
      case 'call_to':
        return { kind: 'call', target: this.target(words[1]), ...mode };
      case 'indirect': {
        const [, hint, pc] = this.match(/^indirect (jump|call|return) (\w+)$/, body as string);
        return {
          kind: 'indirect',
          pc: this.value(pc as string),
          hint: hint as 'jump' | 'call' | 'return',
          ...mode,
        };
      }
      case 'exit':
        return { kind: 'exit', pc: words[1] === 'env' ? 'env' : 'next' };
      case 'unreachable':
        return { kind: 'unreachable' };
      default:
        return undefined;
    }
  }

  private inst(line: string, index: number): Inst {
    const [, name, opName, typeName, rest] = this.match(
      /^(?:(\w+) = )?(\w+)(?:\.(i32|i64|f32|f64))?(?: (.*))?$/,
      line,
    );
    if (!Object.hasOwn(OPS, opName as string)) this.fail(`no op ${opName}`);
    const op = opName as Op;
    const row = opRow(op);
    const type =
      typeName === ''
        ? row.types.length === 1
          ? row.types[0]
          : this.fail(`${op} needs a type`)
        : this.type(typeName);
    const inst: Mutable<Inst> & { args: Value[] } = { op, type: type as ValueType, args: [] };
    if (op === 'leave') {
      const leave = this.terminator(rest as string);
      if (leave === undefined) this.fail(`can't leave by "${rest}"`);
      inst.leave = leave;
    } else if (row.effect === 'call') {
      const [, helper, args] = this.match(/^(\w+)\((.*)\)$/, rest as string);
      inst.helper = this.helpers.get(helper as string) ?? this.fail(`no helper ${helper}`);
      this.words(args as string).forEach((w) => inst.args.push(this.value(w)));
    } else {
      for (const word of this.words(rest as string)) this.word(inst, word);
    }
    if ((name === '') !== (row.result === null))
      this.fail(`${op} ${row.result === null ? 'gives no' : 'gives a'} value`);
    if (name !== '') this.values.set(name as string, index);
    return inst;
  }

  private words(text: string): string[] {
    return text.split(',').flatMap((w) => (w.trim() === '' ? [] : [w.trim()]));
  }

  private word(inst: Mutable<Inst> & { args: Value[] }, word: string): void {
    const register = /^(\w+)\[(\w+)\]$/.exec(word);
    const access = /^([su])(8|16|32|64)\.(le|be)\.a(32|64)\.(any|slow|fault)(?:\.(\w+))?$/.exec(word);
    if (register !== null) {
      const file = this.files.get(register[1] as string) ?? this.fail(`no register file ${register[1]}`);
      const index = register[2] as string;
      inst.reg = { file, index: /^\d+$/.test(index) ? Number(index) : (index as RecordField) };
    } else if (access !== null) {
      inst.mem = {
        width: (Number(access[2]) / 8) as MemoryAccess['width'],
        signed: access[1] === 's',
        bigEndian: access[3] === 'be',
        addressType: access[4] === '32' ? 'i32' : 'i64',
        alignment: access[5] as MemoryAccess['alignment'],
        ...(access[6] === undefined ? {} : { rmw: access[6] as RmwOp }),
      };
    } else if (word.startsWith('.')) inst.field = word.slice(1) as RecordField;
    else if (word.startsWith('+')) inst.offset = Number(word.slice(1));
    else if (this.values.has(word)) inst.args.push(this.value(word));
    else if (inst.imm === undefined && (inst.op === 'const' || inst.op === 'insn' || inst.op === 'pc'))
      inst.imm = this.number(word);
    else if (inst.width === undefined && /^\d+$/.test(word)) inst.width = Number(word);
    else this.fail(`can't read "${word}"`);
  }
}

/**
 * Reads IR text as {@link printBlock}, {@link printRegion}, {@link printFile} and {@link printHelper} write it.
 * `;` starts a comment. Values may have any name. The result is not verified.
 * @throws IrSyntaxError
 */
export const parseIr = (
  text: string,
  known: { files?: readonly RegisterFile[]; helpers?: readonly HelperDef[] } = {},
): ParsedIr => new Parser(text, known).run();
