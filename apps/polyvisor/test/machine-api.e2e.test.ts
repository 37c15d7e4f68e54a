import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { Machine, MachineConfig } from '@polyvisor/machine';
import { describeWith } from '@polyvisor/testkit/needs';
import { createDebian, image, NEEDS_IMAGE, type Terminal } from './debian-machine.ts';

/** Debian's kernel through the library: pauses while it boots, balloon, a reset from outside, a pulled plug. */

const LIMIT_MS = 300_000;
const folder = mkdtempSync(join(tmpdir(), 'polyvisor-machine-'));
afterAll(() => rmSync(folder, { recursive: true }));

const READY = "'poweroff' or 'exit' ends the machine";

async function boot(changes: Partial<MachineConfig>): Promise<{ machine: Machine; terminal: Terminal }> {
  const guest = await createDebian({ balloon: true, ...changes });
  guest.machine.start();
  return guest;
}

describeWith(NEEDS_IMAGE, 'Debian by createMachine', () => {
  test(
    'fw_jump, share, network, pauses on the way, balloon, power-off',
    async () => {
      const share = join(folder, 'share');
      mkdirSync(share);
      writeFileSync(join(share, 'from-host'), 'seen by both');
      const { machine, terminal } = await boot({
        firmware: { kind: 'file', path: image?.('fw_jump') ?? '' },
        cpus: 2,
        shares: [{ tag: 'work', path: share, readOnly: false }],
        nets: [{ kind: 'user', forwards: [], hostLoopback: false, restrict: true }],
      });
      await terminal.shown('init started');
      for (let i = 0; i < 10; i++) {
        await machine.pause();
        const { instructions } = machine.stats();
        await new Promise((resolve) => setTimeout(resolve, 5));
        expect(machine.stats().instructions).toBe(instructions);
        machine.resume();
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      await terminal.shown(READY);
      terminal.type(
        'tr a-z A-Z </mnt/work/from-host >/mnt/work/from-guest; echo "copied $?"; ip -4 -o address\n',
      );
      await terminal.shown('copied 0');
      await terminal.shown('inet 10.0.2.15/24');
      machine.balloon(128 << 20);
      // The second number is what is free.
      const free = '$(grep -o "[0-9]*" /proc/meminfo | sed -n 2p)';
      terminal.type(`while [ ${free} -gt 100000 ]; do sleep 0.1; done; echo "smaller now"\n`);
      await terminal.shown('\nsmaller now');
      terminal.type('poweroff\n');
      expect(await machine.ended).toEqual({ kind: 'power-off', status: 0 });
      expect(readFileSync(join(share, 'from-guest'), 'utf8')).toBe('SEEN BY BOTH');
    },
    LIMIT_MS,
  );

  test(
    'a reset in the middle of a boot, another at the prompt, then the plug is pulled',
    async () => {
      const { machine, terminal } = await boot({ cpus: 2 });
      await terminal.shown('init started');
      machine.reset();
      await terminal.shown(READY);
      machine.reset();
      await terminal.shown(READY, 2);
      expect(machine.stats()['resets']).toBe(2);
      terminal.type('yes >/dev/null &\nyes\n');
      await terminal.shown('y\r\ny\r\ny');
      machine.stop();
      expect(await machine.ended).toEqual({ kind: 'stopped' });
    },
    LIMIT_MS,
  );
});
