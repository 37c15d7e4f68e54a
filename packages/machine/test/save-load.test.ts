import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT, DONE, startBare, type BareOptions } from './bare-guest.ts';

const TIMEOUT_MS = 120_000;

/** Each hart counts in a loop of its own, with a timer interrupt now and then; hart 0 prints a dot for each and stops at 20. */
const COUNTERS = `
  csrr s11, mhartid
  la t0, handler
  csrw mtvec, t0
  la s0, cells
  slli t0, s11, 6
  add s0, s0, t0
  li s1, 0x2004000
  slli t0, s11, 3
  add s1, s1, t0
  li s2, 0
  li s3, 0
  call next_timer
  li t0, 128
  csrw mie, t0
  li t0, 8
  csrrs zero, mstatus, t0
count:
  # the loop's own sum: what is lost or done twice shows
  addi s2, s2, 1
  sd s2, 0(s0)
  ld t1, 0(s0)
  bne t1, s2, wrong
  add s3, s3, s2
  andi t0, s2, 1023
  bnez t0, count
  # 1 + ... + s2
  addi t0, s2, 1
  mul t0, t0, s2
  srli t0, t0, 1
  bne t0, s3, wrong
  la t0, ticks
  ld t1, 0(t0)
  li t0, 20
  bltu t1, t0, count
  bnez s11, asleep
  j done
asleep:
  wfi
  j asleep
wrong:
  li a0, 1
  j failed
next_timer:
  li t0, 0x200bff8
  ld t0, 0(t0)
  li t1, 100000
  add t0, t0, t1
  sd t0, 0(s1)
  ret
.align 4
handler:
  csrw mscratch, t0
  mv s4, t1
  mv s5, ra
  call next_timer
  bnez s11, handled
  la t0, ticks
  ld t1, 0(t0)
  # a hart that got no turn for a while may come here once more before it looks
  li t6, 20
  bgeu t1, t6, handled
  addi t1, t1, 1
  sd t1, 0(t0)
  li t0, 0x10000000
  li t1, 46
  sb t1, 0(t0)
handled:
  mv ra, s5
  mv t1, s4
  csrr t0, mscratch
  mret
.align 64
ticks:
  .dword 0
.align 64
cells:
  .dword 0
`;

describeWith({ devices: BUILT }, 'a machine that is saved and loaded', () => {
  const variants: readonly BareOptions[] = [
    { tier: 'interpreter', cpus: 1 },
    { tier: 'auto', cpus: 1 },
    { tier: 'auto', cpus: 4 },
  ];
  test.each(variants)(
    'goes on where it was: %j',
    async (options) => {
      const first = await startBare(COUNTERS, options);
      await first.shown('.....');
      await first.machine.pause();
      const parts = await first.machine.save();
      expect(await first.machine.save()).toEqual(parts);
      const before = first.text();

      const second = await startBare(COUNTERS, options);
      await second.machine.pause();
      second.machine.ram.set(first.machine.ram);
      await second.machine.load(parts);
      expect(await second.machine.save()).toEqual(parts);
      const own = second.text();
      second.machine.resume();
      expect(await second.machine.ended).toEqual(DONE);
      expect(before.length + second.text().length - own.length).toBe(20);

      // The one that was saved lost nothing by it.
      first.machine.resume();
      expect(await first.machine.ended).toEqual(DONE);
      expect(first.text()).toBe('.'.repeat(20));
    },
    TIMEOUT_MS,
  );

  test('is refused while it runs, and parts that do not fit leave it as after a reset', async () => {
    const { machine, shown } = await startBare(COUNTERS, { tier: 'interpreter' });
    await shown('.');
    await expect(machine.save()).rejects.toMatchObject({ code: 'busy' });
    await expect(machine.load([])).rejects.toMatchObject({ code: 'busy' });
    await machine.pause();
    const parts = await machine.save();
    const broken = parts.map(({ name, section }) =>
      name === 'vcpu0' ? { name, section: { ...section, bytes: section.bytes.slice(1) } } : { name, section },
    );
    const bad = [parts.slice(1), [...parts, ...parts.slice(0, 1)], broken];
    for (const each of bad) await expect(machine.load(each)).rejects.toMatchObject({ code: 'corrupt' });
    machine.resume();
    expect(await machine.ended).toEqual(DONE);
  });
});
