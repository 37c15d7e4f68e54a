import type { ClockHandle } from '@polyvisor/clock';
import type { ErrorCode, StateSection } from '@polyvisor/contracts';
import type { RemoteWindow } from '../bus/remote-window.ts';

/** What a vCPU thread gets when it is made. */
export interface VcpuThreadData {
  readonly index: number;
  /** Control words of all vCPUs. */
  readonly control: Int32Array;
  /** This vCPU's request ring. */
  readonly ring: Int32Array;
  /** A module that will be needed soon. */
  readonly preload?: string;
}

/** First and only message to a vCPU thread: what to run on. Everything else goes through shared words. */
export interface OpenVcpuMessage {
  /** Board whose `open-hart.ts` builds the thread's side. */
  readonly board: 'riscv-virt';
  /** The accelerator's `vcpuModule` and `handle`. */
  readonly module: string;
  readonly handle: unknown;
  readonly clock: ClockHandle;
  readonly nsPerTick: number;
  /** Deterministic mode: every write to a device waits. */
  readonly synchronous: boolean;
  readonly remote: readonly RemoteWindow[];
  readonly harts: number;
  readonly ramSize: number;
  readonly plic: Int32Array;
  readonly aclint: Int32Array;
  /** SBI calls are served by the emulator, and harts start in S-mode. */
  readonly builtinSbi: boolean;
}

/** To a parked vCPU thread, followed by a ring of its bell; it answers each. */
export type VcpuStateMessage =
  { readonly kind: 'save' } | { readonly kind: 'load'; readonly section: StateSection };

/** From a vCPU thread to the main thread. `null`, the cheapest message, wakes the server of its request ring. */
export type VcpuThreadMessage =
  | null
  | { readonly kind: 'opened' }
  /** Guest code runs for the first time, milliseconds since 1970 as `performance` counts. */
  | { readonly kind: 'running'; readonly atMs: number }
  /** Answer to the PARK_REQUEST of that count. */
  | { readonly kind: 'parked'; readonly request: number }
  /** Answers to {@link VcpuStateMessage}: its state, that it has taken over another, or why not. */
  | { readonly kind: 'saved'; readonly section: StateSection }
  | { readonly kind: 'loaded' }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'failed'; readonly error: Error };
