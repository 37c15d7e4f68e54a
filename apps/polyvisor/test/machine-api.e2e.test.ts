import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { silentLogger } from '@polyvisor/contracts';
import { createMachine, type CharBackend, type Machine, type MachineConfig } from '@polyvisor/machine';
import { describeWith } from '@polyvisor/testkit/needs';
import { defaultImage } from './run-command.ts';

/** Debian's kernel through the library: pauses while it boots, balloon, a reset from outside, a pulled plug. */

const LIMIT_MS = 300_000;
const image = await defaultImage();
const folder = mkdtempSync(join(tmpdir(), 'polyvisor-machine-'));
const open: Machine[] = [];
afterEach(() => Promise.all(open.splice(0).map((machine) => machine.close())));
afterAll(() => rmSync(folder, { recursive: true }));

/** The guest's console in a test's hands. */
class Terminal implements CharBackend {
  text = '';
  private typed: Uint8Array = new Uint8Array(0);
  private receive: (bytes: Uint8Array) => number = () => 0;
  private readonly watchers = new Set<() => void>();
  write(bytes: Uint8Array): void {
    this.text += Buffer.from(bytes).toString('latin1');
    for (const watcher of this.watchers) watcher();
  }
  onInput(receive: (bytes: Uint8Array) => number): void {
    this.receive = receive;
  }
  resume(): void {
    this.typed = this.typed.subarray(this.receive(this.typed));
  }
  close(): void {}
  type(line: string): void {
    this.typed = Buffer.concat([this.typed, Buffer.from(line)]);
    this.resume();
  }
  shown(text: string, times = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.text.split(text).length <= times) return;
        this.watchers.delete(look);
        resolve();
      };
      this.watchers.add(look);
      look();
    });
  }
}

const READY = "'poweroff' or 'exit' ends the machine";

async function boot(changes: Partial<MachineConfig> = {}): Promise<{ machine: Machine; terminal: Terminal }> {
  const terminal = new Terminal();
  const machine = await createMachine({
    board: 'riscv-virt',
    name: 'test',
    memory: 256 << 20,
    cpus: 1,
    accel: { kind: 'tcg', tier: 'auto', icount: false },
    firmware: { kind: 'builtin' },
    kernel: image?.('kernel') ?? '',
    initrd: image?.('initrd') ?? '',
    append: 'console=ttyS0 quiet',
    serial: terminal,
    consolePorts: [],
    disks: [],
    nets: [],
    shares: [],
    rng: true,
    balloon: true,
    noReboot: false,
    logger: silentLogger,
    ...changes,
  });
  open.push(machine);
  machine.start();
  return { machine, terminal };
}

describeWith(
  image === undefined ? { variables: ['a Debian mirror in reach'] } : {},
  'Debian by createMachine',
  () => {
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
  },
);
