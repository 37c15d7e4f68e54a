import { assemble } from '@polyvisor/isa-riscv/testing';
import { CONTEXT, FINISH, KIND, LAYOUT, RECORD, USER_ALIAS } from './layout.ts';

/** Entry points of the runtime: jumps at its start, four bytes each. */
export const ENTRY = {
  start: LAYOUT.runtime,
  /** Appends a value record: a0 what, a1 value. Clobbers t0, t1. */
  logValue: LAYOUT.runtime + 4,
  /** Sets all registers but ra to 0. */
  clear: LAYOUT.runtime + 8,
  /** Ends the machine. */
  exit: LAYOUT.runtime + 12,
  /** Trap vectors; interrupt n, if vectored, passes through the entries from n on, which leave a mark in t4. */
  machineVectors: LAYOUT.runtime + 0x40,
  supervisorVectors: LAYOUT.runtime + 0x80,
} as const;

const registers = (from: number, to: number): number[] =>
  [...Array(to - from + 1).keys()].map((i) => from + i);
const NAMES =
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(
    ' ',
  );
const each = (op: 'sd' | 'ld', from: number, to: number): string =>
  registers(from, to)
    .map((i) => `  ${op} ${NAMES[i]}, ${8 * i}(t6)`)
    .join('\n');

const vectors = (handler: string): string => `
  j ${handler}
${registers(1, 14)
  .map((i) => `  addi t4, t4, ${i}`)
  .join('\n')}
  j ${handler}
`;

/** One trap handler, for privilege `p`: saves and hashes the registers, writes a record, goes on. */
const handler = (p: 'm' | 's', name: string, kind: number, own: string): string => `
${name}:
  csrrw t6, ${p}scratch, t6
${each('sd', 1, 30)}
  csrr t0, ${p}scratch
  sd t0, 248(t6)
  csrw ${p}scratch, t6
  # hash
  li a0, 0
  li a1, 0x1e3779b1
  addi a2, t6, 8
  addi a3, t6, 256
${name}_hash:
  ld a4, 0(a2)
  mul a0, a0, a1
  add a0, a0, a4
  addi a2, a2, 8
  bltu a2, a3, ${name}_hash
  # record
  la s0, shared
  ld s1, ${CONTEXT.logNext - CONTEXT.logNext}(s0)
  csrr a1, ${p}cause
  csrr a2, ${p}epc
  csrr a3, ${p}tval
  csrr a4, ${p}status
  csrr a5, ${p}ip
  li t0, ${kind}
  ld t1, ${CONTEXT.case - CONTEXT.logNext}(s0)
  sd a1, ${RECORD.cause}(s1)
  sd a2, ${RECORD.epc}(s1)
  sd a3, ${RECORD.tval}(s1)
  sd a4, ${RECORD.status}(s1)
  sd a0, ${RECORD.hash}(s1)
  sd a5, ${RECORD.pending}(s1)
  sd t0, ${RECORD.kind}(s1)
  sd t1, ${RECORD.case}(s1)
  addi s1, s1, ${RECORD.size}
  la t0, log_end
${name}_full:
  bgeu s1, t0, ${name}_full
  sd s1, 0(s0)
  # interrupts: off with it, and back
  srli t0, a1, 63
  beqz t0, ${name}_exception
  andi t0, a1, 63
  addi t1, zero, 1
  sll t1, t1, t0
  csrrc zero, ${p}ip, t1
  csrrc zero, ${p}ie, t1
  j ${name}_back
${name}_exception:
  li t0, ${FINISH}
  ld t1, ${8 * 17}(t6)
  beq t0, t1, ${name}_finish
${name}_resume:
  ld t0, ${8 * 27}(t6)
  li t1, 0xc0000000
  bltu t0, t1, ${name}_physical
  li t1, ${USER_ALIAS}
  sub t0, t0, t1
${name}_physical:
  # previous privilege
${p === 'm' ? '  srli t1, a4, 11\n  andi t1, t1, 3' : '  srli t1, a4, 8\n  andi t1, t1, 1'}
  bnez t1, ${name}_go
  ld t1, ${8 * 25}(t6)
  add t0, t0, t1
${name}_go:
  csrw ${p}epc, t0
${name}_back:
${each('ld', 1, 30)}
  ld t6, 248(t6)
  ${p}ret
${name}_finish:
${own}
`;

/**
 * What stands before the cases: entry, trap handlers, log. A handler returns to x27 after an exception (at the
 * place's other address if it returns to another privilege), and to where it was after an interrupt. An
 * environment call with {@link FINISH} in a7 leads to the next case; S-mode's handler passes it on, by an
 * environment call or an ebreak, whichever is not delegated.
 */
export const RUNTIME = assemble(
  `
  j start
  j log_value
  j clear
  j exit
  .zero ${0x40 - 16}
${vectors('machine')}
${vectors('supervisor')}
start:
  # QEMU has a second hart, so that its atomics are what they should be
  csrr t0, mhartid
  bnez t0, park_wait
  j first
park_wait:
  wfi
  j park_wait
first:
  # no timer interrupt
  li t0, 0x2004000
  li t1, -1
  sd t1, 0(t0)
  csrw stimecmp, t1
  la t0, context
  csrw mscratch, t0
  la t0, ${CONTEXT.supervisor + LAYOUT.context}
  csrw sscratch, t0
  la t0, ${ENTRY.machineVectors}
  csrw mtvec, t0
  la t0, shared
  la t1, ${LAYOUT.log}
  sd t1, 0(t0)
  la t1, ${LAYOUT.cases}
  jr t1
log_value:
  la t0, shared
  ld t1, 0(t0)
  sd a0, ${RECORD.what}(t1)
  sd a1, ${RECORD.value}(t1)
  ld a0, ${CONTEXT.case - CONTEXT.logNext}(t0)
  sd a0, ${RECORD.case}(t1)
  li a0, ${KIND.value}
  sd a0, ${RECORD.kind}(t1)
  addi t1, t1, ${RECORD.size}
  sd t1, 0(t0)
  ret
clear:
${registers(2, 31)
  .map((i) => `  li ${NAMES[i]}, 0`)
  .join('\n')}
  ret
exit:
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
exit_forever:
  j exit_forever
${handler('m', 'machine', KIND.machineTrap, `  ld t0, ${CONTEXT.next - CONTEXT.logNext}(s0)\n  jr t0`)}
${handler(
  's',
  'supervisor',
  KIND.supervisorTrap,
  `  ld t0, ${CONTEXT.escape - CONTEXT.logNext}(s0)
  addi a7, t1, 0
  bnez t0, supervisor_break
  ecall
supervisor_break:
  ebreak`,
)}
  j exit
`
    .replaceAll('shared', String(LAYOUT.context + CONTEXT.logNext))
    .replaceAll('log_end', String(LAYOUT.logEnd - 4096))
    .replaceAll(/\bcontext\b/g, String(LAYOUT.context)),
  LAYOUT.runtime,
);

if (RUNTIME.length > LAYOUT.context - LAYOUT.runtime) throw new Error('the runtime is too long');
