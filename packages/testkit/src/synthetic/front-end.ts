import {
  ENV,
  type Builder,
  type CodeReader,
  type Decoded,
  type FrontEnd,
  type HelperDef,
  type InstructionDef,
  type MemoryAccess,
  type Op,
  type Operand,
  type OperandKind,
  type RegisterFile,
  type Value,
} from '@polyvisor/tcg';
import {
  BY_OPCODE,
  CAUSE,
  ENCODINGS,
  MODE_DELAY,
  NOT_IN_SLOT,
  PREFIX,
  variantBytes,
  type Field,
  type Mnemonic,
  type Variant,
} from './encoding.ts';

/** r0-r7. */
export const R: RegisterFile = { name: 'r', type: 'i32', offset: ENV.guest, count: 8, stride: 4 };
/** Lazy flags: how they arose ({@link FLAGS}), the second operand, the result. */
export const CC: RegisterFile = { name: 'cc', type: 'i32', offset: ENV.guest + 0x20, count: 3, stride: 4 };
/** Where the pending delayed jump goes; all ones: on with the following instruction. */
export const H: RegisterFile = { name: 'h', type: 'i32', offset: ENV.guest + 0x2c, count: 1, stride: 4 };
/** System registers, u32 each: fields, not registers. */
export const SYSTEM_OFFSET = ENV.guest + 0x40;

/** Kinds of flags in CC[0]. */
export const FLAGS = {
  /** C and V clear, Z and S from the result. */
  logic: 0,
  add: 1,
  sub: 2,
  /** As `getf` gives them, in CC[1]. */
  explicit: 3,
} as const;

const NOT_TAKEN = 0xffffffff;

const helper = (name: string, module: string, rest: Partial<HelperDef>): HelperDef => ({
  name,
  module,
  params: ['i32', 'i32'],
  result: null,
  effect: 'state',
  mayFault: false,
  noReturn: false,
  ...rest,
});

/** Helpers that the host of synthetic guests provides: see `host.ts`. The first parameter is the vCPU block. */
export const SYNTHETIC_HELPERS = {
  /** (env, cause, address): raises. */
  raise: helper('raise', 'isa', { params: ['i32', 'i32', 'i32'], mayFault: true, noReturn: true }),
  /** (env): sets pc and mode from system registers. */
  eret: helper('eret', 'isa', { params: ['i32'] }),
  /** (env): asks `run` to return. */
  halt: helper('halt', 'host', { params: ['i32'] }),
  portIn: helper('port_in', 'host', { result: 'i32' }),
  portOut: helper('port_out', 'host', { params: ['i32', 'i32', 'i32'] }),
} as const;

type Operands = Readonly<Record<string, Operand>>;
type Translate = (b: Builder, o: Operands) => void;

const op = (o: Operands, name: string): Operand => o[name] as Operand;
const i32 = (b: Builder, o: Operands, name: string): Value => b.imm(op(o, name), 'i32');
const reg = (b: Builder, o: Operands, name: string): Value => b.get(R, op(o, name));

function setFlags(b: Builder, kind: number, source: Value, result: Value): void {
  b.put(CC, 0, b.i32(kind));
  b.put(CC, 1, source);
  b.put(CC, 2, result);
}

/** Flags as values that are 0 or 1 (S: not 0). */
interface Flags {
  readonly c: () => Value;
  readonly v: () => Value;
  readonly z: () => Value;
  readonly s: () => Value;
}

function flags(b: Builder): Flags {
  const kind = b.get(CC, 0);
  const source = b.get(CC, 1);
  const result = b.get(CC, 2);
  const is = (k: number): Value => b.op('eq', 'i32', kind, b.i32(k));
  const bit = (n: number): Value => b.op('and', 'i32', b.op('shr_u', 'i32', source, b.i32(n)), b.i32(1));
  const choose = (added: Value, subtracted: Value, n: number): Value =>
    b.select(
      'i32',
      is(FLAGS.add),
      added,
      b.select('i32', is(FLAGS.sub), subtracted, b.select('i32', is(FLAGS.explicit), bit(n), b.i32(0))),
    );
  const resultOr = (value: Value, n: number): Value => b.select('i32', is(FLAGS.explicit), bit(n), value);
  const minuend = (): Value => b.op('add', 'i32', result, source);
  const overflow = (a: Value, other: Value): Value =>
    b.op(
      'shr_u',
      'i32',
      b.op('and', 'i32', b.op('xor', 'i32', a, result), b.op('xor', 'i32', other, result)),
      b.i32(31),
    );
  return {
    c: () => choose(b.op('lt_u', 'i32', result, source), b.op('lt_u', 'i32', minuend(), source), 0),
    v: () => {
      const added = overflow(b.op('sub', 'i32', result, source), source);
      // A subtraction overflows when its operands' signs differ and the result's is the second's.
      const a = minuend();
      const subtracted = b.op(
        'shr_u',
        'i32',
        b.op('and', 'i32', b.op('xor', 'i32', a, source), b.op('xor', 'i32', a, result)),
        b.i32(31),
      );
      return choose(added, subtracted, 1);
    },
    z: () => resultOr(b.op('eqz', 'i32', result), 2),
    s: () => resultOr(b.op('shr_u', 'i32', result, b.i32(31)), 3),
  };
}

/** A condition by number: an operand, so its value is computed for all and chosen. */
function condition(b: Builder, number: Operand): Value {
  const f = flags(b);
  const base: (() => Value)[] = [
    f.c,
    f.v,
    f.z,
    f.s,
    () => b.op('xor', 'i32', f.s(), f.v()),
    () => b.op('or', 'i32', f.c(), f.z()),
  ];
  if (typeof number !== 'string') {
    const n = Number(number) % 12;
    const value = (base[n >> 1] as () => Value)();
    return (n & 1) === 0 ? value : b.op('eqz', 'i32', value);
  }
  const n = b.op('rem_u', 'i32', b.imm(number, 'i32'), b.i32(12));
  const which = b.op('shr_u', 'i32', n, b.i32(1));
  let value = (base[0] as () => Value)();
  for (let i = 1; i < base.length; i++)
    value = b.select('i32', b.op('eq', 'i32', which, b.i32(i)), (base[i] as () => Value)(), value);
  return b.op('xor', 'i32', value, b.op('and', 'i32', n, b.i32(1)));
}

function allFlags(b: Builder): Value {
  const f = flags(b);
  const at = (v: Value, n: number): Value => b.op('shl', 'i32', v, b.i32(n));
  return b.op(
    'or',
    'i32',
    b.op('or', 'i32', f.c(), at(f.v(), 1)),
    b.op('or', 'i32', at(f.z(), 2), at(f.s(), 3)),
  );
}

const access = (
  width: 1 | 2 | 4,
  signed = false,
  alignment: MemoryAccess['alignment'] = 'any',
): MemoryAccess => ({
  width,
  signed,
  bigEndian: true,
  addressType: 'i32',
  alignment,
});

const alu =
  (name: Op, kind: number, second: 's' | 'v', writes = true): Translate =>
  (b, o) => {
    const [x, y] = [reg(b, o, 'd'), second === 's' ? reg(b, o, 's') : i32(b, o, 'v')];
    const result = b.op(name, 'i32', x, y);
    setFlags(b, kind, y, result);
    if (writes) b.put(R, op(o, 'd'), result);
  };
const shift =
  (name: Op): Translate =>
  (b, o) =>
    b.put(R, op(o, 'd'), b.op(name, 'i32', reg(b, o, 'd'), i32(b, o, 'n')));
const address = (b: Builder, o: Operands): Value => b.op('add', 'i32', reg(b, o, 's'), i32(b, o, 'v'));
const load =
  (width: 1 | 2 | 4, signed: boolean): Translate =>
  (b, o) =>
    b.put(R, op(o, 'd'), b.load('i32', access(width, signed), address(b, o)));
const store =
  (width: 1 | 2 | 4): Translate =>
  (b, o) =>
    b.store('i32', access(width), address(b, o), reg(b, o, 'd'));

/** A target operand as a value: pc plus its distance. */
const targetValue = (b: Builder, o: Operands): Value => {
  const t = op(o, 't');
  // A record holds the distance in guest bytes in the high half of `imm`.
  return typeof t === 'string'
    ? b.op('add', 'i32', b.pc(), b.push({ op: 'field', type: 'i32', args: [], field: 'high' }))
    : b.pc(t);
};
const delayed = (b: Builder, target: Value): void => {
  b.put(H, 0, target);
  b.jump('next', { set: MODE_DELAY, clear: 0 });
};

const TRANSLATE: Record<Mnemonic, Translate> = {
  nop: () => undefined,
  mov: (b, o) => b.put(R, op(o, 'd'), reg(b, o, 's')),
  movi: (b, o) => b.put(R, op(o, 'd'), i32(b, o, 'v')),
  add: alu('add', FLAGS.add, 's'),
  sub: alu('sub', FLAGS.sub, 's'),
  and: alu('and', FLAGS.logic, 's'),
  or: alu('or', FLAGS.logic, 's'),
  xor: alu('xor', FLAGS.logic, 's'),
  cmp: alu('sub', FLAGS.sub, 's', false),
  addi: alu('add', FLAGS.add, 'v'),
  subi: alu('sub', FLAGS.sub, 'v'),
  andi: alu('and', FLAGS.logic, 'v'),
  cmpi: alu('sub', FLAGS.sub, 'v', false),
  adc: (b, o) => {
    const [x, y, c] = [reg(b, o, 'd'), reg(b, o, 's'), flags(b).c()];
    const part = b.op('add', 'i32', x, y);
    const result = b.op('add', 'i32', part, c);
    const carry = b.op('or', 'i32', b.op('lt_u', 'i32', part, x), b.op('lt_u', 'i32', result, part));
    const overflow = b.op(
      'shr_u',
      'i32',
      b.op('and', 'i32', b.op('xor', 'i32', x, result), b.op('xor', 'i32', y, result)),
      b.i32(31),
    );
    const at = (v: Value, n: number): Value => b.op('shl', 'i32', v, b.i32(n));
    const low = b.op('or', 'i32', carry, at(overflow, 1));
    const high = b.op(
      'or',
      'i32',
      at(b.op('eqz', 'i32', result), 2),
      at(b.op('shr_u', 'i32', result, b.i32(31)), 3),
    );
    setFlags(b, FLAGS.explicit, b.op('or', 'i32', low, high), result);
    b.put(R, op(o, 'd'), result);
  },
  shl: shift('shl'),
  shr: shift('shr_u'),
  sar: shift('shr_s'),
  mul: (b, o) => b.put(R, op(o, 'd'), b.op('mul', 'i32', reg(b, o, 'd'), reg(b, o, 's'))),
  div: (b, o) => {
    const [x, y] = [reg(b, o, 'd'), reg(b, o, 's')];
    const zero = b.op('eqz', 'i32', y);
    b.if(zero, () => b.callVoid(SYNTHETIC_HELPERS.raise, b.env(), b.i32(CAUSE.divide), b.i32(0)));
    b.put(R, op(o, 'd'), b.op('div_u', 'i32', x, b.select('i32', zero, b.i32(1), y)));
  },
  bswap: (b, o) => b.put(R, op(o, 'd'), b.op('bswap', 'i32', reg(b, o, 'd'))),
  lea: (b, o) => b.put(R, op(o, 'd'), address(b, o)),
  ld8u: load(1, false),
  ld8s: load(1, true),
  ld16u: load(2, false),
  ld16s: load(2, true),
  ld32: load(4, false),
  st8: store(1),
  st16: store(2),
  st32: store(4),
  movm: (b, o) => b.store('i32', access(4), address(b, o), i32(b, o, 'w')),
  xadd: (b, o) => {
    const at = reg(b, o, 's');
    const old = b.atomicRmw('i32', { ...access(4, false, 'fault'), rmw: 'add' }, at, reg(b, o, 'd'));
    b.put(R, op(o, 'd'), old);
  },
  push: (b, o) => {
    const sp = b.op('sub', 'i32', b.get(R, 6), b.i32(4));
    b.store('i32', access(4), sp, reg(b, o, 'd'));
    b.put(R, 6, sp);
  },
  pop: (b, o) => {
    const sp = b.get(R, 6);
    const value = b.load('i32', access(4), sp);
    b.put(R, 6, b.op('add', 'i32', sp, b.i32(4)));
    // Last: `pop r6` keeps what was loaded.
    b.put(R, op(o, 'd'), value);
  },
  set: (b, o) => b.put(R, op(o, 'd'), condition(b, op(o, 'n'))),
  cmov: (b, o) => b.if(condition(b, op(o, 'n')), () => b.put(R, op(o, 'd'), reg(b, o, 's'))),
  getf: (b, o) => b.put(R, op(o, 'd'), allFlags(b)),
  setf: (b, o) => setFlags(b, FLAGS.explicit, b.op('and', 'i32', reg(b, o, 's'), b.i32(15)), b.i32(0)),
  jcc: (b, o) => b.branch(condition(b, op(o, 'n')), op(o, 't')),
  jmp: (b, o) => b.jump(op(o, 't') as 'next'),
  call: (b, o) => {
    b.put(R, 7, b.nextPc());
    b.callTo(op(o, 't'));
  },
  callr: (b, o) => {
    const to = reg(b, o, 's');
    b.put(R, 7, b.nextPc());
    b.indirect(to, 'call');
  },
  jr: (b, o) => b.indirect(reg(b, o, 's'), 'jump'),
  ret: (b) => b.indirect(b.get(R, 7), 'return'),
  jccd: (b, o) => delayed(b, b.select('i32', condition(b, op(o, 'n')), targetValue(b, o), b.i32(NOT_TAKEN))),
  jmpd: (b, o) => delayed(b, targetValue(b, o)),
  in: (b, o) => b.put(R, op(o, 'd'), b.call(SYNTHETIC_HELPERS.portIn, b.env(), i32(b, o, 'n'))),
  out: (b, o) => b.callVoid(SYNTHETIC_HELPERS.portOut, b.env(), i32(b, o, 'n'), reg(b, o, 's')),
  gets: (b, o) => systemRegister(b, o, (at) => b.put(R, op(o, 'd'), at.load())),
  puts: (b, o) => systemRegister(b, o, (at) => at.store(reg(b, o, 's'))),
  geth: (b, o) => b.put(R, op(o, 'd'), b.get(H, 0)),
  puth: (b, o) => b.put(H, 0, reg(b, o, 's')),
  trap: (b, o) =>
    b.callVoid(
      SYNTHETIC_HELPERS.raise,
      b.env(),
      b.op('add', 'i32', i32(b, o, 'n'), b.i32(CAUSE.trap)),
      b.i32(0),
    ),
  eret: (b) => {
    b.callVoid(SYNTHETIC_HELPERS.eret, b.env());
    b.exit('env');
  },
  halt: (b) => {
    b.callVoid(SYNTHETIC_HELPERS.halt, b.env());
    b.exit('next');
  },
};

/** A field of the vCPU block has a fixed place, so which one is a chain of `if`s unless it is known. */
function systemRegister(
  b: Builder,
  o: Operands,
  use: (at: { load(): Value; store(v: Value): void }) => void,
): void {
  const at = (n: number): { load(): Value; store(v: Value): void } => ({
    load: () => b.loadEnv('i32', SYSTEM_OFFSET + 4 * n),
    store: (v) => b.storeEnv('i32', SYSTEM_OFFSET + 4 * n, v),
  });
  const number = op(o, 'n');
  if (typeof number !== 'string') return use(at(Number(number) & 7));
  const n = b.op('and', 'i32', b.imm(number, 'i32'), b.i32(7));
  for (let i = 0; i < 8; i++) b.if(b.op('eq', 'i32', n, b.i32(i)), () => use(at(i)));
}

const REG: OperandKind = { kind: 'reg', file: R };
const WRITTEN: OperandKind = { kind: 'reg', file: R, written: true };
const OPERANDS: Readonly<Record<Field, Readonly<Record<string, OperandKind>>>> = {
  d: { d: WRITTEN },
  s: { s: REG },
  ds: { d: WRITTEN, s: REG },
  n: { n: { kind: 'small' } },
  v8: { v: { kind: 'imm32' } },
  v16: { v: { kind: 'imm32' } },
  v32: { v: { kind: 'imm32' } },
  w32: { w: { kind: 'imm32' } },
  t8: { t: { kind: 'target' } },
  t32: { t: { kind: 'target' } },
};

function operandsOf(variant: Variant): Record<string, OperandKind> {
  if (variant.registerInOpcode === true) return { d: WRITTEN };
  return Object.assign({}, ...variant.fields.map((f) => OPERANDS[f])) as Record<string, OperandKind>;
}

function lengthsOf(variants: readonly Variant[]): number[] {
  return variants.flatMap((v) => Array.from({ length: (v.pad ?? 0) + 1 }, (_, pad) => variantBytes(v) + pad));
}

/** After the instruction in a delay slot: the pending jump. */
const inSlot =
  (translate: Translate): Translate =>
  (b, o) => {
    translate(b, o);
    if (b.terminator !== undefined) return;
    const target = b.get(H, 0);
    const taken = b.op('ne', 'i32', target, b.i32(NOT_TAKEN));
    b.indirect(b.select('i32', taken, target, b.nextPc()), 'jump', { set: 0, clear: MODE_DELAY });
  };

const MNEMONICS = Object.keys(ENCODINGS) as Mnemonic[];
const define = (name: Mnemonic, slot: boolean): InstructionDef => {
  const variants: readonly Variant[] = ENCODINGS[name];
  return {
    name: slot ? `${name}.slot` : name,
    operands: operandsOf(variants[0] as Variant),
    translate: slot ? inSlot(TRANSLATE[name]) : TRANSLATE[name],
    lengths: lengthsOf(variants),
    cold: name === 'gets' || name === 'puts' || name === 'getf' || name === 'adc',
  };
};

const ILLEGAL: InstructionDef = {
  name: 'illegal',
  operands: { bits: { kind: 'imm' } },
  lengths: [1],
  translate: (b, o) =>
    b.callVoid(SYNTHETIC_HELPERS.raise, b.env(), b.i32(CAUSE.illegal), b.imm(op(o, 'bits'), 'i32')),
};

const INSTRUCTIONS: readonly InstructionDef[] = [
  ILLEGAL,
  ...MNEMONICS.map((name) => define(name, false)),
  ...MNEMONICS.filter((name) => !NOT_IN_SLOT.has(name)).map((name) => define(name, true)),
];
const NUMBERS: ReadonlyMap<string, number> = new Map(INSTRUCTIONS.map((def, i) => [def.name, i]));

const signed = (value: number, bytes: number): number => (value << (32 - 8 * bytes)) >> (32 - 8 * bytes);

function decode(code: CodeReader, _pc: bigint, mode: number, out: Decoded): boolean {
  let at = 0;
  let pads = 0;
  while (pads < 5 && at < code.length && code.u8(at) === PREFIX) {
    at++;
    pads++;
  }
  if (at >= code.length) return false;
  const opcode = code.u8(at);
  const found = BY_OPCODE.get(opcode);
  const slot = (mode & MODE_DELAY) !== 0;
  if (found === undefined || (found.variant.pad ?? 0) < pads || (slot && NOT_IN_SLOT.has(found.name))) {
    out.def = 0;
    out.length = 1;
    out.operands = [code.u8(0)];
    return true;
  }
  const { name, variant } = found;
  out.length = variantBytes(variant) + pads;
  if (out.length > code.length) return false;
  out.def = NUMBERS.get(slot ? `${name}.slot` : name) as number;
  out.operands = variant.registerInOpcode === true ? [opcode & 7] : [];
  at++;
  for (const field of variant.fields) {
    const bytes = field.endsWith('32') ? 4 : field.endsWith('16') ? 2 : 1;
    const raw = bytes === 4 ? code.u32(at) : bytes === 2 ? code.u16(at) : code.u8(at);
    if (field === 'ds') out.operands.push((raw >> 4) & 7, raw & 7);
    else if (field === 'd' || field === 's') out.operands.push(raw & 7);
    else out.operands.push(field === 'n' ? raw : signed(raw, bytes));
    at += bytes;
  }
  return true;
}

/** The synthetic guest, as the translator sees it. */
export const syntheticFrontEnd: FrontEnd = {
  name: 'synthetic',
  addressType: 'i32',
  bigEndian: true,
  alignmentLog2: 0,
  maxLength: 15,
  registerFiles: [R, CC, H],
  helpers: Object.values(SYNTHETIC_HELPERS),
  instructions: INSTRUCTIONS,
  illegal: 0,
  decode,
  mmuIndex: () => 0,
};
