import type { AcceleratedVm, Accelerator, Vcpu, VcpuHost, VmConfig } from '@polyvisor/contracts';
import type { ClockHandle } from '@polyvisor/clock';
import type { GuestMemoryLayout } from '@polyvisor/guest-memory';
import type { HartSignals } from '@polyvisor/irqchip';

/*
 * What a machine asks of an accelerator beyond `contracts`. Consumer-side types: an accelerator matches them by
 * shape and never imports this package.
 *
 * Life of a VM, by thread:
 *   main:  accelerator.createVm(config) -> vm; makes devices on vm.memory; posts vm.handle to each vCPU thread
 *   vCPU:  { openVcpu, openSignals } = await import(vm.vcpuModule); vcpu = await openVcpu(handle, index, host)
 *          loop: vcpu.reset(); vcpu.enter(...); while (!told otherwise) vcpu.run()
 *   main:  writes a command word for the vCPU, then vm.kick(index): run() returns 'kicked' (out of WFI, too)
 */

/** What a machine tells an accelerator when it makes a VM. */
export interface MachineVmConfig extends VmConfig {
  /** Time of the guest. `createSharedClock(handle)` opens it on any thread. */
  readonly clock: ClockHandle;
  /** Guest timer ticks (RISC-V `time`, mtime) are nanoseconds of the clock divided by this. 100: 10 MHz. */
  readonly nsPerTick: number;
  /**
   * Called once, when guest memory has its place, before anything is written to it and before another thread has it:
   * the caller may lay other memory under RAM and under the flags and counters (`overlayGuestMemory`).
   */
  readonly onMemory?: (layout: GuestMemoryLayout) => void;
}

/** CPU features for the device tree, in the order of the ISA manual's naming rules. */
export interface RiscvIsa {
  readonly xlen: 32 | 64;
  /** Lower case, single letters first: `['i', 'm', 'a', 'f', 'd', 'c', 'zicsr', ..., 'sstc']`. */
  readonly extensions: readonly string[];
  /** The widest: `riscv,sv57`. */
  readonly mmuType: string;
  /** Bytes; present when the extensions Zicbom / Zicboz are. */
  readonly cbomBlockSize?: number;
  readonly cbozBlockSize?: number;
}

/** One VM's share of an accelerator, on the main thread. */
export interface MachineVm extends AcceleratedVm {
  /** Guest memory for devices. All regions of the config, in its order. Structured-cloneable. */
  readonly memory: GuestMemoryLayout;
  /** Interrupt inputs of all harts; callable on this thread. Other threads use the vCPU module's `openSignals`. */
  readonly signals: HartSignals;
  readonly isa: RiscvIsa;
  /** Somebody wrote into pages that hold translated code (their flags and the stale counter are set): kick whoever must know. */
  codeWritten(offset: number, length: number): void;
  /**
   * Wakes the vCPU from WFI, too. A kick that comes while the vCPU isn't in `run` makes its next `run` return
   * at once: kicks are never lost.
   */
  kick(index: number): void;
  /** Figures of all vCPUs; must have `instructions`. */
  stats(): Readonly<Record<string, number>>;
}

/** The accelerator that `createMachine` drives. */
export interface MachineAccelerator extends Accelerator {
  /** Stack that a vCPU thread needs, in MiB, for nested guest calls. */
  readonly stackSizeMb?: number;
  /** URL that every VM's `vcpuModule` will have: threads load it while the VM is being made. */
  readonly vcpuModule?: string;
  createVm(config: MachineVmConfig): Promise<MachineVm>;
}

/** What {@link MachineVcpuHost.environmentCall} tells the vCPU to do. Plain numbers: the vCPU may be WebAssembly. */
export const ECALL_CONTINUE = 0;
/** Leave `run` with `halted`: the hart stops itself (SBI HSM). */
export const ECALL_HALT = 1;
/** Leave `run` with `shutdown`. */
export const ECALL_SHUTDOWN = 2;
/** Wait as WFI does, then go on. */
export const ECALL_WAIT = 3;

/** The machine, seen from a vCPU while it runs. */
export interface MachineVcpuHost extends VcpuHost {
  /** The last mmioRead or mmioWrite hit no device: raise an access fault if the CPU knows one. Cleared by the next access. */
  fault: boolean;
  /** Reads and writes must find the clock published (icount): mtime and device timers are read from it. */
  mmioRead(gpa: number, width: number): number;
  /**
   * Present with built-in firmware: serves an `ecall` from S-mode instead of a trap to M-mode. Arguments and
   * results are in the vCPU's x-registers (`x*` of {@link RiscvVcpu}), which are up to date and writable
   * during the call. The vCPU has pc at the `ecall` and goes on behind it. Returns an `ECALL_*`.
   */
  environmentCall?: () => number;
  /**
   * icount only: runs device timers that are due at the clock's time. The vCPU calls it, with the clock
   * published, when guest time reaches `clock.nextDeadlineNs()`; in WFI it advances the clock to the
   * earlier of that and its own timer.
   */
  serviceTimers(): void;
}

/** Kinds of {@link RiscvVcpu.remoteFence}. */
export const FENCE_I = 0;
export const FENCE_SFENCE_VMA = 1;
export const FENCE_SFENCE_VMA_ASID = 2;

/** A RISC-V vCPU, on its own thread. */
export interface RiscvVcpu extends Vcpu {
  /** Low and high half of x-register `index` (0-31), as unsigned or signed 32 bits. Between runs and in `environmentCall`. */
  xLow(index: number): number;
  xHigh(index: number): number;
  setX(index: number, low: number, high: number): void;
  /**
   * After `reset()`: the next `run` starts at pc. Privilege 3 leaves everything as the ISA's reset has it.
   * Privilege 1 is for built-in firmware: S-mode, satp 0, interrupts off, and what firmware would have set up:
   * all of medeleg that S-mode can take (not its own ecall), mideleg SSIP STIP SEIP, counters enabled
   * (mcounteren, scounteren), menvcfg with Sstc, Zicbom/z and Svpbmt enabled, PMP open.
   */
  enter(privilege: 3 | 1, pcLow: number, pcHigh: number): void;
  /** stimecmp of this hart, in ticks (SBI TIME): STIP becomes `time >= stimecmp`. */
  setSupervisorTimer(low: number, high: number): void;
  /**
   * Fences on the harts in `mask` (bit n: hart n; this hart allowed), returns when all have done it; serves
   * other harts' fences meanwhile. Harts that are not in `run` do it before they run again.
   * Start and size are guest-virtual; size of all ones, or start and size 0, is everything.
   */
  remoteFence(
    mask: number,
    kind: number,
    startLow: number,
    startHigh: number,
    sizeLow: number,
    sizeHigh: number,
    asid: number,
  ): void;
}

/** What `vm.vcpuModule` exports. Kept small: its import is on the way to the first guest instruction. */
export interface VcpuModule {
  openVcpu(handle: unknown, index: number, host: MachineVcpuHost): RiscvVcpu | Promise<RiscvVcpu>;
  /** Interrupt inputs of all harts, for interrupt controllers that live on a vCPU thread. */
  openSignals(handle: unknown): HartSignals;
}
