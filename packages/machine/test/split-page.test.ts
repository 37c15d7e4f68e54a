import { describe, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT, DONE, runBare } from './bare-guest.ts';

/**
 * PMP lets S-mode execute the first 2052 bytes of a page. Code there runs, in a loop that gets hot, and calls into other
 * pages; an instruction that begins there and continues behind faults at its second half, what lies behind at its first.
 */
const PROGRAM = `
  la t0, trapped
  csrw mtvec, t0
  la t0, border
  srli t0, t0, 2
  csrrw zero, 0x3b0, t0
  la t0, behind
  srli t0, t0, 2
  csrrw zero, 0x3b1, t0
  li t0, -1
  csrrw zero, 0x3b2, t0
  # 0 to border: all; border to behind: no execution; the rest: all.
  li t0, 0x1f0b0f
  csrrw zero, 0x3a0, t0
  li s5, 0
  li t0, 0x800
  csrrs zero, mstatus, t0
  la t0, inside
  csrw mepc, t0
  mret
.align 4
trapped:
  csrr t0, mcause
  csrr t1, mepc
  csrr t2, mtval
  addi s5, s5, 1
  li t3, 1
  beq s5, t3, ended
  li t3, 2
  beq s5, t3, straddled
  # 3: the first instruction behind the border
  li a0, 3
  la t4, border
  j check_border
ended:
  # 1: the environment call at the end of the code inside
  li t4, 9
  li a0, 1
  bne t0, t4, failed
  li t4, 3000
  bne s6, t4, failed
  la t4, border
  addi t4, t4, -2
  csrw mepc, t4
  mret
straddled:
  # 2: begins inside, ends behind
  li a0, 2
  la t4, border
  addi t4, t4, -2
  bne t1, t4, failed
  addi t4, t4, 2
  bne t2, t4, failed
  li t3, 1
  bne t0, t3, failed
  csrw mepc, t4
  mret
check_border:
  bne t1, t4, failed
  bne t2, t4, failed
  li t3, 1
  bne t0, t3, failed
  j done
add_one:
  addi s6, s6, 1
  ret
.align 4096
inside:
  li s6, 0
  li s7, 1000
more:
  addi s6, s6, 1
  call add_one
  call add_near
  addi s7, s7, -1
  bnez s7, more
  ecall
add_near:
  addi s6, s6, 1
  ret
.align 2048
  # c.nop, and the first half of an addi
  .word 0x05130001
border:
  .word 0
.align 4096
behind:
`;

describeWith({ devices: BUILT }, 'a page that PMP splits', () => {
  describe('in every tier', () => {
    test.each(['interpreter', 'auto', 'translator', 'lockstep'] as const)('%s', async (tier) => {
      expect(await runBare(PROGRAM, { tier })).toMatchObject({ end: DONE });
    });
  });
});
