import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT, DONE, startBare } from './bare-guest.ts';
import type { TcgTier } from '../src/index.ts';

const TIMEOUT_MS = 120_000;

/**
 * A hot loop that timer and serial interrupts break into; the handler mixes time, instruction count and the loop's
 * state into a sum that is printed: one instruction off, and all that follows differs.
 */
const MIXER = `
  la t0, handler
  csrw mtvec, t0
  li s0, 0x2004000
  li s1, 0x10000000
  li s2, 0
  li s3, 0
  li s6, 0
  call next_timer
  # transmitter empty is an interrupt, through the PLIC
  li t0, 0xc000028
  li t1, 1
  sw t1, 0(t0)
  li t0, 0xc002000
  li t1, 1024
  sw t1, 0(t0)
  li t0, 2
  sb t0, 1(s1)
  li t0, 2176
  csrw mie, t0
  li t0, 8
  csrrs zero, mstatus, t0
mix:
  addi s2, s2, 1
  xor s3, s3, s2
  slli t0, s3, 7
  add s3, s3, t0
  andi t0, s2, 255
  bnez t0, mix
  lbu t0, 5(s1)
  add s3, s3, t0
  csrr t0, time
  add s3, s3, t0
  andi t0, s6, 7
  bnez t0, awake
  wfi
awake:
  li t0, 300
  bltu s6, t0, mix
  j done
next_timer:
  li t0, 0x200bff8
  ld t0, 0(t0)
  andi t1, s3, 127
  addi t1, t1, 50
  add t0, t0, t1
  sd t0, 0(s0)
  ret
.align 4
handler:
  csrw mscratch, t0
  mv s4, t1
  mv s5, ra
  csrr t0, mcause
  andi t0, t0, 15
  li t1, 11
  beq t0, t1, external
  addi s6, s6, 1
  csrr t0, instret
  xor s3, s3, t0
  csrr t0, mepc
  add s3, s3, t0
  call next_timer
  andi t0, s3, 31
  addi t0, t0, 64
  sb t0, 0(s1)
  j handled
external:
  li t1, 0xc200004
  lw t0, 0(t1)
  lbu s7, 2(s1)
  add s3, s3, s7
  sw t0, 0(t1)
  csrr t0, instret
  xor s3, s3, t0
handled:
  mv ra, s5
  mv t1, s4
  csrr t0, mscratch
  mret
`;

async function outcome(tier: TcgTier): Promise<{ text: string; instructions: number }> {
  const { machine, text } = await startBare(MIXER, {
    tier,
    machine: { accel: { kind: 'tcg', tier, icount: true } },
  });
  expect(await machine.ended).toEqual(DONE);
  return { text: text(), instructions: machine.stats().instructions };
}

describeWith({ devices: BUILT }, 'icount', () => {
  test(
    'tiers and runs take the same interrupts at the same instructions',
    async () => {
      const first = await outcome('interpreter');
      expect(first.text.length).toBeGreaterThanOrEqual(300);
      for (const tier of ['translator', 'auto', 'auto'] as const)
        expect([tier, await outcome(tier)]).toEqual([tier, first]);
    },
    TIMEOUT_MS,
  );
});
