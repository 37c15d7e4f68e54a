import { afterEach, expect, test } from '@jest/globals';
import { silentLogger } from '@polyvisor/contracts';
import { createMachine, type Machine, type MachineConfig } from '@polyvisor/machine';
import { describeWith } from '@polyvisor/testkit/needs';
import { defaultImage } from './run-command.ts';

/** Debian's kernel, stopped while it boots: its state goes to a second machine, and both go on. */

const LIMIT_MS = 300_000;
const image = await defaultImage();
const open: Machine[] = [];
afterEach(() => Promise.all(open.splice(0).map((machine) => machine.close())));

interface Guest {
  readonly machine: Machine;
  readonly text: () => string;
  shown(part: string): Promise<void>;
}

async function build(changes: Partial<MachineConfig>): Promise<Guest> {
  let text = '';
  const watchers = new Set<() => void>();
  const machine = await createMachine({
    board: 'riscv-virt',
    name: 'test',
    memory: 256 << 20,
    cpus: 1,
    accel: { kind: 'tcg', tier: 'auto', icount: false },
    firmware: { kind: 'builtin' },
    kernel: image?.('kernel') ?? '',
    initrd: image?.('initrd') ?? '',
    append: 'console=ttyS0 rdinit=/bin/busybox -- poweroff -f',
    serial: {
      write(bytes) {
        text += Buffer.from(bytes).toString('latin1');
        for (const watcher of watchers) watcher();
      },
      onInput() {},
      resume() {},
      close() {},
    },
    consolePorts: [],
    disks: [],
    nets: [],
    shares: [],
    rng: true,
    balloon: false,
    noReboot: false,
    logger: silentLogger,
    ...changes,
  });
  open.push(machine);
  return {
    machine,
    text: () => text,
    shown: (part) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!text.includes(part)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
  };
}

const POWER_OFF = { kind: 'power-off', status: 0 };
const LATE = 'reboot: Power down';

describeWith(
  image === undefined ? { variables: ['a Debian mirror in reach'] } : {},
  'Debian on two machines one after another',
  () => {
    const variants: readonly Partial<MachineConfig>[] = [
      { cpus: 1, firmware: { kind: 'file', path: image?.('fw_jump') ?? '' } },
      { cpus: 4 },
    ];
    test.each(variants)(
      'its boot goes on in the other, $cpus vCPUs',
      async (changes) => {
        const first = await build(changes);
        first.machine.start();
        await first.shown('devtmpfs: initialized');
        await first.machine.pause();
        const parts = await first.machine.save();
        const second = await build(changes);
        second.machine.ram.set(first.machine.ram);
        await first.machine.close();
        await second.machine.load(parts);
        second.machine.start();
        expect(await second.machine.ended).toEqual(POWER_OFF);
        expect(second.text()).toContain(LATE);
        expect(second.text()).not.toContain('devtmpfs: initialized');
        expect(second.text()).not.toMatch(/Oops|BUG:|panic|rcu.*stall|soft lockup/);
      },
      LIMIT_MS,
    );

    test(
      'with icount both go on with the same bytes and instructions',
      async () => {
        const changes: Partial<MachineConfig> = { accel: { kind: 'tcg', tier: 'auto', icount: true } };
        const first = await build(changes);
        first.machine.start();
        await first.shown('devtmpfs: initialized');
        await first.machine.pause();
        const { instructions } = first.machine.stats();
        const before = first.text().length;
        const parts = await first.machine.save();
        const second = await build(changes);
        second.machine.ram.set(first.machine.ram);
        await second.machine.load(parts);
        first.machine.resume();
        expect(await first.machine.ended).toEqual(POWER_OFF);
        second.machine.start();
        expect(await second.machine.ended).toEqual(POWER_OFF);
        expect(second.text()).toBe(first.text().slice(before));
        expect(second.machine.stats().instructions).toBe(first.machine.stats().instructions - instructions);
      },
      LIMIT_MS,
    );
  },
);
