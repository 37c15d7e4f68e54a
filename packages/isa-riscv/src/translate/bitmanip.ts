import type { Builder, HelperDef, Op, Value } from '@polyvisor/tcg';
import { HELPERS } from '../helpers.ts';
import { X } from '../state.ts';
import { extended, registers, word, words } from './base.ts';
import type { Operands, Translate, Translations } from './translation.ts';

const unary =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op(op, 'i64', b.get(X, o.rs1)));

/** Counts in the low half: the result is never negative. */
const unaryWord =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op('extend_u', 'i64', b.op(op, 'i32', word(b, o.rs1))));

const inverted =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op(op, 'i64', b.get(X, o.rs1), b.op('xor', 'i64', b.get(X, o.rs2), b.i64(-1))));

const choose =
  (op: Op): Translate =>
  (b, o) => {
    const x = b.get(X, o.rs1);
    const y = b.get(X, o.rs2);
    b.put(X, o.rd, b.select('i64', b.op(op, 'i64', x, y), x, y));
  };

const lowWord = (b: Builder, register: Operands['rs1']): Value =>
  b.op('extend32_u', 'i64', b.get(X, register));

const shiftAdd =
  (count: number): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op('add', 'i64', b.op('shl', 'i64', b.get(X, o.rs1), b.i64(count)), b.get(X, o.rs2)));

const shiftAddWord =
  (count: number): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op('add', 'i64', b.op('shl', 'i64', lowWord(b, o.rs1), b.i64(count)), b.get(X, o.rs2)));

type Index = (b: Builder, o: Operands) => Value;
const byRegister: Index = (b, o) => b.get(X, o.rs2);
const byImmediate: Index = (b, o) => b.imm(o.shamt);

const bit = (b: Builder, index: Value): Value => b.op('shl', 'i64', b.i64(1), index);

const clearBit =
  (index: Index): Translate =>
  (b, o) => {
    const others = b.op('xor', 'i64', bit(b, index(b, o)), b.i64(-1));
    b.put(X, o.rd, b.op('and', 'i64', b.get(X, o.rs1), others));
  };

const extractBit =
  (index: Index): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op('and', 'i64', b.op('shr_u', 'i64', b.get(X, o.rs1), index(b, o)), b.i64(1)));

const withBit =
  (op: Op, index: Index): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op(op, 'i64', b.get(X, o.rs1), bit(b, index(b, o))));

/** Each byte that is not 0 becomes all ones: first its top bit alone, then spread by multiplying with 255. */
const orCombine: Translate = (b, o) => {
  const low7 = b.i64(0x7f7f7f7f7f7f7f7fn);
  const x = b.get(X, o.rs1);
  const carried = b.op('add', 'i64', b.op('and', 'i64', x, low7), low7);
  const tops = b.op('or', 'i64', carried, x);
  const ones = b.op('and', 'i64', b.op('shr_u', 'i64', tops, b.i64(7)), b.i64(0x0101010101010101n));
  b.put(X, o.rd, b.op('sub', 'i64', b.op('shl', 'i64', ones, b.i64(8)), ones));
};

const helped =
  (helper: HelperDef): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.call(helper, b.get(X, o.rs1), b.get(X, o.rs2)));

/** rs1's low `bits`, with rs2's above them. */
const packed = (b: Builder, o: Operands, bits: 8 | 16 | 32): Value => {
  const low = b.op('and', 'i64', b.get(X, o.rs1), b.i64((1n << BigInt(bits)) - 1n));
  return b.op('or', 'i64', low, b.op('shl', 'i64', b.get(X, o.rs2), b.i64(bits)));
};

/** Neighbouring groups of `count` bits change places; `low` has the lower group of each pair. */
const swapped = (b: Builder, x: Value, count: number, low: bigint): Value => {
  const down = b.op('and', 'i64', b.op('shr_u', 'i64', x, b.i64(count)), b.i64(low));
  const up = b.op('shl', 'i64', b.op('and', 'i64', x, b.i64(low)), b.i64(count));
  return b.op('or', 'i64', down, up);
};

const reverseInBytes: Translate = (b, o) => {
  let x = b.get(X, o.rs1);
  x = swapped(b, x, 4, 0x0f0f0f0f0f0f0f0fn);
  x = swapped(b, x, 2, 0x3333333333333333n);
  b.put(X, o.rd, swapped(b, x, 1, 0x5555555555555555n));
};

const RARE = ['clmul', 'clmulr', 'clmulh', 'pack', 'packh', 'packw', 'brev8', 'xperm4', 'xperm8'] as const;

/** Zba, Zbb, Zbc, Zbkb, Zbkx, Zbs. */
export const BITMANIP_TRANSLATIONS: Translations = {
  cold: ['orc.b', 'rev8', 'rolw', 'rorw', 'roriw', 'clzw', 'ctzw', 'cpopw', 'cpop', ...RARE],
  translate: {
    sh1add: shiftAdd(1),
    sh2add: shiftAdd(2),
    sh3add: shiftAdd(3),
    'add.uw': (b, o) => b.put(X, o.rd, b.op('add', 'i64', lowWord(b, o.rs1), b.get(X, o.rs2))),
    'sh1add.uw': shiftAddWord(1),
    'sh2add.uw': shiftAddWord(2),
    'sh3add.uw': shiftAddWord(3),
    'slli.uw': (b, o) => b.put(X, o.rd, b.op('shl', 'i64', lowWord(b, o.rs1), b.imm(o.shamt))),

    andn: inverted('and'),
    orn: inverted('or'),
    xnor: inverted('xor'),
    clz: unary('clz'),
    ctz: unary('ctz'),
    cpop: unary('popcnt'),
    clzw: unaryWord('clz'),
    ctzw: unaryWord('ctz'),
    cpopw: unaryWord('popcnt'),
    max: choose('gt_s'),
    maxu: choose('gt_u'),
    min: choose('lt_s'),
    minu: choose('lt_u'),
    'sext.b': unary('extend8_s'),
    'sext.h': unary('extend16_s'),
    'zext.h': (b, o) => b.put(X, o.rd, b.op('and', 'i64', b.get(X, o.rs1), b.i64(0xffff))),
    rol: registers('rotl'),
    ror: registers('rotr'),
    rori: (b, o) => b.put(X, o.rd, b.op('rotr', 'i64', b.get(X, o.rs1), b.imm(o.shamt))),
    rolw: words('rotl'),
    rorw: words('rotr'),
    roriw: (b, o) => b.put(X, o.rd, extended(b, b.op('rotr', 'i32', word(b, o.rs1), b.imm(o.shamt, 'i32')))),
    'orc.b': orCombine,
    rev8: unary('bswap'),

    clmul: helped(HELPERS.clmul),
    clmulr: helped(HELPERS.clmulr),
    clmulh: (b, o) => {
      const product = b.call(HELPERS.clmulr, b.get(X, o.rs1), b.get(X, o.rs2));
      b.put(X, o.rd, b.op('shr_u', 'i64', product, b.i64(1)));
    },
    pack: (b, o) => b.put(X, o.rd, packed(b, o, 32)),
    packh: (b, o) => b.put(X, o.rd, b.op('and', 'i64', packed(b, o, 8), b.i64(0xffff))),
    packw: (b, o) => b.put(X, o.rd, b.op('extend32_s', 'i64', packed(b, o, 16))),
    brev8: reverseInBytes,
    xperm4: helped(HELPERS.xperm4),
    xperm8: helped(HELPERS.xperm8),

    bclr: clearBit(byRegister),
    bclri: clearBit(byImmediate),
    bext: extractBit(byRegister),
    bexti: extractBit(byImmediate),
    binv: withBit('xor', byRegister),
    binvi: withBit('xor', byImmediate),
    bset: withBit('or', byRegister),
    bseti: withBit('or', byImmediate),
  },
};
