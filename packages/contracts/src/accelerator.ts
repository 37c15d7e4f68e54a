import type { StateSection } from './device.ts';

/** Why {@link Vcpu.run} came back. Everything else (MMIO, port IO, idle) is served by {@link VcpuHost} inside it. */
export type VcpuExit =
  | 'kicked' // somebody called kick(), or a quantum ended
  | 'halted' // the vCPU stopped for good or until started again (SBI HSM, INIT)
  | 'shutdown' // the guest asked the machine to end or reset through the CPU (SBI SRST, triple fault)
  | 'debug' // breakpoint or single step
  | 'error'; // the accelerator gave up; the vCPU's log tells why

/**
 * What a vCPU needs from its machine while it runs; called on the vCPU's own thread and allowed to block it.
 * Values wider than 32 bits travel as two unsigned halves: a bigint would be allocated per access.
 */
export interface VcpuHost {
  /** Reads `width` (1, 2, 4, 8) bytes; returns the low 32 bits, the high ones are in {@link highBits}. */
  mmioRead(gpa: number, width: number): number;
  mmioWrite(gpa: number, width: number, low: number, high: number): void;
  /** Port IO, for CPUs that have it. */
  ioRead(port: number, width: number): number;
  ioWrite(port: number, width: number, value: number): void;
  /** Bits 32-63 of the last {@link mmioRead}. */
  highBits: number;
}

/**
 * One virtual CPU, used on one thread only. `run` blocks like KVM_RUN and is re-entered after each exit;
 * only `kick` may be called from other threads.
 */
export interface Vcpu {
  readonly index: number;
  run(): VcpuExit;
  /** Present where saving needs something loaded first: to be awaited before the first {@link save} or {@link load}. */
  prepareState?(): Promise<void>;
  /** Whole architectural state; only between two `run`s. */
  save(): StateSection;
  /**
   * Memory has its contents already, and the machine's clock its time.
   * @throws PolyvisorError `corrupt` when a register holds what the CPU can't; the vCPU is then as after a reset.
   */
  load(section: StateSection): void;
  reset(): void;
  close(): void;
}

/** A piece of guest-physical address space backed by host memory. */
export interface MemoryRegion {
  readonly gpa: number;
  readonly size: number;
  /** Guest writes to a read-only region are dropped (ROM). */
  readonly readOnly: boolean;
}

/** What a machine asks of an accelerator when it makes a VM. */
export interface VmConfig {
  readonly vcpus: number;
  readonly regions: readonly MemoryRegion[];
  /** Told of what goes wrong in the accelerator's own threads. `fatal`: the VM can't go on. Main thread. */
  readonly onProblem?: (problem: AcceleratorProblem) => void;
}

/** A background failure of an accelerator. */
export interface AcceleratorProblem {
  readonly error: Error;
  readonly fatal: boolean;
}

/**
 * Something that runs guest code: TCG, KVM, or a remote one. The main thread makes the VM;
 * each vCPU thread opens its {@link Vcpu} from the transferable `handle`.
 */
export interface Accelerator {
  readonly name: string;
  createVm(config: VmConfig): Promise<AcceleratedVm>;
}

/** One VM's share of an accelerator, on the main thread. */
export interface AcceleratedVm {
  /** Structured-cloneable; passed to each vCPU thread, where the accelerator's own module opens it. */
  readonly handle: unknown;
  /** URL of the module whose `openVcpu(handle, index, host)` a vCPU thread calls. */
  readonly vcpuModule: string;
  /** Makes the vCPU leave `run` soon (under 100 microseconds while it executes guest code). Any thread. */
  kick(index: number): void;
  close(): Promise<void>;
}
