import type { Builder, MemoryAccess, Op, Value } from '@polyvisor/tcg';
import { HELPERS } from '../helpers.ts';
import { CAUSE } from '../mode.ts';
import { X } from '../state.ts';
import type { Operands, Translate, Translations } from './translation.ts';

/** Little-endian access at any alignment; the slow path splits what is misaligned. */
export const access = (width: 1 | 2 | 4 | 8, signed: boolean): MemoryAccess => ({
  width,
  signed,
  bigEndian: false,
  addressType: 'i64',
  alignment: 'slow',
});

/** rs1 plus the immediate. */
export const address = (b: Builder, o: Operands): Value => b.op('add', 'i64', b.get(X, o.rs1), b.imm(o.imm));

/** rd = op(rs1, rs2) in 64 bits. */
export const registers =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op(op, 'i64', b.get(X, o.rs1), b.get(X, o.rs2)));

/** rd = sign extension of op(rs1, rs2) in 32 bits. */
export const words =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, extended(b, b.op(op, 'i32', word(b, o.rs1), word(b, o.rs2))));

/** Low half of an integer register. */
export const word = (b: Builder, register: Operands['rs1']): Value => b.op('wrap', 'i32', b.get(X, register));
/** 32-bit value, sign-extended. */
export const extended = (b: Builder, value: Value): Value => b.op('extend_s', 'i64', value);

const immediate =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op(op, 'i64', b.get(X, o.rs1), b.imm(o.imm)));

const shift =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.op(op, 'i64', b.get(X, o.rs1), b.imm(o.shamt)));

const shiftWord =
  (op: Op): Translate =>
  (b, o) =>
    b.put(X, o.rd, extended(b, b.op(op, 'i32', word(b, o.rs1), b.imm(o.shamt, 'i32'))));

const flag = (b: Builder, condition: Value): Value => b.op('extend_u', 'i64', condition);

const branch =
  (op: Op): Translate =>
  (b, o) =>
    b.branch(b.op(op, 'i64', b.get(X, o.rs1), b.get(X, o.rs2)), o.target);

const load =
  (width: 1 | 2 | 4 | 8, signed: boolean): Translate =>
  (b, o) =>
    b.put(X, o.rd, b.load('i64', access(width, signed), address(b, o)));

const store =
  (width: 1 | 2 | 4 | 8): Translate =>
  (b, o) =>
    b.store('i64', access(width, false), address(b, o), b.get(X, o.rs2));

/** Where jalr goes: its lowest bit is dropped. */
const jumpTarget = (b: Builder, o: Operands): Value => b.op('and', 'i64', address(b, o), b.i64(-2));

const jalr =
  (hint: 'jump' | 'call'): Translate =>
  (b, o) => {
    const target = jumpTarget(b, o);
    b.put(X, o.rd, b.nextPc());
    b.indirect(target, hint);
  };

/** RV64I, Zifencei. */
export const BASE_TRANSLATIONS: Translations = {
  cold: ['fence', 'fence.i', 'pause', 'ecall', 'ebreak'],
  translate: {
    lui: (b, o) => b.put(X, o.rd, b.imm(o.imm)),
    li: (b, o) => b.put(X, o.rd, b.imm(o.imm)),
    auipc: (b, o) => b.put(X, o.rd, b.op('add', 'i64', b.pc(), b.imm(o.imm))),
    mv: (b, o) => b.put(X, o.rd, b.get(X, o.rs1)),
    nop: () => {},

    j: (b, o) => b.jump(o.target),
    jal: (b, o) => {
      b.put(X, o.rd, b.nextPc());
      b.jump(o.target);
    },
    jal_call: (b, o) => {
      b.put(X, o.rd, b.nextPc());
      b.callTo(o.target);
    },
    jalr: jalr('jump'),
    jalr_call: jalr('call'),
    jalr_return: (b, o) => b.indirect(jumpTarget(b, o), 'return'),
    jr: (b, o) => b.indirect(jumpTarget(b, o), 'jump'),

    beq: branch('eq'),
    bne: branch('ne'),
    blt: branch('lt_s'),
    bge: branch('ge_s'),
    bltu: branch('lt_u'),
    bgeu: branch('ge_u'),
    beqz: (b, o) => b.branch(b.op('eqz', 'i64', b.get(X, o.rs1)), o.target),
    bnez: (b, o) => b.branch(b.op('ne', 'i64', b.get(X, o.rs1), b.i64(0)), o.target),

    lb: load(1, true),
    lh: load(2, true),
    lw: load(4, true),
    ld: load(8, false),
    lbu: load(1, false),
    lhu: load(2, false),
    lwu: load(4, false),
    sb: store(1),
    sh: store(2),
    sw: store(4),
    sd: store(8),

    addi: immediate('add'),
    xori: immediate('xor'),
    ori: immediate('or'),
    andi: immediate('and'),
    slti: (b, o) => b.put(X, o.rd, flag(b, b.op('lt_s', 'i64', b.get(X, o.rs1), b.imm(o.imm)))),
    sltiu: (b, o) => b.put(X, o.rd, flag(b, b.op('lt_u', 'i64', b.get(X, o.rs1), b.imm(o.imm)))),
    seqz: (b, o) => b.put(X, o.rd, flag(b, b.op('eqz', 'i64', b.get(X, o.rs1)))),
    not: (b, o) => b.put(X, o.rd, b.op('xor', 'i64', b.get(X, o.rs1), b.i64(-1))),
    slli: shift('shl'),
    srli: shift('shr_u'),
    srai: shift('shr_s'),
    add: registers('add'),
    sub: registers('sub'),
    sll: registers('shl'),
    srl: registers('shr_u'),
    sra: registers('shr_s'),
    xor: registers('xor'),
    or: registers('or'),
    and: registers('and'),
    slt: (b, o) => b.put(X, o.rd, flag(b, b.op('lt_s', 'i64', b.get(X, o.rs1), b.get(X, o.rs2)))),
    sltu: (b, o) => b.put(X, o.rd, flag(b, b.op('lt_u', 'i64', b.get(X, o.rs1), b.get(X, o.rs2)))),
    snez: (b, o) => b.put(X, o.rd, flag(b, b.op('ne', 'i64', b.get(X, o.rs2), b.i64(0)))),

    addiw: (b, o) => b.put(X, o.rd, extended(b, b.op('add', 'i32', word(b, o.rs1), b.imm(o.imm, 'i32')))),
    'sext.w': (b, o) => b.put(X, o.rd, b.op('extend32_s', 'i64', b.get(X, o.rs1))),
    slliw: shiftWord('shl'),
    srliw: shiftWord('shr_u'),
    sraiw: shiftWord('shr_s'),
    addw: words('add'),
    subw: words('sub'),
    sllw: words('shl'),
    srlw: words('shr_u'),
    sraw: words('shr_s'),

    fence: (b) => b.fence(),
    pause: () => {},
    'fence.i': (b) => {
      b.callVoid(HELPERS.fenceI, b.env());
      b.exit('next');
    },
    ecall: (b) => b.callVoid(HELPERS.ecall, b.env()),
    ebreak: (b) => b.callVoid(HELPERS.ebreak, b.env(), b.pc()),
  },
};

/** What stands for encodings that no table has. */
export const SPECIAL_TRANSLATIONS: Translations = {
  cold: 'all',
  translate: {
    illegal: (b, o) => b.callVoid(HELPERS.raise, b.env(), b.i32(CAUSE.illegalInstruction), b.imm(o.bits)),
  },
};
