import { createClockHandle, createSharedClock } from '@polyvisor/clock';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createTcg, type Tier } from '../../src/index.ts';
import type { RiscvVcpu } from '../../src/riscv-vcpu.ts';
import type * as vcpuModule from '../../src/vcpu-module.ts';
import type { GuestElf } from './guest-elf.ts';
import type { KickerData } from './kicker.ts';

/** Why a program was stopped. */
export type Stop = 'done' | 'limit' | 'ended';

/** How far a program may go: whichever comes first. Regions of the translator don't count instructions. */
export interface Limits {
  readonly instructions: number;
  /** Processor time of this process, so that a loaded host makes no difference. */
  readonly cpuSeconds: number;
}

type VcpuModule = Pick<typeof vcpuModule, 'openVcpu'>;

const RAM_BASE = 0x8000_0000;
const RAM_SIZE = 64 << 20;
/** The vCPU looks at kicks this often: short, so that regions get interrupted in all places. */
const KICK_PERIOD_MS = 2;

/** One hart with RAM and nothing else, through the same loop as in a machine. */
export class BareHart {
  private readonly vm: Awaited<ReturnType<ReturnType<typeof createTcg>['createVm']>>;
  private readonly vcpu: RiscvVcpu;
  private readonly kicker: Worker;
  private readonly stop: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly ram: number;
  private touched = 0;

  private constructor(vm: BareHart['vm'], vcpu: RiscvVcpu) {
    this.vm = vm;
    this.vcpu = vcpu;
    this.bytes = new Uint8Array(vm.memory.buffer);
    this.view = new DataView(vm.memory.buffer);
    this.ram = vm.memory.regions[0]?.offset ?? 0;
    this.stop = new Int32Array(new SharedArrayBuffer(4));
    const workerData: KickerData = {
      handle: vm.handle,
      module: vm.vcpuModule,
      stop: this.stop,
      periodMs: KICK_PERIOD_MS,
    };
    this.kicker = new Worker(new URL('./kicker.ts', import.meta.url), { workerData });
  }

  static async open(tier: Tier): Promise<BareHart> {
    const clock = createClockHandle('wall');
    createSharedClock(clock).resume();
    const vm = await createTcg({ tier }).createVm({
      vcpus: 1,
      regions: [{ gpa: RAM_BASE, size: RAM_SIZE, readOnly: false }],
      clock,
      nsPerTick: 100,
    });
    const { openVcpu } = (await import(vm.vcpuModule)) as VcpuModule;
    const nothing = {
      highBits: 0,
      fault: false,
      mmioRead(): number {
        nothing.fault = true;
        return 0;
      },
      mmioWrite(): void {
        nothing.fault = true;
      },
      serviceTimers(): void {},
    };
    return new BareHart(vm, await openVcpu(vm.handle, 0, nothing));
  }

  /** Runs a program from its entry in M-mode until `finished`, looked at between kicks, or a limit. */
  async run(program: GuestElf, finished: () => boolean, limits: Limits): Promise<Stop> {
    this.load(program);
    this.vcpu.reset();
    this.vcpu.enter(3, program.entry | 0, Math.floor(program.entry / 2 ** 32));
    const start = this.vm.stats()['instructions'] ?? 0;
    const cpu = process.cpuUsage();
    for (;;) {
      if (this.vcpu.run() !== 'kicked') return 'ended';
      if (finished()) return 'done';
      const { user, system } = process.cpuUsage(cpu);
      const executed = (this.vm.stats()['instructions'] ?? 0) - start;
      if (executed > limits.instructions || user + system > limits.cpuSeconds * 1e6) return 'limit';
      // The compile worker and others start from this thread's event loop.
      await turn();
    }
  }

  /** Eight bytes of RAM, or of zeros where there is none. */
  doubleword(address: number): bigint {
    const at = address - RAM_BASE;
    return at >= 0 && at + 8 <= RAM_SIZE ? this.view.getBigUint64(this.ram + at, true) : 0n;
  }

  /** A copy of guest memory. @throws RangeError outside RAM. */
  read(start: number, end: number): Uint8Array {
    if (start < RAM_BASE || end < start || end > RAM_BASE + RAM_SIZE) throw new RangeError('outside RAM');
    return this.bytes.slice(this.ram + start - RAM_BASE, this.ram + end - RAM_BASE);
  }

  get pc(): string {
    return `0x${this.view.getBigUint64(this.vcpu.engine.env, true).toString(16)}`;
  }

  async close(): Promise<void> {
    Atomics.store(this.stop, 0, 1);
    Atomics.notify(this.stop, 0);
    await new Promise((resolve) => this.kicker.once('exit', resolve));
    await this.vm.close();
  }

  /** Nothing of the program before is left. */
  private load(program: GuestElf): void {
    this.bytes.fill(0, this.ram, this.ram + this.touched);
    this.touched = 0;
    for (const { address, bytes, memorySize } of program.segments) {
      const at = address - RAM_BASE;
      if (at < 0 || at + memorySize > RAM_SIZE)
        throw new RangeError(`segment at 0x${address.toString(16)} outside RAM`);
      this.bytes.set(bytes, this.ram + at);
      this.touched = Math.max(this.touched, at + memorySize);
    }
    // Page tables and stacks of the suites lie in their own segments; a megabyte more is cheap.
    this.touched = Math.min(RAM_SIZE, this.touched + (1 << 20));
  }
}
