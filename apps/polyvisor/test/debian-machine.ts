import { afterEach } from '@jest/globals';
import { silentLogger } from '@polyvisor/contracts';
import { createMachine, type CharBackend, type Machine, type MachineConfig } from '@polyvisor/machine';
import { defaultImage } from './run-command.ts';

/** The default image; undefined without a mirror in reach. */
export const image = await defaultImage();

/** What `describeWith` must ask for. */
export const NEEDS_IMAGE = image === undefined ? { variables: ['a Debian mirror in reach'] } : {};

const open: Machine[] = [];
afterEach(() => Promise.all(open.splice(0).map((machine) => machine.close())));

/** The guest's console in a test's hands. */
export class Terminal implements CharBackend {
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
  /** Resolves once the text contains `part` as often as this. */
  shown(part: string, times = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.text.split(part).length <= times) return;
        this.watchers.delete(look);
        resolve();
      };
      this.watchers.add(look);
      look();
    });
  }
}

/** A machine with Debian's kernel that has not been started; closed after the test at the latest. */
export async function createDebian(
  changes: Partial<MachineConfig>,
): Promise<{ machine: Machine; terminal: Terminal }> {
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
    balloon: false,
    noReboot: false,
    logger: silentLogger,
    ...changes,
  });
  open.push(machine);
  return { machine, terminal };
}
