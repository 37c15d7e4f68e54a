import { describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { BUILT, DONE, startBare } from './bare-guest.ts';

/**
 * A library of two pages, mapped at three virtual addresses: identity, one gigabyte in, and three and a bit. Its result
 * is a sum of addresses that the code sees of itself, and of return addresses.
 */
const PROGRAM = `
  # Two tables of two levels for 0x40000000 and 0xc0201000; gigapages for RAM and devices.
  la s0, root
  li t0, 0xcf
  sd t0, 0(s0)
  li t0, 0x200000cf
  sd t0, 16(s0)
  la t1, middle_a
  call pointer
  sd t1, 8(s0)
  la t1, middle_b
  call pointer
  sd t1, 24(s0)
  la s1, middle_a
  la t1, leaf_a
  call pointer
  sd t1, 0(s1)
  la s1, middle_b
  la t1, leaf_b
  call pointer
  sd t1, 8(s1)
  la t1, lib
  call pointer
  ori t1, t1, 0xcf
  la s1, leaf_a
  sd t1, 0(s1)
  la s2, leaf_b
  sd t1, 8(s2)
  addi t1, t1, 1024
  sd t1, 8(s1)
  sd t1, 16(s2)
  # Supervisor mode under Sv39.
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  la t1, root
  srli t1, t1, 12
  li t0, 8
  slli t0, t0, 60
  or t0, t0, t1
  csrw satp, t0
  sfence.vma
  li t0, 0x800
  csrw mstatus, t0
  la t0, supervisor
  csrw mepc, t0
  mret
pointer:
  srli t1, t1, 12
  slli t1, t1, 10
  ori t1, t1, 1
  ret
supervisor:
  li s11, 60
round:
  la s10, lib
  mv t0, s10
  call once
  mv s9, a0
  li t0, 0x40000000
  call once_checked
  li t0, 3
  slli t0, t0, 30
  li t1, 0x201000
  or t0, t0, t1
  call once_checked
  addi s11, s11, -1
  bnez s11, round
  j done
once:
  mv s8, ra
  li a0, 40
  jalr t0
  mv ra, s8
  ret
once_checked:
  mv s7, ra
  mv s6, t0
  call once
  # What it gave at identity, and 3 * 40 times the distance.
  sub t1, s6, s10
  li t2, 120
  mul t1, t1, t2
  add t1, t1, s9
  beq a0, t1, right
  li a0, 7
  j failed
right:
  mv ra, s7
  ret
  .align 4096
root:
  .zero 4096
middle_a:
  .zero 4096
middle_b:
  .zero 4096
leaf_a:
  .zero 4096
leaf_b:
  .zero 4096
lib:
  mv t6, ra
  mv s1, a0
  li s2, 0
lib_loop:
  la a1, lib_loop
  add s2, s2, a1
  call lib_inner
  add s2, s2, a0
  j lib_far
lib_test:
  bnez s1, lib_loop
  mv a0, s2
  mv ra, t6
  ret
  .align 4096
lib_far:
  addi s1, s1, -1
  j lib_test
lib_inner:
  la a0, lib_inner
  add a0, a0, ra
  ret
`;

const ready = BUILT.every((path) => existsSync(path));

describe.each(['interpreter', 'translator', 'lockstep'] as const)('%s', (tier) => {
  (ready ? test : test.skip)('code mapped at three virtual addresses', async () => {
    const { machine } = await startBare(PROGRAM, { tier });
    expect(await machine.ended).toEqual(DONE);
    if (tier === 'interpreter') return;
    const { regions } = machine.stats();
    // Main loop, its functions, the library's two: once, and once more for all addresses.
    expect(regions).toBeGreaterThan(1);
    expect(regions).toBeLessThan(22);
  });
});
