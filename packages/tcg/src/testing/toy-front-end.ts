import { ENV, EXIT } from '../env.ts';
import type { CodeReader, Decoded, FrontEnd, InstructionDef, OperandKind } from '../front-end.ts';
import type { HelperDef, MemoryAccess, RegisterFile } from '../ir/ir.ts';
import type { Builder } from '../ir/builder.ts';
import type { Op } from '../ir/ops.ts';

/** A made-up guest for tests: every instruction is an opcode byte and its operands' bytes. */
export interface ToyGuest {
  readonly frontEnd: FrontEnd;
  readonly x: RegisterFile;
  /** Assembles a program at `pc`: `[name, ...operands]` rows; a string alone is a label, a string operand its distance. */
  assemble(
    pc: bigint,
    rows: readonly (string | readonly [string, ...(number | bigint | string)[]])[],
  ): Uint8Array;
}

export interface ToyOptions {
  readonly addressType: 'i32' | 'i64';
  readonly bigEndian: boolean;
  readonly alignmentLog2: 0 | 1 | 2;
}

const helper = (name: string, rest: Partial<HelperDef>): HelperDef => ({
  name,
  module: 'isa',
  params: ['i32'],
  result: null,
  effect: 'state',
  mayFault: false,
  noReturn: false,
  ...rest,
});

export const TOY_HELPERS = {
  /** Twice its argument; faults for 13. */
  check: helper('check', { params: ['i32', 'i64'], result: 'i64', mayFault: true }),
  /** Swaps registers 1 and 2. */
  shuffle: helper('shuffle', { effect: 'registers' }),
  /** Raises fault 9. */
  trap: helper('trap', { mayFault: true, noReturn: true }),
} as const;

const OPERAND_BYTES: Readonly<Record<OperandKind['kind'], number>> = {
  reg: 1,
  small: 2,
  imm32: 4,
  imm: 8,
  target: 4,
};

/** Front end of the made-up guest. */
export function toyGuest(options: ToyOptions): ToyGuest {
  const { addressType, bigEndian, alignmentLog2 } = options;
  const type = addressType;
  const x: RegisterFile = { name: 'x', type, offset: ENV.guest, count: 8, stride: 8, zero: 0, sink: 8 };
  const reg: OperandKind = { kind: 'reg', file: x };
  const dst: OperandKind = { kind: 'reg', file: x, written: true };
  const imm32: OperandKind = { kind: 'imm32' };
  const target: OperandKind = { kind: 'target' };
  const instructions: InstructionDef[] = [];
  const round = (n: number): number => ((n + (1 << alignmentLog2) - 1) >> alignmentLog2) << alignmentLog2;
  const define = (
    name: string,
    operands: Record<string, OperandKind>,
    translate: InstructionDef['translate'],
    cold = false,
  ): void => {
    const bytes = Object.values(operands).reduce((n, k) => n + OPERAND_BYTES[k.kind], 1);
    instructions.push({ name, operands, translate, cold, lengths: [round(bytes)] });
  };
  const mem = (
    width: 1 | 2 | 4 | 8,
    signed: boolean,
    alignment: MemoryAccess['alignment'] = 'any',
  ): MemoryAccess => ({
    width,
    signed,
    bigEndian,
    addressType,
    alignment,
  });

  define('illegal', { bits: { kind: 'imm' } }, (b) => b.callVoid(TOY_HELPERS.trap, b.env()));
  const three = { d: dst, a: reg, b: reg };
  for (const op of ['add', 'sub', 'mul', 'xor', 'mulh_s', 'mulh_u', 'mulh_su'] as Op[])
    define(op, three, (b, o) => b.put(x, o['d']!, b.op(op, type, b.get(x, o['a']!), b.get(x, o['b']!))));
  define('addi', { d: dst, a: reg, n: imm32 }, (b, o) =>
    b.put(x, o['d']!, b.op('add', type, b.get(x, o['a']!), b.imm(o['n']!, type))),
  );
  define('li', { d: dst, n: { kind: 'imm' } }, (b, o) => b.put(x, o['d']!, b.imm(o['n']!, type)));
  define('swap', { d: dst, a: reg }, (b, o) => b.put(x, o['d']!, b.op('bswap', type, b.get(x, o['a']!))));
  define('pc', { d: dst }, (b, o) => b.put(x, o['d']!, b.op('xor', type, b.pc(3), b.nextPc())));
  for (const width of [1, 2, 4, 8] as const) {
    if (width === 8 && type === 'i32') continue;
    for (const signed of [false, true]) {
      for (const alignment of ['any', 'slow'] as const) {
        const suffix = `${width}${signed ? 's' : 'u'}${alignment === 'slow' ? 'a' : ''}`;
        define(`load${suffix}`, { d: dst, a: reg, n: imm32 }, (b, o) => {
          const address = b.op('add', type, b.get(x, o['a']!), b.imm(o['n']!, type));
          b.put(x, o['d']!, b.load(type, mem(width, signed, alignment), address));
        });
      }
    }
    define(`store${width}`, { v: reg, a: reg, n: imm32 }, (b, o) => {
      const address = b.op('add', type, b.get(x, o['a']!), b.imm(o['n']!, type));
      b.store(type, mem(width, false), address, b.get(x, o['v']!));
    });
  }
  define('swapmem', { d: dst, a: reg, v: reg }, (b, o) => {
    const access: MemoryAccess = { ...mem(4, true, 'fault'), rmw: 'xchg' };
    b.put(x, o['d']!, b.atomicRmw(type, access, b.get(x, o['a']!), b.get(x, o['v']!)));
  });
  for (const op of ['eq', 'ne', 'lt_s', 'lt_u'] as Op[])
    define(`b${op}`, { a: reg, b: reg, t: target }, (b, o) =>
      b.branch(b.op(op, type, b.get(x, o['a']!), b.get(x, o['b']!)), o['t']!),
    );
  define('jump', { t: target }, (b, o) => b.jump(o['t']!));
  define('call', { d: dst, t: target }, (b, o) => {
    b.put(x, o['d']!, b.nextPc());
    b.callTo(o['t']!);
  });
  const indirect =
    (hint: 'jump' | 'call' | 'return') =>
    (b: Builder, o: Readonly<Record<string, never>>): void => {
      const to = b.get(x, o['a']!);
      b.put(x, o['d']!, b.nextPc());
      b.indirect(to, hint);
    };
  define('return', { d: dst, a: reg }, indirect('return') as InstructionDef['translate']);
  define('jumpr', { d: dst, a: reg }, indirect('jump') as InstructionDef['translate']);
  define('callr', { d: dst, a: reg }, indirect('call') as InstructionDef['translate']);
  for (const cold of [false, true]) {
    const c = cold ? 'cold' : '';
    define(
      `check${c}`,
      { d: dst, a: reg },
      (b, o) =>
        b.put(
          x,
          o['d']!,
          b.call(
            TOY_HELPERS.check,
            b.env(),
            type === 'i64' ? b.get(x, o['a']!) : b.op('extend_u', 'i64', b.get(x, o['a']!)),
          ) as never,
        ),
      cold,
    );
    // Skips the next instruction's worth of work when zero, from inside an `if`.
    define(
      `skip${c}`,
      { a: reg, t: target },
      (b, o) => {
        b.if(
          b.op('eqz', type, b.get(x, o['a']!)),
          () => {
            b.put(x, 7, b.pc());
            b.jump(o['t']!);
          },
          () => b.put(x, 7, b.nextPc()),
        );
      },
      cold,
    );
    define(`shuffle${c}`, {}, (b) => b.callVoid(TOY_HELPERS.shuffle, b.env()), cold);
  }
  define('halt', {}, (b) => {
    b.storeEnv('i32', ENV.hostExit, b.i32(EXIT.host));
    b.exit('next');
  });
  define('mode', { m: imm32 }, (b, o) => {
    b.storeEnv('i32', ENV.mode, b.imm(o['m']!, 'i32'));
    b.exit('next');
  });
  // 32-bit guests: the helper's i64 result must be wrapped.
  const typed = instructions.map((def) =>
    type === 'i32' && def.name.startsWith('check')
      ? {
          ...def,
          translate: ((b, o) =>
            b.put(
              x,
              o['d']!,
              b.op(
                'wrap',
                'i32',
                b.call(TOY_HELPERS.check, b.env(), b.op('extend_u', 'i64', b.get(x, o['a']!))),
              ),
            )) as InstructionDef['translate'],
        }
      : def,
  );

  const frontEnd: FrontEnd = {
    name: 'toy',
    addressType,
    bigEndian,
    alignmentLog2,
    maxLength: round(11),
    registerFiles: [x],
    helpers: Object.values(TOY_HELPERS),
    instructions: typed,
    illegal: 0,
    mmuIndex: () => 0,
    decode: (code: CodeReader, _pc: bigint, _mode: number, out: Decoded): boolean => {
      if (code.length < 1) return false;
      const at = code.u8(0);
      const def = typed[at];
      out.operands.length = 0;
      if (def === undefined || at === 0) {
        out.def = 0;
        out.length = typed[0]!.lengths[0]!;
        out.operands.push(at);
        return true;
      }
      const length = def.lengths[0]!;
      if (code.length < length) return false;
      out.def = at;
      out.length = length;
      let byte = 1;
      for (const kind of Object.values(def.operands)) {
        const bytes = OPERAND_BYTES[kind.kind];
        let value = 0n;
        for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(code.u8(byte + i));
        byte += bytes;
        out.operands.push(
          kind.kind === 'imm' ? BigInt.asIntN(64, value) : Number(BigInt.asIntN(bytes * 8, value)),
        );
      }
      return true;
    },
  };

  const assemble: ToyGuest['assemble'] = (pc, rows) => {
    const labels = new Map<string, bigint>();
    const out: number[] = [];
    for (const write of [false, true]) {
      out.length = 0;
      for (const row of rows) {
        if (typeof row === 'string') {
          labels.set(row, pc + BigInt(out.length));
          continue;
        }
        const start = out.length;
        const index = typed.findIndex((d) => d.name === row[0]);
        if (index < 0) throw new Error(`no instruction ${row[0]}`);
        out.push(index);
        Object.values(typed[index]!.operands).forEach((kind, i) => {
          const operand = row[i + 1]!;
          const value =
            typeof operand === 'string'
              ? write
                ? labels.get(operand)! - (pc + BigInt(start))
                : 0n
              : BigInt(operand);
          for (let b = 0; b < OPERAND_BYTES[kind.kind]; b++)
            out.push(Number((value >> BigInt(8 * b)) & 255n));
        });
        while (out.length - start < typed[index]!.lengths[0]!) out.push(0);
      }
    }
    return Uint8Array.from(out);
  };
  return { frontEnd, x, assemble };
}
