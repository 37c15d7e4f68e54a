import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Logger } from '../../../packages/contracts/src/index.ts';
import { createSplitVm } from '../../../apps/node/src/vm/index.ts';
import type { SplitMode, SplitVm, VmEvent } from '../../../apps/node/src/vm/index.ts';
import { GuestConsole } from './console.ts';
import type { Guest } from './guest.ts';
import { ROOT } from './guest.ts';

export type Role = 'cpu' | 'devices' | 'block';

/** How VMs are started. */
export interface FaultVmOptions {
  readonly guest: Guest;
  readonly mode: SplitMode;
  /** The script of the command; undefined: sources. */
  readonly script: string | undefined;
  readonly confine: boolean;
  /** The disk's image; undefined: a new one in a folder of the VM's own. */
  readonly image?: string;
  readonly imageBytes?: number;
}

const BOOT_MS = 180_000;

/** A split VM with a disk and a share, at its shell's prompt, and everything that was heard of it. */
export class FaultVm {
  readonly console = new GuestConsole();
  readonly log: string[] = [];
  readonly events: (VmEvent & { readonly atMs: number })[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'polyvisor-faults-'));
  readonly image: string;
  readonly share: string;
  readonly #options: FaultVmOptions;
  #vm: SplitVm | undefined;

  private constructor(options: FaultVmOptions) {
    this.#options = options;
    this.image = options.image ?? join(this.folder, 'disk.raw');
    this.share = join(this.folder, 'share');
    mkdirSync(this.share);
    if (!existsSync(this.image)) {
      writeFileSync(this.image, '');
      truncateSync(this.image, options.imageBytes ?? 64 << 20);
    }
  }

  static async boot(options: FaultVmOptions): Promise<FaultVm> {
    const vm = new FaultVm(options);
    try {
      await vm.#boot();
      return vm;
    } catch (error) {
      await vm.close();
      throw error;
    }
  }

  async #boot(): Promise<void> {
    const { guest, mode, script, confine } = this.#options;
    const command =
      script === undefined
        ? [process.execPath, '--conditions=@polyvisor/source', join(ROOT, 'apps/polyvisor/src/main.ts')]
        : [process.execPath, script];
    this.#vm = await createSplitVm({
      vm: 'faults',
      mode,
      plan: {
        board: 'riscv-virt',
        name: 'faults',
        memory: 256 << 20,
        cpus: 1,
        accel: { kind: 'tcg', tier: 'auto', icount: false },
        firmware: { kind: 'builtin' },
        ...guest,
        append: 'console=ttyS0 quiet',
        consolePorts: [],
        disks: [{ path: this.image, format: 'raw', readOnly: false }],
        nets: [],
        shares: [{ tag: 'share', path: this.share, readOnly: false }],
        rng: true,
        balloon: true,
        noReboot: false,
      },
      command,
      consoles: [{ device: 'serial0', port: 0, backend: this.console }],
      confine,
      logLevel: 'info',
      logger: this.#logger,
      onLog: (role, line) => this.#heard(`${role} ${line}`),
      onEvent: (event) => this.events.push({ ...event, atMs: performance.now() }),
    });
    await this.#vm.run();
    await this.console.prompt(BOOT_MS);
  }

  readonly #logger: Logger = {
    debug() {},
    info: (fields, text) => this.#heard(`node ${text} ${JSON.stringify(fields)}`),
    warn: (fields, text) => this.#heard(`node WARN ${text} ${JSON.stringify(fields)}`),
    error: (fields, text) => this.#heard(`node ERROR ${text} ${JSON.stringify(fields)}`),
  };

  #heard(line: string): void {
    this.log.push(`${Math.round(performance.now())} ${line}`);
  }

  get vm(): SplitVm {
    if (this.#vm === undefined) throw new Error('not started');
    return this.#vm;
  }

  /** The process of a role, as it is now. */
  pid(role: Role): number {
    const pid = this.vm.processes.find((each) => each.role === role)?.pid;
    if (pid === undefined) throw new Error(`no process of role ${role}`);
    return pid;
  }

  /** The socket that a role listens on. */
  socket(role: Role): string {
    const metrics = this.vm.processes.find((each) => each.role === role)?.metrics ?? '';
    return join(dirname(metrics), `${role}.sock`);
  }

  /** Resolves once a role was restarted, after event number `from`. @returns when. */
  async restarted(role: Role, from: number, timeoutMs = 60_000): Promise<number> {
    const end = performance.now() + timeoutMs;
    while (performance.now() < end) {
      const event = this.events
        .slice(from)
        .find(({ kind, message }) => kind === 'process-restarted' && message.startsWith(role));
      if (event !== undefined) return event.atMs;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`${role} was not restarted`);
  }

  async close(): Promise<void> {
    await this.#vm?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
