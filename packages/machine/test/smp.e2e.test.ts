import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT, DONE, runBare, type BareOptions } from './bare-guest.ts';

/*
 * Several harts in M-mode without firmware, or in S-mode on the built-in one. Hart 0 waits until the others have
 * said that they are finished; a check that fails ends the machine with its number.
 */

/** Harts that wait for each other share the host's cores with whatever else runs there. */
const TIMEOUT_MS = 120_000;

/** A case: the program that `source` gives must end by `j done`, in each tier. */
function inEachTier(name: string, options: Omit<BareOptions, 'tier'>, source: () => string): void {
  test.each(['interpreter', 'auto'] as const)(
    `${name}, %s`,
    async (tier) => {
      expect(await runBare(source(), { tier, ...options })).toMatchObject({ end: DONE });
    },
    TIMEOUT_MS,
  );
}

/** Every hart: a0 is its id. Hart 0 runs `first`, the others `rest`, which end by `j finished`. */
const harts = (first: string, rest: string): string => `
  csrr s11, mhartid
  beqz s11, first
  j others
first:
${first}
others:
${rest}
finished:
  la t0, finishers
  li t1, 1
  amoadd.d zero, t1, (t0)
asleep:
  wfi
  j asleep
await_others:
  # until a1 harts have finished
  la t0, finishers
await_more:
  ld t1, 0(t0)
  bltu t1, a1, await_more
  fence
  ret
.align 64
finishers:
  .dword 0
`;

describeWith({ devices: BUILT }, 'harts in M-mode', () => {
  inEachTier('AMO counters', { cpus: 4 }, () => {
    const count = `
  la s0, counters
  li s1, 10000
  li s2, 1
  li s3, -1
count_LABEL:
  amoadd.d zero, s2, (s0)
  addi t2, s0, 8
  amoadd.w zero, s2, (t2)
  addi t2, s0, 16
  amoxor.d zero, s3, (t2)
  addi s1, s1, -1
  bnez s1, count_LABEL`;
    return harts(
      `${count.replaceAll('LABEL', 'a')}
  li a1, 3
  call await_others
  li a0, 1
  li t2, 40000
  ld t3, 0(s0)
  bne t3, t2, failed
  li a0, 2
  lw t3, 8(s0)
  bne t3, t2, failed
  li a0, 3
  ld t3, 16(s0)
  bnez t3, failed
  j done
.align 64
counters:
  .zero 64`,
      `${count.replaceAll('LABEL', 'b')}
  j finished`,
    );
  });

  inEachTier('a lock of LR and SC', { cpus: 3 }, () => {
    const rounds = 1000;
    const work = `
  la s0, lock
  li s1, ${rounds}
round_LABEL:
  li t1, 1
take_LABEL:
  lr.w.aqrl t0, (s0)
  bnez t0, take_LABEL
  sc.w.aqrl t0, t1, (s0)
  bnez t0, take_LABEL
  # Two words that only the lock keeps together.
  ld t2, 64(s0)
  ld t3, 72(s0)
  li a0, 1
  bne t2, t3, failed
  addi t2, t2, 1
  sd t2, 64(s0)
  nop
  sd t2, 72(s0)
  fence
  sw zero, 0(s0)
  addi s1, s1, -1
  bnez s1, round_LABEL`;
    return harts(
      `${work.replaceAll('LABEL', 'a')}
  li a1, 2
  call await_others
  li a0, 2
  ld t2, 64(s0)
  li t3, ${rounds * 3}
  bne t2, t3, failed
  j done
.align 64
lock:
  .zero 128`,
      `${work.replaceAll('LABEL', 'b')}
  j finished`,
    );
  });

  inEachTier('a message is there when its flag is', { cpus: 2 }, () => {
    const rounds = 300;
    return harts(
      `  la s0, mailbox
  li s1, ${rounds}
  li s2, 0
send:
  addi s2, s2, 1
  sd s2, 64(s0)
  sd s2, 128(s0)
  fence
  sd s2, 0(s0)
taken:
  ld t0, 192(s0)
  bne t0, s2, taken
  bne s2, s1, send
  j done
.align 64
mailbox:
  .zero 256`,
      `  la s0, mailbox
  li s2, 0
  li a0, 1
receive:
  addi s2, s2, 1
arrived:
  ld t0, 0(s0)
  bltu t0, s2, arrived
  fence
  ld t1, 64(s0)
  bne t1, t0, failed
  ld t1, 128(s0)
  bne t1, t0, failed
  fence
  sd t0, 192(s0)
  j receive`,
    );
  });

  // Store, fence, load of the other's: at least one of the two must see the other's store.
  inEachTier('a full fence keeps stores before loads', { cpus: 2 }, () => {
    const rounds = 200;
    const side = (own: number, other: number, name: string): string => `
  la s0, shared_words
  li s1, ${rounds}
  li s2, 0
again_${name}:
  addi s2, s2, 1
  # Both arrive ...
  li t1, 1
  amoadd.d zero, t1, (s0)
  add t2, s2, s2
meet_${name}:
  ld t0, 0(s0)
  bltu t0, t2, meet_${name}
  # ... and do it.
  sd s2, ${own}(s0)
  fence
  ld t0, ${other}(s0)
  sub t0, t0, s2
  sd t0, ${own + 256}(s0)
  addi t3, s0, 1024
  amoadd.d zero, t1, (t3)
left_${name}:
  ld t0, 0(t3)
  bltu t0, t2, left_${name}
  fence
  ld t4, 320(s0)
  ld t5, 384(s0)
  # Each saw the other's old value: forbidden.
  sltu t4, zero, t4
  sltu t5, zero, t5
  and t4, t4, t5
  li a0, 1
  bnez t4, failed
  addi t3, s0, 1536
  amoadd.d zero, t1, (t3)
next_${name}:
  ld t0, 0(t3)
  bltu t0, t2, next_${name}
  bne s2, s1, again_${name}`;
    return harts(
      `${side(64, 128, 'a')}
  j done
.align 64
shared_words:
  .zero 2040
  .dword 0`,
      `${side(128, 64, 'b')}
  j finished`,
    );
  });

  inEachTier('interrupts between harts through the ACLINT', { cpus: 3 }, () => {
    const rounds = 100;
    // Each hart sleeps until its software interrupt, counts it and passes it on to the next.
    const handler = `
.align 64
on_interrupt:
  li t5, 0x2000000
  slli t6, s11, 2
  add t6, t5, t6
  sw zero, 0(t6)
  addi s4, s4, 1
  addi t6, s11, 1
  xori t4, t6, 3
  bnez t4, not_last
  li t6, 0
not_last:
  slli t6, t6, 2
  add t6, t5, t6
  li t4, 1
  sw t4, 0(t6)
  mret`;
    const setup = (name: string): string => `
  la t0, on_interrupt
  csrw mtvec, t0
  li s4, 0
  li t0, 8
  csrw mie, t0
  la t1, ready
  li t2, 1
  amoadd.d zero, t2, (t1)
all_ready_${name}:
  ld t3, 0(t1)
  addi t3, t3, -3
  bnez t3, all_ready_${name}
  li s5, ${rounds}`;
    return harts(
      `${setup('a')}
  li t0, 0x2000000
  li t1, 1
  sw t1, 4(t0)
wait_a:
  csrrsi zero, mstatus, 8
  wfi
  bltu s4, s5, wait_a
  j done
.align 64
ready:
  .dword 0
${handler}`,
      `${setup('b')}
wait_b:
  csrrsi zero, mstatus, 8
  wfi
  j wait_b`,
    );
  });

  /*
   * Hart 0 rewrites a function over and over; hart 1 does fence.i when told so and must see the new one. Both run
   * in short turns, so that neither comes to a safe point by itself between two of them.
   */
  inEachTier('code that another hart changes', { cpus: 2 }, () => {
    const rounds = 200;
    return harts(
      `  la s0, changing
  la s1, turns
  li s2, 0
  li s3, ${rounds}
change:
  addi s2, s2, 1
  # addi a0, zero, s2 & 1023
  andi t0, s2, 1023
  slli t0, t0, 20
  li t1, 0x513
  or t0, t0, t1
  sw t0, 0(s0)
  fence
  sd s2, 0(s1)
answered:
  ld t0, 64(s1)
  bne t0, s2, answered
  bne s2, s3, change
  j done
.align 64
turns:
  .zero 128`,
      `  la s1, turns
  la s0, changing
  li s2, 0
follow:
  addi s2, s2, 1
told:
  ld t0, 0(s1)
  bne t0, s2, told
  fence
  fence.i
  jalr s0
  andi t1, s2, 1023
  mv a1, a0
  li a0, 1
  bne a1, t1, failed
  sd s2, 64(s1)
  j follow
.align 4096
changing:
  .word 0x513
  ret
.align 4096`,
    );
  });
});

/** S-mode: hart 0 starts hart 1 through the SBI; s11 is the hart's id. */
const supervisors = (first: string, second: string): string => `
  li s11, 0
  la t0, trapped
  csrw stvec, t0
  li a7, 0x48534d
  li a6, 0
  li a0, 1
  la a1, second
  li a2, 0
  ecall
  bnez a0, failed
  j first
.align 4
trapped:
  li a0, 99
  j failed
first:
${first}
second:
  li s11, 1
  la t0, trapped
  csrw stvec, t0
${second}
.align 64
turns:
  .zero 128
`;

/** Hart 0 at its next turn: tells hart 1 and waits for its answer. s2 counts. */
const TURN = `
  fence
  la s1, turns
  sd s2, 0(s1)
turn_answered:
  ld t0, 64(s1)
  bne t0, s2, turn_answered`;
/** Hart 1 waits for its turn, s2. */
const AWAIT_TURN = `
  la s1, turns
turn_awaited:
  ld t0, 0(s1)
  bne t0, s2, turn_awaited
  fence`;

describeWith({ devices: BUILT }, 'harts in S-mode on built-in firmware', () => {
  const rounds = 100;

  inEachTier('interrupts between harts through the SBI', { cpus: 2, firmware: 'builtin' }, () => {
    // A hart that is being started may lose what is sent to it.
    const FIRST_IPI = `
  la s1, turns
ready_a:
  ld t0, 64(s1)
  beqz t0, ready_a
  li s10, 2
  call send_ipi
wait_a:`;
    const sleep = (name: string): string => `
  la t0, on_interrupt
  csrw stvec, t0
  li s4, 0
  li t0, 2
  csrw sie, t0
  li s5, ${rounds}
wait_${name}:
  csrrsi zero, sstatus, 2
  wfi`;
    return supervisors(
      `${sleep('a').replace('wait_a:', FIRST_IPI)}
  bltu s4, s5, wait_a
  j done
.align 64
on_interrupt:
  csrrci zero, sip, 2
  addi s4, s4, 1
  # The other one.
  li s10, 2
  beqz s11, pass_on
  li s10, 1
pass_on:
  mv s9, ra
  call send_ipi
  mv ra, s9
  sret
send_ipi:
  li a7, 0x735049
  li a6, 0
  mv a0, s10
  li a1, 0
  ecall
  bnez a0, failed
  ret`,
      `${sleep('b').replace('wait_b:', '  la s1, turns\n  li t0, 1\n  sd t0, 64(s1)\nwait_b:')}
  j wait_b`,
    );
  });

  inEachTier('a remote fence.i shows changed code', { cpus: 2, firmware: 'builtin' }, () => {
    return supervisors(
      `  la s0, changing
  li s2, 0
  li s3, ${rounds}
change:
  addi s2, s2, 1
  slli t0, s2, 20
  li t1, 0x513
  or t0, t0, t1
  sw t0, 0(s0)
  fence
  li a7, 0x52464e43
  li a6, 0
  li a0, 2
  li a1, 0
  ecall
  bnez a0, failed
${TURN}
  bne s2, s3, change
  j done`,
      `  li s2, 0
  la s0, changing
follow:
  addi s2, s2, 1
${AWAIT_TURN}
  jalr s0
  mv a1, a0
  li a0, 1
  bne a1, s2, failed
  sd s2, 64(s1)
  j follow
.align 4096
changing:
  .word 0x513
  ret
.align 4096`,
    );
  });

  // Virtual page 0x40000000 is one of two physical ones, in turn; both hold a function and a number.
  inEachTier('a remote sfence.vma takes old translations away', { cpus: 2, firmware: 'builtin' }, () => {
    return supervisors(
      `  la s0, leaves
  li s2, 0
  li s3, ${rounds}
  call turn_on_paging
  # leaves[0] is filled before anybody uses it
remap:
  addi s2, s2, 1
  andi t0, s2, 1
  la t1, even
  beqz t0, put
  la t1, odd
put:
  srli t1, t1, 2
  ori t1, t1, 0xcf
  sd t1, 0(s0)
  fence
  sfence.vma
  li a7, 0x52464e43
  li a6, 1
  li a0, 2
  li a1, 0
  li a2, 0x40000000
  li a3, 4096
  ecall
  bnez a0, failed
${TURN}
  bne s2, s3, remap
  j done
turn_on_paging:
  # Gigapages for devices and RAM, one table for the page in question.
  la t0, root
  li t1, 0xc7
  sd t1, 0(t0)
  li t1, 0x200000cf
  sd t1, 16(t0)
  la t1, middle
  srli t1, t1, 2
  ori t1, t1, 1
  sd t1, 8(t0)
  la t2, middle
  la t1, leaves
  srli t1, t1, 2
  ori t1, t1, 1
  sd t1, 0(t2)
  fence
  srli t0, t0, 12
  li t1, 8
  slli t1, t1, 60
  or t0, t0, t1
  csrw satp, t0
  sfence.vma
  ret`,
      `  call turn_on_paging
  li s2, 0
  li s0, 0x40000000
look:
  addi s2, s2, 1
${AWAIT_TURN}
  andi a1, s2, 1
  ld a2, 8(s0)
  li a0, 1
  bne a1, a2, failed
  jalr s0
  mv a2, a0
  li a0, 2
  bne a1, a2, failed
  sd s2, 64(s1)
  j look
.align 4096
even:
  .word 0x513
  ret
  .dword 0
.align 4096
odd:
  .word 0x100513
  ret
  .dword 1
.align 4096
root:
  .zero 4096
middle:
  .zero 4096
leaves:
  .zero 4096`,
    );
  });
});
