import { expect, test } from '@jest/globals';
import type { MachineConfig } from '@polyvisor/machine';
import { describeWith } from '@polyvisor/testkit/needs';
import { createDebian, image, NEEDS_IMAGE } from './debian-machine.ts';

/** Debian's kernel, stopped while it boots: its state goes to a second machine, and both go on. */

const LIMIT_MS = 300_000;
const build = (changes: Partial<MachineConfig>): ReturnType<typeof createDebian> =>
  createDebian({ append: 'console=ttyS0 rdinit=/bin/busybox -- poweroff -f', ...changes });

const POWER_OFF = { kind: 'power-off', status: 0 };
const LATE = 'reboot: Power down';

describeWith(NEEDS_IMAGE, 'Debian on two machines one after another', () => {
  const variants: readonly Partial<MachineConfig>[] = [
    { cpus: 1, firmware: { kind: 'file', path: image?.('fw_jump') ?? '' } },
    { cpus: 4 },
  ];
  test.each(variants)(
    'its boot goes on in the other, $cpus vCPUs',
    async (changes) => {
      const first = await build(changes);
      first.machine.start();
      await first.terminal.shown('devtmpfs: initialized');
      await first.machine.pause();
      const parts = await first.machine.save();
      const second = await build(changes);
      second.machine.ram.set(first.machine.ram);
      await first.machine.close();
      await second.machine.load(parts);
      second.machine.start();
      expect(await second.machine.ended).toEqual(POWER_OFF);
      expect(second.terminal.text).toContain(LATE);
      expect(second.terminal.text).not.toContain('devtmpfs: initialized');
      expect(second.terminal.text).not.toMatch(/Oops|BUG:|panic|rcu.*stall|soft lockup/);
    },
    LIMIT_MS,
  );

  test(
    'with icount both go on with the same bytes and instructions',
    async () => {
      const changes: Partial<MachineConfig> = { accel: { kind: 'tcg', tier: 'auto', icount: true } };
      const first = await build(changes);
      first.machine.start();
      await first.terminal.shown('devtmpfs: initialized');
      await first.machine.pause();
      const { instructions } = first.machine.stats();
      const before = first.terminal.text.length;
      const parts = await first.machine.save();
      const second = await build(changes);
      second.machine.ram.set(first.machine.ram);
      await second.machine.load(parts);
      first.machine.resume();
      expect(await first.machine.ended).toEqual(POWER_OFF);
      second.machine.start();
      expect(await second.machine.ended).toEqual(POWER_OFF);
      expect(second.terminal.text).toBe(first.terminal.text.slice(before));
      expect(second.machine.stats().instructions).toBe(first.machine.stats().instructions - instructions);
    },
    LIMIT_MS,
  );
});
