/*
 * A small assembler for RV64IMA and the system instructions, so that bare-metal tests need no tool of the host.
 * Every instruction takes four bytes. Encodings: RISC-V ISA manual, "RV32/64G Instruction Set Listings".
 */

const REGISTER_NAMES =
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(
    ' ',
  );

/** opcode, funct3, funct7 */
const R: Readonly<Record<string, readonly [number, number, number]>> = {
  add: [0x33, 0, 0],
  sub: [0x33, 0, 0x20],
  and: [0x33, 7, 0],
  or: [0x33, 6, 0],
  xor: [0x33, 4, 0],
  sltu: [0x33, 3, 0],
  mul: [0x33, 0, 1],
};
const I: Readonly<Record<string, readonly [number, number]>> = {
  addi: [0x13, 0],
  xori: [0x13, 4],
  ori: [0x13, 6],
  andi: [0x13, 7],
  addiw: [0x1b, 0],
};
const SHIFT: Readonly<Record<string, readonly [number, number]>> = {
  slli: [1, 0],
  srli: [5, 0],
  srai: [5, 0x10],
};
const LOAD: Readonly<Record<string, number>> = { lb: 0, lh: 1, lw: 2, ld: 3, lbu: 4, lhu: 5, lwu: 6 };
const STORE: Readonly<Record<string, number>> = { sb: 0, sh: 1, sw: 2, sd: 3 };
const BRANCH: Readonly<Record<string, number>> = { beq: 0, bne: 1, blt: 4, bge: 5, bltu: 6, bgeu: 7 };
const AMO: Readonly<Record<string, number>> = {
  lr: 2,
  sc: 3,
  amoswap: 1,
  amoadd: 0,
  amoxor: 4,
  amoand: 12,
  amoor: 8,
};
const CSR_OP: Readonly<Record<string, number>> = {
  csrrw: 1,
  csrrs: 2,
  csrrc: 3,
  csrrwi: 5,
  csrrsi: 6,
  csrrci: 7,
};
const CSR: Readonly<Record<string, number>> = {
  sstatus: 0x100, sie: 0x104, stvec: 0x105, sscratch: 0x140, sepc: 0x141, scause: 0x142, stval: 0x143, sip: 0x144,
  satp: 0x180, mstatus: 0x300, medeleg: 0x302, mideleg: 0x303, mie: 0x304, mtvec: 0x305, mscratch: 0x340,
  mepc: 0x341, mcause: 0x342, mtval: 0x343, mip: 0x344, pmpcfg0: 0x3a0, pmpaddr0: 0x3b0, mhartid: 0xf14,
  time: 0xc01, instret: 0xc02, stimecmp: 0x14d,
}; // prettier-ignore
const FIXED: Readonly<Record<string, number>> = {
  ecall: 0x73,
  ebreak: 0x10_0073,
  mret: 0x3020_0073,
  sret: 0x1020_0073,
  wfi: 0x1050_0073,
  'fence.i': 0x100f,
  fence: 0x0ff0_000f,
  nop: 0x13,
  ret: 0x8067,
  'sfence.vma': 0x1200_0073,
};

type Operands = readonly string[];

/** Where the assembler stands while it encodes an instruction. */
interface Place {
  readonly address: number;
  value(text: string): number;
}

/**
 * Assembles a program that begins at `origin`. One statement a line; `# comment`; `label:` on a line of its own.
 * Beside instructions: `li REG, NUMBER` (32 bits, signed or unsigned), `la`, `mv`, `j`, `call`, `csrr`, `csrw`,
 * `beqz`, `bnez`, `.word NUMBER`, `.dword NUMBER`, `.zero BYTES`, `.align BYTES`.
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
  const [name = '', ...rest] = line.split(/[\s,()]+/).filter((part) => part !== '');
  const fixed = FIXED[name];
  if (fixed !== undefined) return [fixed];
  for (const encoder of ENCODERS) {
    const words = encoder(name, rest, place);
    if (words !== undefined) return words;
  }
  throw new Error(`unknown instruction: ${line}`);
}

const ENCODERS: readonly ((name: string, o: Operands, place: Place) => number[] | undefined)[] = [
  (name, o) => {
    const row = R[name];
    return row && [row[0] | rd(o[0]) | (row[1] << 12) | rs1(o[1]) | rs2(o[2]) | (row[2] << 25)];
  },
  (name, o, { value }) => {
    const row = I[name];
    return row && [itype(row[0], row[1], o[0], o[1], value(o[2] ?? ''))];
  },
  (name, o, { value }) => {
    const row = SHIFT[name];
    return row && [itype(0x13, row[0], o[0], o[1], value(o[2] ?? '') | (row[1] << 6))];
  },
  (name, o, { value }) => {
    const funct3 = LOAD[name];
    return funct3 === undefined ? undefined : [itype(3, funct3, o[0], o[2], value(o[1] ?? ''))];
  },
  (name, o, { value }) => {
    const funct3 = STORE[name];
    if (funct3 === undefined) return undefined;
    const offset = small(value(o[1] ?? ''));
    return [0x23 | ((offset & 31) << 7) | (funct3 << 12) | rs1(o[2]) | rs2(o[0]) | ((offset >> 5) << 25)];
  },
  (name, o, place) => {
    const funct3 = BRANCH[name];
    return funct3 === undefined ? undefined : [branch(funct3, o[0], o[1], o[2], place)];
  },
  (name, o, place) => {
    if (name === 'beqz') return [branch(0, o[0], 'zero', o[1], place)];
    if (name === 'bnez') return [branch(1, o[0], 'zero', o[1], place)];
    if (name === 'j') return [jump('zero', o[0], place)];
    if (name === 'call') return [jump('ra', o[0], place)];
    if (name === 'jal') return [jump(o[0], o[1], place)];
    if (name === 'jr') return [itype(0x67, 0, 'zero', o[0], 0)];
    return name === 'jalr' ? [itype(0x67, 0, 'ra', o[0], 0)] : undefined;
  },
  (name, o) => {
    const [op = '', width = ''] = name.split('.');
    const funct5 = AMO[op];
    if (funct5 === undefined) return undefined;
    const base =
      0x2f | ((width === 'd' ? 3 : 2) << 12) | (funct5 << 27) | (name.endsWith('.aqrl') ? 3 << 25 : 0);
    if (op === 'lr') return [base | rd(o[0]) | rs1(o[1])];
    return [base | rd(o[0]) | rs2(o[1]) | rs1(o[2])];
  },
  (name, o, { value }) => {
    const csr = (text = ''): number => CSR[text] ?? value(text);
    if (name === 'csrr') return [itype(0x73, 2, o[0], 'zero', csr(o[1]), 4096)];
    if (name === 'csrw') return [itype(0x73, 1, 'zero', o[1], csr(o[0]), 4096)];
    const op = CSR_OP[name];
    if (op === undefined) return undefined;
    if (op < 4) return [itype(0x73, op, o[0], o[2], csr(o[1]), 4096)];
    return [0x73 | rd(o[0]) | (op << 12) | (value(o[2] ?? '') << 15) | (csr(o[1]) << 20)];
  },
  (name, o, place) => {
    if (name === 'mv') return [itype(0x13, 0, o[0], o[1], 0)];
    if (name === 'li') return constant(o[0], place.value(o[1] ?? ''));
    if (name !== 'la') return undefined;
    const offset = place.value(o[1] ?? '') - place.address;
    return [0x17 | rd(o[0]) | upper(offset), itype(0x13, 0, o[0], o[0], lower(offset))];
  },
];

/** lui and addiw; a value of 2^31 and more is zero-extended when its low 12 bits are 0 or fit without lui. */
function constant(to: string | undefined, value: number): number[] {
  if (value >= 2 ** 31) {
    // slli of a smaller constant: RAM addresses.
    const shift = 31 - Math.clz32(value & -value);
    const rest = value / 2 ** shift;
    if (rest < 2048) return [itype(0x13, 0, to, 'zero', rest), itype(0x13, 1, to, to, shift)];
    throw new Error(`li can't make ${value}`);
  }
  return [0x37 | rd(to) | upper(value), itype(0x1b, 0, to, to, lower(value))];
}

const upper = (value: number): number => ((value + 0x800) >> 12) << 12;
const lower = (value: number): number => (value << 20) >> 20;

function register(name = ''): number {
  const index = REGISTER_NAMES.indexOf(name);
  if (index < 0) throw new Error(`no register '${name}'`);
  return index;
}
const rd = (name?: string): number => register(name) << 7;
const rs1 = (name?: string): number => register(name) << 15;
const rs2 = (name?: string): number => register(name) << 20;

function small(value: number, limit = 2048): number {
  if (value < -2048 || value >= limit) throw new Error(`${value} doesn't fit 12 bits`);
  return value;
}

function itype(
  opcode: number,
  funct3: number,
  to: string | undefined,
  from: string | undefined,
  value: number,
  limit?: number,
): number {
  return opcode | rd(to) | (funct3 << 12) | rs1(from) | (small(value, limit) << 20);
}

function branch(
  funct3: number,
  a: string | undefined,
  b: string | undefined,
  to = '',
  { address, value }: Place,
): number {
  const offset = value(to) - address;
  if (Math.abs(offset) >= 4096) throw new Error(`${to} is too far for a branch`);
  const high = (((offset >> 12) & 1) << 31) | (((offset >> 5) & 63) << 25);
  return (
    0x63 | (funct3 << 12) | rs1(a) | rs2(b) | high | (((offset >> 1) & 15) << 8) | (((offset >> 11) & 1) << 7)
  );
}

function jump(link: string | undefined, to = '', { address, value }: Place): number {
  const offset = value(to) - address;
  if (Math.abs(offset) >= 1 << 20) throw new Error(`${to} is too far for a jump`);
  const high = (((offset >> 20) & 1) << 31) | (((offset >> 1) & 0x3ff) << 21);
  return 0x6f | rd(link) | high | (((offset >> 11) & 1) << 20) | (((offset >> 12) & 0xff) << 12);
}
