/*
 * A small assembler, so that bare-metal tests need no tool of the host. Every instruction takes four bytes;
 * encodings are those of the decode tables.
 */
import { encodeInstruction, operandsOf } from './encode-instruction.ts';

const REGISTER_NAMES =
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(
    ' ',
  );

const CSR: Readonly<Record<string, number>> = {
  sstatus: 0x100, sie: 0x104, stvec: 0x105, sscratch: 0x140, sepc: 0x141, scause: 0x142, stval: 0x143, sip: 0x144,
  satp: 0x180, mstatus: 0x300, medeleg: 0x302, mideleg: 0x303, mie: 0x304, mtvec: 0x305, mscratch: 0x340,
  mepc: 0x341, mcause: 0x342, mtval: 0x343, mip: 0x344, pmpcfg0: 0x3a0, pmpaddr0: 0x3b0, mhartid: 0xf14,
  time: 0xc01, instret: 0xc02, stimecmp: 0x14d,
}; // prettier-ignore

type Operands = readonly string[];

/** Where the assembler stands while it encodes an instruction. */
interface Place {
  readonly address: number;
  value(text: string): number;
}

/**
 * Assembles a program that begins at `origin`. One statement a line; `# comment`; `label:` on a line of its own.
 * Beside instructions: `li REG, NUMBER` (32 bits, signed or unsigned), `la`, `mv`, `j`, `jr`, `call`, `ret`, `nop`,
 * `csrr`, `csrw`, `beqz`, `bnez`, `.word NUMBER`, `.dword NUMBER`, `.zero BYTES`, `.align BYTES`.
 * @throws Error that names the line.
 */
export function assemble(source: string, origin = 0x8000_0000): Uint8Array {
  const labels = new Map<string, number>();
  const statements = source
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  let size = 0;
  for (const line of statements) {
    if (line.endsWith(':')) labels.set(line.slice(0, -1), origin + size);
    else size += sizeOf(line, origin + size);
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const line of statements) {
    if (line.endsWith(':')) continue;
    const value = (text: string): number => {
      const found = labels.get(text) ?? Number(text);
      if (Number.isNaN(found) || text === '') throw new Error(`${line}: what is '${text}'?`);
      return found;
    };
    const length = sizeOf(line, origin + at);
    if (line.startsWith('.dword'))
      view.setBigUint64(at, BigInt.asUintN(64, BigInt(value(argument(line)))), true);
    else if (line.startsWith('.word')) view.setUint32(at, value(argument(line)) >>> 0, true);
    else if (!line.startsWith('.')) {
      encode(line, { address: origin + at, value }).forEach((word, i) =>
        view.setUint32(at + 4 * i, word >>> 0, true),
      );
    }
    at += length;
  }
  return bytes;
}

const argument = (line: string): string => line.split(/\s+/)[1] ?? '';

function sizeOf(line: string, at: number): number {
  if (line.startsWith('.dword')) return 8;
  if (line.startsWith('.zero')) return Number(argument(line));
  if (line.startsWith('.align')) return -at & (Number(argument(line)) - 1);
  return /^(li|la)\s/.test(line) ? 8 : 4;
}

function encode(line: string, place: Place): number[] {
  const [name = '', ...operands] = line.split(/[\s,()]+/).filter((part) => part !== '');
  const short = SHORT[name];
  if (short !== undefined) return short(operands, place);
  // An ordering suffix sets aq and rl.
  const order = /^(?:lr|sc|amo\w+)\..*\.aqrl$/.exec(name);
  const plain = order === null ? name : name.slice(0, -5);
  const format = operandsOf(plain);
  if (format === undefined) throw new Error(`unknown instruction: ${line}`);
  const values: Record<string, number> = {};
  textOrder(plain, format).forEach((field, i) => (values[field] = operand(field, operands[i] ?? '', place)));
  return [(encodeInstruction(plain, values) | (order === null ? 0 : 3 << 25)) >>> 0];
}

/** Operands in the order of assembly text, where that is not the format's. */
function textOrder(name: string, format: readonly string[]): readonly string[] {
  const fields = format.map((field) => field.replace(/\..*/, ''));
  if (/^(l[bhw]u?|ld)$/.test(name)) return ['rd', 'imm', 'rs1'];
  if (/^s[bhwd]$/.test(name)) return ['rs2', 'imm', 'rs1'];
  if (/^(sc|amo\w+)\./.test(name)) return ['rd', 'rs2', 'rs1'];
  if (name.startsWith('csrr')) return ['rd', 'csr', name.endsWith('i') ? 'zimm' : 'rs1'];
  return fields;
}

function operand(field: string, text: string, { address, value }: Place): number {
  if (field === 'rd' || /^rs\d$/.test(field)) return register(text);
  if (field === 'csr') return CSR[text] ?? value(text);
  if (field === 'target') return near(value(text) - address, text);
  return field === 'imm' ? small(value(text)) : value(text);
}

const word = (name: string, operands: Readonly<Record<string, number>> = {}): number[] => [
  encodeInstruction(name, operands),
];
const branchToZero =
  (name: string) =>
  ([a, to = '']: Operands, { address, value }: Place): number[] =>
    word(name, { rs1: register(a), target: near(value(to) - address, to) });
const jump =
  (rd: number) =>
  ([to = '']: Operands, { address, value }: Place): number[] =>
    word('jal', { rd, target: near(value(to) - address, to, 1 << 20) });

/** Other names of instructions. */
const SHORT: Readonly<Record<string, (o: Operands, place: Place) => number[]>> = {
  nop: () => word('addi'),
  ret: () => word('jalr', { rs1: 1 }),
  fence: () => word('fence', {}).map((bits) => bits | 0x0ff00000),
  'fence.i': () => word('fence.i'),
  'sfence.vma': ([va, asid]) =>
    word('sfence.vma', { rs1: register(va ?? 'zero'), rs2: register(asid ?? 'zero') }),
  mv: ([to, from]) => word('addi', { rd: register(to), rs1: register(from) }),
  j: jump(0),
  call: jump(1),
  jal: ([to, label = ''], { address, value }) =>
    word('jal', { rd: register(to), target: near(value(label) - address, label, 1 << 20) }),
  jr: ([from]) => word('jalr', { rs1: register(from) }),
  jalr: ([from]) => word('jalr', { rd: 1, rs1: register(from) }),
  beqz: branchToZero('beq'),
  bnez: branchToZero('bne'),
  csrr: ([to, csr = ''], { value }) => word('csrrs', { rd: register(to), csr: CSR[csr] ?? value(csr) }),
  csrw: ([csr = '', from], { value }) => word('csrrw', { rs1: register(from), csr: CSR[csr] ?? value(csr) }),
  li: ([to, number = ''], { value }) => constant(register(to), value(number)),
  la: ([to, label = ''], { address, value }) => {
    const rd = register(to);
    const offset = value(label) - address;
    return [
      encodeInstruction('auipc', { rd, imm: upper(offset) }),
      encodeInstruction('addi', { rd, rs1: rd, imm: lower(offset) }),
    ];
  },
};

/** lui and addiw; a value of 2^31 and more is a small constant, shifted: RAM addresses. */
function constant(rd: number, value: number): number[] {
  if (value >= 2 ** 31) {
    const shamt = 31 - Math.clz32(value & -value);
    const rest = value / 2 ** shamt;
    if (rest >= 2048) throw new Error(`li can't make ${value}`);
    return [encodeInstruction('addi', { rd, imm: rest }), encodeInstruction('slli', { rd, rs1: rd, shamt })];
  }
  return [
    encodeInstruction('lui', { rd, imm: upper(value) }),
    encodeInstruction('addiw', { rd, rs1: rd, imm: lower(value) }),
  ];
}

const upper = (value: number): number => ((value + 0x800) >> 12) << 12;
const lower = (value: number): number => (value << 20) >> 20;

function register(name = ''): number {
  const index = REGISTER_NAMES.indexOf(name);
  if (index < 0) throw new Error(`no register '${name}'`);
  return index;
}

function small(value: number): number {
  if (value < -2048 || value >= 2048) throw new Error(`${value} doesn't fit 12 bits`);
  return value;
}

function near(offset: number, to: string, limit = 4096): number {
  if (Math.abs(offset) >= limit) throw new Error(`${to} is too far`);
  return offset;
}
