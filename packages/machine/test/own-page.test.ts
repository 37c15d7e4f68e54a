import { describe, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT, DONE, runBare } from './bare-guest.ts';

/** Code and data side by side: stores to the page that is being executed, to code in it, and across its end. */
const PROGRAM = `
  la s0, counter
  la s1, changing
  la s2, last
  li s3, 300
again:
  # A word of data in this very page.
  ld t0, 0(s0)
  addi t0, t0, 1
  sd t0, 0(s0)
  # The immediate of an instruction in this page.
  andi t1, t0, 1023
  slli t2, t1, 20
  li t3, 0x513
  or t2, t2, t3
  sw t2, 0(s1)
  fence.i
  call changing
  li a1, 1
  bne a0, t1, wrong
  # Two bytes in this page, two in the next one, which holds code, too.
  sw t2, -2(s2)
  lw t3, -2(s2)
  li a1, 2
  bne t3, t2, wrong
  sw t4, -4(s2)
  amoadd.d t5, t0, (s0)
  li a1, 3
  bne t5, t0, wrong
  sd t0, 0(s0)
  call beyond
  li a1, 4
  li t3, 77
  bne a0, t3, wrong
  addi s3, s3, -1
  bnez s3, again
  j done
wrong:
  mv a0, a1
  j failed
.align 8
counter:
  .dword 0
.align 8
changing:
  .word 0x513
  ret
.align 4096
last:
  .dword 0
beyond:
  li a0, 77
  ret
`;

describeWith({ devices: BUILT }, 'stores to the page that is executed', () => {
  describe('in every tier', () => {
    test.each(['interpreter', 'auto', 'translator', 'lockstep'] as const)('%s', async (tier) => {
      expect(await runBare(PROGRAM, { tier })).toMatchObject({ end: DONE });
    });
  });
});
