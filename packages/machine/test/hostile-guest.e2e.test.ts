import { afterAll, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILT, DONE, runBare, startBare } from './bare-guest.ts';

/** Guests that do what they must not. They may hang themselves, never the machine around them. */

const TIERS = ['interpreter', 'auto'] as const;
const LIMIT_MS = 120_000;

/** Prints '!' and goes on. */
const GREET = `
  li a0, 33
  call putc
`;

/** What never ends, in M-mode. */
const ENDLESS: Readonly<Record<string, string>> = {
  'illegal instructions, trap vector in the void': `
  li t0, 0x40000000
  csrw mtvec, t0
  .word 0`,
  'illegal instruction as its own trap handler': `
  la t0, here
  csrw mtvec, t0
.align 64
here:
  .word 0xffffffff`,
  'an endless loop': `
here:
  j here`,
  'jumps between pages': `
here:
  la t0, there
  jalr t0
  j here
.align 4096
there:
  ret`,
  'a trap handler in a device': `
  li t0, 0x10001000
  csrw mtvec, t0
  jr t0`,
  'back to the reset vector, again and again': `
  li t0, 0x1000
  jr t0`,
  'recursion without an end': `
  la t0, here
  csrw mtvec, t0
  la sp, here
here:
  addi sp, sp, -16
  sd ra, 0(sp)
  call here`,
  'WFI with nothing enabled': `
here:
  wfi
  j here`,
  'a storm of timer interrupts': `
  la t0, handler
  csrw mtvec, t0
  li t0, 0x2004000
  sd zero, 0(t0)
  li t0, 128
  csrw mie, t0
  csrrsi zero, mstatus, 8
here:
  j here
.align 64
handler:
  mret`,
  'a flood of output': `
  li t0, 0x10000000
here:
  sb t0, 0(t0)
  j here`,
  'misaligned and atomic accesses to devices': `
  la t0, next
  csrw mtvec, t0
  li s0, 0x10001000
  li s1, 0
.align 64
next:
  addi s1, s1, 13
  andi t1, s1, 1023
  add t1, t1, s0
  ld t2, 0(t1)
  sd t2, 0(t1)
  amoadd.w t2, t1, (t1)
  lr.d t2, (t1)
  j next`,
  'code that changes itself without a fence': `
  la s0, patched
  li s1, 0
here:
  addi s1, s1, 1
  andi t0, s1, 1023
  slli t0, t0, 20
  li t1, 0x513
  or t0, t0, t1
  sw t0, 0(s0)
patched:
  li a0, 0
  j here`,
  'satp, mstatus and the rest set to ones': `
  li t0, -1
  csrw pmpaddr0, t0
  csrw pmpcfg0, t0
  csrw satp, t0
  csrw medeleg, t0
  csrw mideleg, t0
  csrw mie, t0
  csrw stvec, t0
  csrw mtvec, t0
  csrw sepc, t0
  csrw mepc, t0
  csrw mstatus, t0
  mret`,
};

describeWith({ devices: BUILT }, 'a guest that never ends', () => {
  const cases = Object.entries(ENDLESS).flatMap(([name, source]) =>
    TIERS.map((tier) => ({ name, source, tier })),
  );
  test.each(cases)(
    '$name, $tier: pauses, goes on, stops',
    async ({ source, tier }) => {
      const guest = await startBare(GREET + source, { tier });
      await guest.shown('!');
      for (let round = 0; round < 3; round++) {
        // Resolves only when the vCPU stands still.
        await guest.machine.pause();
        guest.machine.resume();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await guest.machine.pause();
      guest.machine.stop();
      expect(await guest.machine.ended).toEqual({ kind: 'stopped' });
    },
    LIMIT_MS,
  );

  test.each(TIERS)(
    'SBI calls with anything in the registers, %s',
    async (tier) => {
      const source = `
  la t0, after
  csrw stvec, t0
  la s0, extensions
  li s1, 0x1234567
again:
  # xorshift
  slli t0, s1, 13
  xor s1, s1, t0
  srli t0, s1, 7
  xor s1, s1, t0
  slli t0, s1, 17
  xor s1, s1, t0
  andi t0, s1, 56
  add t0, t0, s0
  ld a7, 0(t0)
  srli a6, s1, 8
  andi a6, a6, 7
  mv a0, s1
  srli a1, s1, 30
  slli a2, s1, 3
  srli a3, s1, 5
  xori a4, s1, 77
  ecall
.align 4
after:
  addi s2, s2, 1
  li t0, 3000
  bltu s2, t0, again
  j done
.align 64
extensions:
  .dword 16
  .dword 0x54494d45
  .dword 0x735049
  .dword 0x52464e43
  .dword 0x4442434e
  .dword -1
  .dword 1
  .dword 0x12345678`;
      expect(await runBare(source, { tier, firmware: 'builtin' })).toMatchObject({ end: DONE });
    },
    LIMIT_MS,
  );
});

/** Sets up a handler that checks cause, pc and value of the next trap, and goes on at s3. */
const EXPECT_TRAPS = `
  la t0, trapped
  csrw mtvec, t0
  j begin
.align 4
trapped:
  # s0 cause, s1 pc, s2 value
  csrr t0, mcause
  li a0, 1
  bne t0, s0, failed
  csrr t0, mepc
  li a0, 2
  bne t0, s1, failed
  csrr t0, mtval
  li a0, 3
  bne t0, s2, failed
  csrw mepc, s3
  li s4, 1
  mret
begin:
  li s5, 77
`;

/** One trap: its cause, what sets s1 to the pc and s2 to the value that are to be seen, and the code. */
const trap = (name: string, cause: number, pc: string, value: string, code: string): string => `
  li s0, ${cause}
  ${pc}
  ${value}
  la s3, after_${name}
  li s4, 0
${code}
after_${name}:
  li a0, 10
  beqz s4, failed
  # What faults leaves its register alone.
  li t0, 77
  li a0, 11
  bne t0, s5, failed
`;
const fetchTrap = (name: string, jump: string, pc = '0x40000000'): string =>
  trap(name, 1, `li s1, ${pc}`, 'mv s2, s1', jump);
const dataTrap = (name: string, cause: number, address: string, value: string, access: string): string =>
  trap(name, cause, `la s1, at_${name}`, `li s2, ${value}`, `  li t1, ${address}\nat_${name}:\n  ${access}`);

/** What is defined to the letter; ends with `done`. */
const PRECISE: Readonly<Record<string, string>> = {
  'traps of fetches, loads, stores and atomics': `${EXPECT_TRAPS}
  li s6, 500
more:
${fetchTrap('nowhere', 'jr s1')}
${fetchTrap('device', 'jr s1', '0x10000000')}
${fetchTrap('odd', 'addi t0, s1, 1\n  jr t0')}
${dataTrap('load', 5, '0x40000000', '0x40000008', 'ld s5, 8(t1)')}
${dataTrap('store', 7, '0x40000000', '0x40000010', 'sd s5, 16(t1)')}
${dataTrap('atomic', 7, '0x10000000', '0x10000000', 'amoadd.w s5, s5, (t1)')}
${dataTrap('illegal', 2, '0', '0', '.word 0')}
  addi s6, s6, -1
  beqz s6, done_jump
  j more
done_jump:
  j done`,
  'stores to ROM are dropped': `
  li s0, 0x1000
  ld s1, 0(s0)
  li t0, -1
  sd t0, 0(s0)
  sb t0, 3(s0)
  ld t1, 0(s0)
  li a0, 1
  bne t1, s1, failed
  j done`,
  'a hot loop that changes its own code, with fence.i': `
  la s0, patched
  li s1, 0
  li s2, 0
  li s3, 0
here:
  addi s1, s1, 1
  andi t0, s1, 1023
  add s3, s3, t0
  slli t0, t0, 20
  li t1, 0x513
  or t0, t0, t1
  sw t0, 0(s0)
  fence.i
patched:
  .word 0x513
  add s2, s2, a0
  li t0, 5000
  bne s1, t0, here
  li a0, 1
  bne s2, s3, failed
  j done`,
  'a hot loop that changes one instruction now and then': `
  la s0, patched
  li s1, 0
  li s2, 0
  li s3, 0
outer:
  addi s1, s1, 1
  slli t0, s1, 20
  li t1, 0x513
  or t0, t0, t1
  sw t0, 0(s0)
  fence.i
  li s4, 3000
here:
  add s3, s3, s1
patched:
  .word 0x513
  add s2, s2, a0
  addi s4, s4, -1
  bnez s4, here
  li t0, 60
  bne s1, t0, outer
  li a0, 1
  bne s2, s3, failed
  j done`,
  'stores across two pages of code': `
  li s1, 0
again:
  addi s1, s1, 1
  # Both halves of the doubleword are instructions: the last of one page, the first of the next.
  slli t0, s1, 20
  li t1, 0x513
  or t0, t0, t1
  slli t2, s1, 20
  li t1, 0x593
  or t2, t2, t1
  slli t2, t2, 32
  slli t0, t0, 32
  srli t0, t0, 32
  or t0, t0, t2
  la s0, second_page
  sd t0, -4(s0)
  fence.i
  call first_page_end
  mv t0, a0
  li a0, 1
  bne t0, s1, failed
  li a0, 2
  bne a1, s1, failed
  li t0, 1000
  bne s1, t0, again
  j done
.align 4096
  .zero 4084
  nop
first_page_end:
  nop
  .word 0x513
second_page:
  .word 0x593
  ret`,
  'recursion deeper than regions nest': `
  # sum(n) = n + sum(n - 1), 100 000 deep, again and again
  li s2, 20
again:
  la sp, stack_top
  li a0, 100000
  li a1, 0
  call sum
  li t0, 100000
  addi t1, t0, 1
  mul t0, t0, t1
  srli t0, t0, 1
  mv t1, a1
  li a0, 1
  bne t0, t1, failed
  la t0, stack_top
  li a0, 2
  bne sp, t0, failed
  addi s2, s2, -1
  bnez s2, again
  j done
sum:
  beqz a0, bottom
  addi sp, sp, -16
  sd ra, 0(sp)
  sd a0, 8(sp)
  addi a0, a0, -1
  call sum
  ld a0, 8(sp)
  add a1, a1, a0
  ld ra, 0(sp)
  addi sp, sp, 16
bottom:
  ret
.align 4096
  .zero 2000000
stack_top:
  .dword 0`,
};

describeWith({ devices: BUILT }, 'a guest at the border', () => {
  const cases = Object.entries(PRECISE).flatMap(([name, source]) =>
    ([...TIERS, 'translator', 'lockstep'] as const).map((tier) => ({ name, source, tier })),
  );
  test.each(cases)(
    '$name, $tier',
    async ({ source, tier }) => {
      expect(await runBare(source, { tier })).toMatchObject({ end: DONE });
    },
    LIMIT_MS,
  );
});

const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));

describeWith({ devices: BUILT }, 'wild virtqueues', () => {
  test(
    'on every device at once: none of them harms the host or its files',
    async () => {
      const disk = join(folder, 'disk');
      const share = join(folder, 'share');
      mkdirSync(share);
      writeFileSync(join(share, 'file'), 'untouched');
      writeFileSync(disk, Buffer.alloc(1 << 20, 'd'));
      const source = `
  la t0, trapped
  csrw mtvec, t0
  la s1, addresses
next_address:
  ld s2, 0(s1)
  li s0, 0x10001000
next_slot:
  # Reset, features (version 1 only), queues 0 to 3 at the wild address, notify each.
  sw zero, 0x70(s0)
  li t0, 3
  sw t0, 0x70(s0)
  li t0, 1
  sw zero, 0x24(s0)
  sw zero, 0x20(s0)
  sw t0, 0x24(s0)
  sw t0, 0x20(s0)
  li t0, 11
  sw t0, 0x70(s0)
  li s3, 0
next_queue:
  sw s3, 0x30(s0)
  lw t0, 0x34(s0)
  sw t0, 0x38(s0)
  srli t1, s2, 32
  sw s2, 0x80(s0)
  sw t1, 0x84(s0)
  sw s2, 0x90(s0)
  sw t1, 0x94(s0)
  sw s2, 0xa0(s0)
  sw t1, 0xa4(s0)
  li t0, 1
  sw t0, 0x44(s0)
  addi s3, s3, 1
  li t0, 4
  bne s3, t0, next_queue
  li t0, 15
  sw t0, 0x70(s0)
  li s3, 0
notify:
  sw s3, 0x50(s0)
  addi s3, s3, 1
  li t0, 4
  bne s3, t0, notify
  lw t0, 0x70(s0)
  lw t0, 0x60(s0)
  sw t0, 0x64(s0)
  li t0, 0x1000
  add s0, s0, t0
  li t0, 0x10009000
  bne s0, t0, next_slot
  li a0, 46
  call putc
  addi s1, s1, 8
  la t0, addresses_end
  bne s1, t0, next_address
  j done
.align 4
trapped:
  csrr t0, mepc
  addi t0, t0, 4
  csrw mepc, t0
  mret
.align 16
addresses:
  .dword 0
  .dword 1
  .dword 0x1000
  .dword 0x10001000
  .dword 0x7ffffff0
  .dword 0x80000000
  .dword 0x81fffff0
  .dword 0x82000000
  .dword 0x100000000
  .dword 0x7ffffffffffff000
  .dword -4096
  .dword -16
  .dword -1
addresses_end:
  .dword 0`;
      for (const tier of TIERS) {
        const outcome = await runBare(source, {
          tier,
          machine: {
            disks: [{ path: disk, format: 'raw', readOnly: false }],
            nets: [{ kind: 'user', forwards: [], hostLoopback: false, restrict: true }],
            shares: [{ tag: 'share', path: share, readOnly: false }],
            consolePorts: [{ backend: { write() {}, onInput() {}, resume() {}, close() {} } }],
            rng: true,
            balloon: true,
          },
        });
        expect(outcome).toEqual({ end: DONE, text: '.'.repeat(13) });
        expect(readFileSync(disk).equals(Buffer.alloc(1 << 20, 'd'))).toBe(true);
        expect(readFileSync(join(share, 'file'), 'utf8')).toBe('untouched');
      }
    },
    LIMIT_MS,
  );
});
