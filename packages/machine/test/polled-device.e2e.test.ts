import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT, DONE, runBare } from './bare-guest.ts';

/** A driver that watches its queue in memory, which the device changes whenever it likes: also between the two runs of a step in lockstep. */
const POLLING_DRIVER = `
  li s0, 0x10001000
find:
  # device 4: entropy
  lw t0, 8(s0)
  addi t0, t0, -4
  beqz t0, found
  li t1, 0x1000
  add s0, s0, t1
  j find
found:
  sw zero, 0x70(s0)
  li t0, 3
  sw t0, 0x70(s0)
  li t0, 1
  sw t0, 0x24(s0)
  sw t0, 0x20(s0)
  li t0, 11
  sw t0, 0x70(s0)
  sw zero, 0x30(s0)
  li t0, 8
  sw t0, 0x38(s0)
  la s1, descriptors
  la s2, available
  la s3, used
  sw s1, 0x80(s0)
  sw zero, 0x84(s0)
  sw s2, 0x90(s0)
  sw zero, 0x94(s0)
  sw s3, 0xa0(s0)
  sw zero, 0xa4(s0)
  li t0, 1
  sw t0, 0x44(s0)
  li t0, 15
  sw t0, 0x70(s0)
  # descriptor 0: 64 bytes that the device writes
  la t0, buffer
  sd t0, 0(s1)
  li t0, 64
  sw t0, 8(s1)
  li t0, 2
  sh t0, 12(s1)
  li s4, 0
request:
  addi s4, s4, 1
  fence
  sh s4, 2(s2)
  fence
  sw zero, 0x50(s0)
poll:
  addi s5, s5, 1
  lhu t0, 2(s3)
  bne t0, s4, poll
  # What the device wrote goes into registers and memory.
  la t1, buffer
  ld t2, 0(t1)
  xor s6, s6, t2
  sd s6, 64(t1)
  li t0, 400
  bne s4, t0, request
  li a0, 1
  beqz s6, failed
  j done
.align 4096
descriptors:
  .zero 128
available:
  .zero 64
used:
  .zero 128
buffer:
  .zero 128
`;

describeWith({ devices: BUILT }, 'a driver that polls', () => {
  test.each(['interpreter', 'auto', 'translator', 'lockstep'] as const)(
    '%s',
    async (tier) => {
      const outcome = await runBare(POLLING_DRIVER, { tier, machine: { rng: true } });
      expect(outcome).toMatchObject({ end: DONE });
    },
    120_000,
  );
});
