import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT, DONE, runBare } from './bare-guest.ts';

/** A locked entry without rights over the second word at 0x80200000: M mode, too, may not touch it. */
const PROGRAM = `
  li t1, 0x1f
  csrw 0x3a2, t1
  csrr t2, 0x3a2
  li a0, 1
  bne t1, t2, failed
  li t0, 0x20080001
  csrw pmpaddr0, t0
  li t0, 0x90
  csrw pmpcfg0, t0
  li s0, 0x80200000
  la t0, in_part
  csrw mtvec, t0
  li a0, 2
  ld t3, 0(s0)
  j failed
  .align 8
in_part:
  csrr t0, mcause
  li t1, 5
  li a0, 3
  bne t0, t1, failed
  csrr t0, mtval
  li a0, 4
  bne t0, s0, failed
  la t0, unexpected
  csrw mtvec, t0
  # beside it: aligned, misaligned, across eight bytes
  lw t3, 0(s0)
  sd zero, 8(s0)
  lw t3, 9(s0)
  li t3, 0x1234567
  sw t3, 14(s0)
  lw t4, 14(s0)
  li a0, 5
  bne t3, t4, failed
  la t0, misaligned
  csrw mtvec, t0
  li a0, 6
  sw t3, 2(s0)
  j failed
  .align 8
misaligned:
  # nothing of it was stored
  li a0, 7
  lhu t0, 2(s0)
  bnez t0, failed
  csrr t0, mcause
  li t1, 7
  li a0, 8
  bne t0, t1, failed
  j done
  .align 8
unexpected:
  li a0, 9
  j failed
`;

describeWith({ devices: BUILT }, 'physical memory protection', () => {
  test.each(['interpreter', 'translator'] as const)(
    'decides about all bytes of an access, %s',
    async (tier) => {
      expect((await runBare(PROGRAM, { tier })).end).toEqual(DONE);
    },
  );
});
