/**
 * Encoding of the synthetic guest: a made-up CPU that is everything the first real one is not. 32 bits, big-endian,
 * instructions of 1 to 15 bytes, condition flags, a delay slot, port IO, unaligned accesses.
 *
 * Registers r0-r7; r6 is the stack pointer, r7 the link register. Flags C, V, Z, S. System registers s0-s7.
 *
 * | instruction | meaning |
 * | --- | --- |
 * | `nop` | |
 * | `mov d s`, `movi d v` | d = s; d = v |
 * | `add sub and or xor d s`, `addi subi andi d v` | d = d op operand; sets all flags; and, or, xor clear C and V |
 * | `cmp d s`, `cmpi d v` | like sub, without a result. C means borrow |
 * | `adc d s` | d = d + s + C; sets all flags |
 * | `shl shr sar d n` | shifts by n modulo 32; no flags |
 * | `mul d s`, `div d s` | low half; unsigned quotient, a division by zero faults with cause 3; no flags |
 * | `bswap d` | |
 * | `lea d s v` | d = s + v, no flags |
 * | `ld8u ld8s ld16u ld16s ld32 d s v` | d = memory at s + v |
 * | `st8 st16 st32 d s v` | memory at s + v = d |
 * | `movm s v w` | 32-bit memory at s + v = w |
 * | `push d`, `pop d` | through r6 |
 * | `xadd d s` | atomically: d = memory at s, memory at s += d; a misaligned address faults with cause 4 |
 * | `set d n`, `cmov d s n` | d = condition n ? 1 : 0; d = s if condition n |
 * | `getf d`, `setf s` | flags as C 1, V 2, Z 4, S 8 |
 * | `jcc t n`, `jmp t`, `call t`, `callr s`, `jr s`, `ret` | ret jumps to r7, calls put the return address there |
 * | `jccd t n`, `jmpd t` | the following instruction is executed first: the delay slot |
 * | `in d n`, `out s n` | port n |
 * | `gets d n`, `puts s n`, `geth d`, `puth s` | system register n; target of the delayed jump |
 * | `trap n`, `eret`, `halt` | fault with cause 64 + n; return from a fault; end |
 *
 * A jump, `eret`, `halt` or `puth` in a delay slot is illegal: cause 2, s3 = first byte. A fault puts its pc into s0, the
 * cause into s1, the mode into s2 (bit 0: in a delay slot), the address into s3; goes on at s4 with mode 0.
 */
export type Field = 'd' | 's' | 'ds' | 'n' | 'v8' | 'v16' | 'v32' | 'w32' | 't8' | 't32';

/** One way to encode an instruction: an opcode byte, then fields. `pad`: prefix bytes 0xf0 that may come first. */
export interface Variant {
  readonly opcode: number;
  readonly fields: readonly Field[];
  readonly pad?: number;
  /** One-byte forms: the register is in the opcode's low three bits. */
  readonly registerInOpcode?: boolean;
}

/** Bytes of each field. */
export const FIELD_BYTES: Readonly<Record<Field, number>> = {
  d: 1,
  s: 1,
  ds: 1,
  n: 1,
  v8: 1,
  v16: 2,
  v32: 4,
  w32: 4,
  t8: 1,
  t32: 4,
};

export const PREFIX = 0xf0;

const v = (opcode: number, ...fields: Field[]): Variant => ({ opcode, fields });
const registers = (opcode: number): Variant => ({ opcode, fields: [], registerInOpcode: true });

/** All instructions with their encodings. Opcodes that are not here are illegal. */
export const ENCODINGS = {
  nop: [v(0x00)],
  ret: [v(0x01)],
  eret: [v(0x02)],
  halt: [v(0x03)],
  mov: [v(0x08, 'ds')],
  movi: [v(0x09, 'd', 'v8'), v(0x0a, 'd', 'v32')],
  add: [v(0x10, 'ds')],
  sub: [v(0x11, 'ds')],
  and: [v(0x12, 'ds')],
  or: [v(0x13, 'ds')],
  xor: [v(0x14, 'ds')],
  cmp: [v(0x15, 'ds')],
  adc: [v(0x16, 'ds')],
  mul: [v(0x17, 'ds')],
  div: [v(0x18, 'ds')],
  addi: [v(0x20, 'd', 'v8'), v(0x21, 'd', 'v32')],
  subi: [v(0x22, 'd', 'v8'), v(0x23, 'd', 'v32')],
  andi: [v(0x24, 'd', 'v8'), v(0x25, 'd', 'v32')],
  cmpi: [v(0x26, 'd', 'v8'), v(0x27, 'd', 'v32')],
  shl: [v(0x28, 'd', 'n')],
  shr: [v(0x29, 'd', 'n')],
  sar: [v(0x2a, 'd', 'n')],
  bswap: [v(0x2b, 'd')],
  lea: [v(0x2c, 'ds', 'v16'), v(0x2d, 'ds', 'v32')],
  ld8u: [v(0x30, 'ds', 'v8'), v(0x31, 'ds', 'v32')],
  ld8s: [v(0x32, 'ds', 'v8')],
  ld16u: [v(0x34, 'ds', 'v16'), v(0x35, 'ds', 'v32')],
  ld16s: [v(0x36, 'ds', 'v16')],
  ld32: [v(0x38, 'ds', 'v8'), v(0x39, 'ds', 'v16'), v(0x3a, 'ds', 'v32')],
  st8: [v(0x40, 'ds', 'v8'), v(0x41, 'ds', 'v32')],
  st16: [v(0x42, 'ds', 'v16')],
  st32: [v(0x44, 'ds', 'v8'), v(0x45, 'ds', 'v16'), v(0x46, 'ds', 'v32')],
  movm: [{ opcode: 0x48, fields: ['s', 'v32', 'w32'], pad: 5 }],
  xadd: [v(0x49, 'ds')],
  push: [registers(0x50)],
  pop: [registers(0x58)],
  set: [v(0x60, 'd', 'n')],
  cmov: [v(0x61, 'ds', 'n')],
  getf: [v(0x62, 'd')],
  setf: [v(0x63, 's')],
  jcc: [v(0x70, 't8', 'n'), v(0x71, 't32', 'n')],
  jmp: [v(0x72, 't8'), v(0x73, 't32')],
  call: [v(0x74, 't32')],
  callr: [v(0x75, 's')],
  jr: [v(0x76, 's')],
  jccd: [v(0x78, 't8', 'n'), v(0x79, 't32', 'n')],
  jmpd: [v(0x7a, 't32')],
  in: [v(0x80, 'd', 'n')],
  out: [v(0x81, 's', 'n')],
  gets: [v(0x82, 'd', 'n')],
  puts: [v(0x83, 's', 'n')],
  geth: [v(0x84, 'd')],
  puth: [v(0x85, 's')],
  trap: [v(0x86, 'n')],
} as const satisfies Record<string, readonly Variant[]>;

export type Mnemonic = keyof typeof ENCODINGS;

/** Bytes of a variant without prefixes. */
export const variantBytes = (variant: Variant): number =>
  variant.fields.reduce((n, f) => n + FIELD_BYTES[f], 1);

/** Variant and mnemonic of each opcode byte. */
export const BY_OPCODE: ReadonlyMap<number, { readonly name: Mnemonic; readonly variant: Variant }> = new Map(
  Object.entries(ENCODINGS).flatMap(([name, variants]) =>
    (variants as readonly Variant[]).flatMap((variant) =>
      Array.from(
        { length: variant.registerInOpcode === true ? 8 : 1 },
        (_, i) => [variant.opcode + i, { name: name as Mnemonic, variant }] as const,
      ),
    ),
  ),
);

/** Conditions by number: even ones hold when the flag expression does, odd ones when it does not. */
export const CONDITIONS = ['c', 'nc', 'v', 'nv', 'z', 'nz', 's', 'ns', 'l', 'ge', 'be', 'a'] as const;

/** Mode bit: the next instruction is in a delay slot. */
export const MODE_DELAY = 1;

export const CAUSE = { fetch: 1, illegal: 2, divide: 3, misaligned: 4, access: 5, trap: 64 } as const;

/** System registers by number. */
export const SYSTEM = { pc: 0, cause: 1, mode: 2, address: 3, vector: 4, scratch: 5 } as const;

/** Instructions that end with a jump of their own, or replace the pending one: not allowed in a delay slot. */
export const NOT_IN_SLOT: ReadonlySet<Mnemonic> = new Set<Mnemonic>([
  'ret',
  'eret',
  'halt',
  'jcc',
  'jmp',
  'call',
  'callr',
  'jr',
  'jccd',
  'jmpd',
  'puth',
]);
